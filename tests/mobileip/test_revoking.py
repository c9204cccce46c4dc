"""Revocations hold for the registration that they are about, and for no later one."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from netcont.mobileip.revocation import Revocation, RevocationAck
from netcont.mobileip.revoking import ATTEMPTS, Revocations, not_older

from .machines import AGENT_A, AGENT_KEY, HOME, HOME_AGENT, NOW

ENDS = (HOME_AGENT, AGENT_A)


def start(one: Revocations, now: float) -> Revocation:
    datagram = one.start(HOME, ENDS, AGENT_A, AGENT_KEY, now, by_home=True)
    return Revocation.from_bytes(datagram.data)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from((0.0, 0.3, 2.0))), max_size=40))
def test_a_revocation_holds_for_every_stamp_before_it_and_for_none_after(
    steps: list[tuple[bool, float]],
) -> None:
    one, now = Revocations(), NOW
    stamps: list[int] = []
    identifiers: list[int] = []
    for is_stamp, passed_s in steps:
        now += passed_s
        if is_stamp:
            stamps.append(one.stamp(now))
            assert not any(not_older(before, stamps[-1]) for before in identifiers)
        else:
            identifiers.append(start(one, now).revocation_identifier)
            assert all(not_older(identifiers[-1], before) for before in stamps)


def test_clocks_of_32_bits_may_wrap() -> None:
    assert not_older(5, 2**32 - 5)
    assert not not_older(2**32 - 5, 5)


def test_it_is_repeated_ever_more_rarely_until_it_is_acknowledged_or_given_up() -> None:
    one = Revocations()
    identifier = start(one, NOW).revocation_identifier
    times = []
    while (at := one.next_deadline()) is not None:
        if one.retry(at):
            times.append(at - NOW)
    assert times == [1, 3, 7]
    assert len(times) == ATTEMPTS - 1
    assert len(one) == 0
    assert not one.acknowledged(RevocationAck(HOME, identifier), AGENT_A)


def test_only_the_right_peer_acknowledges() -> None:
    one = Revocations()
    ack = RevocationAck(HOME, start(one, NOW).revocation_identifier)
    assert not one.acknowledged(ack, IPv4Address("192.0.2.200"))
    assert len(one) == 1
    assert one.acknowledged(ack, AGENT_A)
    assert one.next_deadline() is None
