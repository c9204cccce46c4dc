"""State stays small: by binding, by renewal, and by what cannot be authenticated."""

from __future__ import annotations

import tracemalloc
from ipaddress import IPv4Address
from random import Random

from netcont.mobileip.home import HomeAgent
from netcont.mobileip.messages import PORT

from .bench import CARE_OF, HOME_AGENT, NOW, key, measure, request
from .bench import home as home_of

NODES = 500


def filled() -> HomeAgent:
    agent = HomeAgent(HOME_AGENT)
    for number in range(NODES):
        agent.add_node(home_of(number), [key(number)])
        agent.receive(request(number, NOW), (CARE_OF, PORT), NOW)
    return agent


def test_a_node_with_its_binding_weighs_less_than_two_kibibytes() -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        agent = filled()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(agent) == NODES
    assert (after - before) / NODES < 2048


def test_renewals_and_forgeries_leave_no_weight_behind() -> None:
    agent, random = filled(), Random(1)
    step = 1e-3
    tracemalloc.start()
    try:
        for number in range(1000):
            agent.receive(request(number % NODES, NOW + number * step), (CARE_OF, PORT), NOW)
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1000, 3000):
            data = request(number % NODES, NOW + number * step)
            agent.receive(data, (CARE_OF, PORT), NOW)
            source = (IPv4Address(random.randrange(2**32)), random.randrange(2**16))
            forged = random.randbytes(24) + data[24:]
            agent.receive(b"\x01" + forged[1:], source, NOW)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 300 * NODES


def test_the_bench_measures() -> None:
    renewal_us, size_mib = measure(10, renewals=20)
    assert renewal_us > 0
    assert size_mib > 1
