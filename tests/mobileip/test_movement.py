"""Which agent a node turns to when advertisements come, stay away, or come in floods."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from netcont.mobileip.datagram import ALL_ROUTERS
from netcont.mobileip.discovery import AgentAdvertisement, AgentFlags, Router
from netcont.mobileip.events import AgentFound, AgentLost, AgentRestarted, Dropped
from netcont.mobileip.messages import RegistrationRequest
from netcont.mobileip.movement import Move, Movement
from netcont.mobileip.policy import NodePolicy

from .machines import AGENT_A, AGENT_B, HOME, HOME_AGENT, NOW, node

F, R = AgentFlags.F, AgentFlags.R


def said(
    agent: IPv4Address = AGENT_A,
    sequence: int = 0,
    flags: AgentFlags = F | R,
    *,
    care_of: tuple[IPv4Address, ...] | None = None,
    lifetime_s: int = 3,
    prefix_length: int | None = 24,
) -> AgentAdvertisement:
    return AgentAdvertisement(
        sequence,
        flags,
        registration_lifetime_s=120,
        care_of_addresses=(agent,) if care_of is None else care_of,
        routers=(Router(agent, prefix_length=prefix_length),),
        lifetime_s=lifetime_s,
    )


def movement(policy: NodePolicy | None = None) -> Movement:
    return Movement(HOME_AGENT, policy or NodePolicy())


def test_the_first_agent_that_will_have_the_node_is_taken() -> None:
    one = movement()
    assert one.hear(said(flags=R), AGENT_A, NOW) is None
    assert one.hear(said(flags=F | AgentFlags.B), AGENT_A, NOW) is None
    assert one.hear(said(care_of=()), AGENT_A, NOW) is None
    assert one.hear(said(), AGENT_A, NOW) is Move.FOUND
    assert one.care_of_address == AGENT_A


def test_an_agent_must_offer_what_the_node_wants() -> None:
    one = movement(NodePolicy(reverse_tunnel=True, gre=True))
    assert one.hear(said(flags=F | AgentFlags.T), AGENT_A, NOW) is None
    assert one.hear(said(flags=F | AgentFlags.T | AgentFlags.G), AGENT_A, NOW) is Move.FOUND


def test_a_node_stays_while_it_hears_its_agent() -> None:
    one = movement()
    one.hear(said(), AGENT_A, NOW)
    for second in range(1, 60):
        assert one.hear(said(sequence=second), AGENT_A, NOW + second) is None
        assert one.hear(said(AGENT_B, second), AGENT_B, NOW + second + 0.5) is None


def test_a_flood_of_advertisements_does_not_move_the_node_and_is_forgotten() -> None:
    one = movement(NodePolicy(max_agents=8))
    one.hear(said(), AGENT_A, NOW)
    for number in range(5000):
        at = NOW + number / 1000
        stranger = IPv4Address(int(AGENT_B) + number)
        assert one.hear(said(stranger, number % 7), stranger, at) is None
        if number % 1000 == 0:
            assert one.hear(said(sequence=number // 1000), AGENT_A, at) is None
    assert len(one) <= 8
    assert one.current is not None
    assert one.current.agent == AGENT_A


def test_a_silent_agent_is_left_for_one_on_another_network() -> None:
    one = movement()
    one.hear(said(lifetime_s=9), AGENT_A, NOW)
    assert one.hear(said(AGENT_B), AGENT_B, NOW + 4) is None
    assert one.hear(said(AGENT_B), AGENT_B, NOW + 5) is Move.FOUND


@pytest.mark.parametrize("prefix_length", [None, 24])
def test_on_the_same_network_or_an_unknown_one_the_lifetime_decides(
    prefix_length: int | None,
) -> None:
    neighbour = IPv4Address(int(AGENT_A) + 1)
    one = movement()
    one.hear(said(lifetime_s=9, prefix_length=prefix_length), AGENT_A, NOW)
    heard = said(neighbour, lifetime_s=9, prefix_length=prefix_length)
    assert one.hear(heard, neighbour, NOW + 8) is None
    assert one.tick(NOW + 8.9) is None
    assert one.tick(NOW + 9) is Move.FOUND
    assert one.care_of_address == neighbour
    assert one.tick(NOW + 17) is Move.LOST


@pytest.mark.parametrize(
    ("before", "after", "restarted"),
    [(300, 0, True), (300, 255, True), (300, 299, False), (65535, 256, False), (5, 0, True)],
)
def test_a_restart_shows_in_the_sequence_numbers(before: int, after: int, restarted: bool) -> None:
    one = movement()
    one.hear(said(sequence=before), AGENT_A, NOW)
    move = one.hear(said(sequence=after), AGENT_A, NOW + 5)
    assert (move is Move.RESTARTED) == restarted


def test_a_restart_right_after_a_move_is_acted_upon_later() -> None:
    one = movement()
    one.hear(said(sequence=9), AGENT_A, NOW)
    assert one.hear(said(sequence=0), AGENT_A, NOW + 1) is None
    assert one.hear(said(sequence=1), AGENT_A, NOW + 3) is Move.RESTARTED
    assert one.hear(said(sequence=2), AGENT_A, NOW + 9) is None


def test_forged_restarts_cause_few_registrations() -> None:
    one = movement()
    one.hear(said(), AGENT_A, NOW)
    moves = [
        one.hear(said(sequence=number % 2), AGENT_A, NOW + number / 100) for number in range(3000)
    ]
    assert sum(move is not None for move in moves) <= 10


def test_another_care_of_address_of_the_same_agent_is_taken() -> None:
    one = movement()
    one.hear(said(), AGENT_A, NOW)
    assert one.hear(said(sequence=1, care_of=(AGENT_B,)), AGENT_A, NOW + 3) is Move.FOUND
    assert one.care_of_address == AGENT_B


def test_an_agent_that_offers_nothing_any_more_is_left() -> None:
    one = movement()
    one.hear(said(), AGENT_A, NOW)
    assert one.hear(said(sequence=1, flags=R), AGENT_A, NOW + 3) is Move.LOST
    assert one.current is None


def test_home_is_where_the_home_agent_is_heard() -> None:
    one = movement()
    one.hear(said(), AGENT_A, NOW)
    at_home = said(HOME_AGENT, flags=AgentFlags.H, care_of=())
    assert one.hear(at_home, HOME_AGENT, NOW + 1) is Move.HOME
    assert one.at_home
    assert one.hear(at_home, HOME_AGENT, NOW + 2) is None
    assert one.hear(said(), AGENT_A, NOW + 2.5) is None
    assert one.hear(said(), AGENT_A, NOW + 20) is Move.FOUND


def test_a_node_searches_registers_where_it_is_and_comes_home() -> None:
    one = node(NodePolicy(lifetime_s=300))
    (ask,) = one.search(NOW).icmp
    assert ask.to == ALL_ROUTERS
    assert one.next_deadline() == NOW + 1
    assert one.receive_icmp(b"\x09junk", AGENT_A, NOW).events[0].__class__ is Dropped
    step = one.receive_icmp(said().to_bytes(), AGENT_A, NOW + 0.5)
    assert step.events == (AgentFound(AGENT_A, AGENT_A),)
    request = RegistrationRequest.from_bytes(step.replies[0].data)
    assert request.lifetime_s == 120, "no more than the agent advertises"
    step = one.receive_icmp(said(sequence=5).to_bytes(), AGENT_A, NOW + 4)
    step = one.receive_icmp(said(sequence=0).to_bytes(), AGENT_A, NOW + 5)
    assert step.events == (AgentRestarted(AGENT_A),)
    assert len(step.replies) == 1
    at_home = said(HOME_AGENT, flags=AgentFlags.H, care_of=()).to_bytes()
    step = one.receive_icmp(at_home, HOME_AGENT, NOW + 6)
    request = RegistrationRequest.from_bytes(step.replies[0].data)
    assert (request.care_of_address, request.lifetime_s) == (HOME, 0)
    step = one.tick(NOW + 9)
    assert AgentLost(HOME_AGENT) in step.events
    assert len(step.icmp) == 1


def test_solicitations_become_rarer() -> None:
    one = node()
    one.search(NOW)
    times = []
    while (at := one.next_deadline()) is not None and at < NOW + 300:
        times.append(at - NOW)
        one.tick(at)
    assert times == [1, 3, 7, 15, 31, 63, 127, 191, 255]
