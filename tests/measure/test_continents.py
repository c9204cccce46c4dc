"""Remote clients on two continents: each is judged by the delays and the probes of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netcont.measure.floors import client_floor_s
from netcont.measure.verdict import judge
from netcont.model.samples import ClientRecord
from netcont.model.scenario import SECOND_CLIENTS_NODE, ClientKind, Network, Path, Scenario

from .builders import FROZEN, THAWED, echo, record, udp

NEAR, FAR = "clc", SECOND_CLIENTS_NODE
NETWORK = Network(
    topology="three_site",
    source_filtering=False,
    clients_a=Path(delay_s=0.025),
    clients_b=Path(delay_s=0.025),
    clients2_a=Path(delay_s=0.100),
    clients2_b=Path(delay_s=0.120),
    a_b=Path(delay_s=0.050),
)


def at(node: str, client: ClientRecord) -> ClientRecord:
    """The client on that host, under a name of its own."""
    return replace(client, node=node, name=f"{client.name}-{node}")


def test_the_floor_follows_the_continent() -> None:
    floors = [client_floor_s(at(node, echo()), NETWORK, 1.0) for node in (NEAR, FAR)]
    assert floors == pytest.approx([1.0 + 0.050, 1.0 + 0.020 + 0.050])


def test_the_path_stretch_compares_each_client_with_its_own_direct_path() -> None:
    clients = [at(NEAR, echo(rtt_after_s=0.100)), at(FAR, echo(rtt_after_s=0.480))]
    run = judge(Scenario(network=NETWORK), record(*clients))
    assert run.path_stretch == pytest.approx(2.0)


def test_the_probes_of_one_continent_do_not_speak_for_the_other() -> None:
    healthy = [at(NEAR, udp(kind)) for kind in (ClientKind.UDP_UP, ClientKind.UDP_DOWN)]
    slow = (FROZEN, THAWED + 0.5)
    late = [at(FAR, udp(kind, lost=slow)) for kind in (ClientKind.UDP_UP, ClientKind.UDP_DOWN)]
    echoes = [at(node, echo(back_s=THAWED + 1.0)) for node in (NEAR, FAR)]
    run = judge(Scenario(network=NETWORK), record(*healthy, *late, *echoes))
    near, far = run.clients[4:]
    assert near.gap.convergence_s == pytest.approx(0.0, abs=0.03)
    assert far.gap.convergence_s == pytest.approx(0.5, abs=0.06)
    alone = judge(Scenario(network=NETWORK), record(*healthy, *echoes)).clients[-1]
    assert alone.gap.convergence_s is None and alone.gap.backoff_s is None


def test_an_outcome_says_on_which_host_a_client_ran() -> None:
    run = judge(Scenario(network=NETWORK), record(at(FAR, echo())))
    assert run.clients[0].node == FAR
