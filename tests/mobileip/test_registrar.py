"""A host that registers for its guests."""

from __future__ import annotations

from ipaddress import IPv4Address

from netcont.mobileip.authentication import Algorithm, SecurityAssociation
from netcont.mobileip.events import Deregistered, Dropped, Registered
from netcont.mobileip.home import HomeAgent
from netcont.mobileip.messages import PORT
from netcont.mobileip.node import NodeStep
from netcont.mobileip.policy import NodePolicy
from netcont.mobileip.registrar import Registrar
from netcont.mobileip.registration import Identity

from .machines import (
    AGENT_A,
    AGENT_B,
    AGENT_KEY,
    HOME,
    HOME_AGENT,
    IDENTITY,
    NOW,
    STRANGER,
    home_agent,
)

KEYS = {HOME_AGENT: AGENT_KEY}


def exchange(registrar: Registrar, home: HomeAgent, step: NodeStep, now: float) -> NodeStep:
    """Carry what the registrar sends to the home agent and back."""
    result: NodeStep = step
    for datagram in step.replies:
        for reply in home.receive(datagram.data, (registrar.care_of_address, PORT), now).replies:
            assert registrar.waits_for(reply.data)
            result += registrar.receive(reply.data, datagram.to, now)
            assert not registrar.waits_for(reply.data)
    return result


def test_a_guest_moves_from_host_to_host_with_one_message_at_the_switch() -> None:
    home = home_agent(signed=True)
    a, b = (Registrar(one, home_agent_keys=KEYS) for one in (AGENT_A, AGENT_B))
    exchange(a, home, a.arrive(IDENTITY, NOW), NOW)
    a.share(HOME)
    exchange(b, home, b.prepare(IDENTITY, NOW + 1), NOW + 1)
    exchange(a, home, a.tick(NOW + 150), NOW + 150)
    assert len(home) == 2
    a.hand_over(HOME)
    step = b.arrive(IDENTITY, NOW + 151)
    assert len(step.replies) == 1
    step = exchange(b, home, step, NOW + 151)
    assert Registered(HOME, AGENT_B, 300) in step.events
    assert [one.care_of_address for one in home.bindings_of(HOME)] == [AGENT_B]
    assert (len(a), a.next_deadline(), len(b)) == (0, None, 1)


def test_a_guest_that_does_not_come_leaves_nothing_behind() -> None:
    home = home_agent(signed=True)
    a, b = (Registrar(one, home_agent_keys=KEYS) for one in (AGENT_A, AGENT_B))
    exchange(a, home, a.arrive(IDENTITY, NOW), NOW)
    exchange(b, home, b.prepare(IDENTITY, NOW + 1), NOW + 1)
    step = exchange(b, home, b.abandon(HOME, NOW + 2), NOW + 2)
    assert Deregistered(HOME, AGENT_B) in step.events
    assert [one.care_of_address for one in home.bindings_of(HOME)] == [AGENT_A]
    step = exchange(a, home, a.dismiss(HOME, NOW + 3), NOW + 3)
    assert Deregistered(HOME, HOME) in step.events
    assert len(home) == 0


def test_many_guests_are_renewed_each_in_its_time() -> None:
    home = HomeAgent(HOME_AGENT)
    registrar = Registrar(AGENT_A, policy=NodePolicy(lifetime_s=100))
    for number in range(200):
        address = IPv4Address(int(HOME) + number)
        key = SecurityAssociation(300 + number, Algorithm.HMAC_SHA256, b"%032d" % number)
        home.add_node(address, [key])
        at = NOW + number / 10
        exchange(registrar, home, registrar.arrive(Identity(address, HOME_AGENT, key), at), at)
    sent, now = 0, NOW + 20
    while now < NOW + 1000:
        now = registrar.next_deadline() or now
        step = registrar.tick(now)
        sent += len(step.replies)
        exchange(registrar, home, step, now)
    assert len(home) == 200
    assert all(guest.registered for guest in registrar)
    assert sent <= 200 * 20


def test_what_is_not_for_a_guest_is_left_to_the_foreign_agent() -> None:
    registrar = Registrar(AGENT_A)
    for data in (b"", b"\x03" * 20, b"\x01" * 24, b"\x03" * 50):
        assert not registrar.waits_for(data)
        assert isinstance(registrar.receive(data, STRANGER, NOW).events[0], Dropped)
    assert registrar.abandon(HOME, NOW).replies == registrar.dismiss(HOME, NOW).replies == ()
