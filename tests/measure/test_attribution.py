from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcont.measure import attribution
from netcont.measure.verdict import judge
from netcont.model.outcome import ClientOutcome, Fate, Gap
from netcont.model.samples import ClientRecord, MoveRecord
from netcont.model.scenario import ClientKind, Place, Scenario

from .builders import (
    DELAY,
    FROZEN,
    GIVEN_UP,
    NEW,
    OLD,
    PROBES_END,
    THAWED,
    answered,
    before_the_pause,
    bulk,
    echo,
    failed,
    move,
    record,
    request,
    udp,
)

LOST_TO = THAWED + 0.3  # the network needed 0.3 s after the resume
WITNESSES = (
    udp(ClientKind.UDP_UP, lost=(FROZEN, LOST_TO)),
    udp(ClientKind.UDP_DOWN, lost=(FROZEN, LOST_TO)),
)


def first(
    *clients: ClientRecord, new_address: str = OLD, moved: MoveRecord | None = None
) -> ClientOutcome:
    """The outcome of the first client of a run."""
    run = judge(Scenario(), record(*clients, new_address=new_address, moved=moved))
    return run.clients[0]


def total(gap: Gap) -> float:
    """All known parts together."""
    return math.fsum(attribution.parts(gap))


@pytest.mark.parametrize("kind", [ClientKind.UDP_UP, ClientKind.UDP_DOWN])
def test_a_datagram_gap_is_the_pause_and_the_convergence(kind: ClientKind) -> None:
    client = first(udp(kind, lost=(FROZEN, LOST_TO)))
    assert client.gap.freeze_s == pytest.approx(0.2, abs=1e-6)
    assert client.gap.convergence_s == pytest.approx(0.3, abs=0.02)
    assert client.gap.backoff_s is None
    assert total(client.gap) == pytest.approx(client.longest_gap_s)


def test_the_pause_is_seen_one_delay_later_at_the_client() -> None:
    """A path longer than the pause: the client's gap begins after the guest ran again."""
    client = first(udp(ClientKind.UDP_DOWN, delay_s=0.3))
    assert client.gap.freeze_s == pytest.approx(0.2, abs=1e-6)
    assert client.gap.convergence_s == pytest.approx(0.01, abs=1e-3)


def test_what_tcp_waited_longer_than_the_network_is_back_off() -> None:
    client = first(echo(back_s=104.4), *WITNESSES)
    assert client.fate is Fate.SURVIVED
    assert client.gap.freeze_s == pytest.approx(0.2, abs=1e-6)
    assert client.gap.convergence_s == pytest.approx(0.3, abs=0.03)
    assert client.gap.backoff_s == pytest.approx(0.9, abs=0.06)
    assert client.gap.lost_state_s is None
    assert total(client.gap) == pytest.approx(client.longest_gap_s)


def test_bulk_needs_the_witness_of_its_own_direction_only() -> None:
    down = first(bulk(ClientKind.TCP_BULK_DOWN, back_s=104.0), WITNESSES[1])
    assert down.gap.backoff_s is not None
    up = first(bulk(ClientKind.TCP_BULK_UP, back_s=104.0), WITNESSES[1])
    assert (up.gap.convergence_s, up.gap.backoff_s) == (None, None)


def test_an_echo_needs_witnesses_of_both_directions() -> None:
    client = first(echo(back_s=104.4), WITNESSES[0])
    assert client.gap.freeze_s == pytest.approx(0.2, abs=1e-6)
    assert (client.gap.convergence_s, client.gap.backoff_s) == (None, None)


def test_witnesses_at_another_place_say_nothing() -> None:
    client = first(echo(Place.AT_B, back_s=104.4), *WITNESSES)
    assert client.gap.convergence_s is None


def test_a_disturbed_witness_says_nothing() -> None:
    witnesses = (WITNESSES[0], udp(ClientKind.UDP_DOWN, disturbed="late"))
    assert first(echo(back_s=104.4), *witnesses).gap.convergence_s is None


def test_a_broken_connection_lost_its_state_when_the_network_worked_again() -> None:
    client = first(echo(back_s=None, error="ECONNRESET", ended_s=105.0), *WITNESSES)
    assert client.fate is Fate.RESET
    assert client.gap.convergence_s == pytest.approx(0.3, abs=0.03)
    assert client.gap.backoff_s is None
    assert client.gap.lost_state_s == pytest.approx(105.0 - LOST_TO, abs=0.06)
    assert total(client.gap) == pytest.approx(client.longest_gap_s)


def test_without_a_network_that_came_back_all_the_rest_is_lost_state() -> None:
    dead = udp(lost=(FROZEN, GIVEN_UP))
    client = first(echo(back_s=None, ended_s=GIVEN_UP), dead)
    assert client.fate is Fate.STALLED
    assert client.gap.convergence_s is None
    assert client.gap.lost_state_s == pytest.approx(GIVEN_UP - THAWED, abs=0.1)
    assert total(client.gap) == pytest.approx(client.longest_gap_s)
    probe = first(dead)
    assert probe.gap.lost_state_s == pytest.approx(PROBES_END - THAWED, abs=0.02)
    assert total(probe.gap) == pytest.approx(probe.longest_gap_s)


def stale_requests() -> ClientRecord:
    """Three attempts at the address that the guest had left, then one at the new one."""
    attempts = (failed(103.0), failed(104.0), failed(105.0), answered(106.0, NEW))
    return request((*before_the_pause(), *attempts))


def test_requests_to_the_address_that_was_left_are_stale_dns() -> None:
    client = first(stale_requests(), new_address=NEW)
    assert client.fate is Fate.SURVIVED
    assert client.gap.freeze_s == pytest.approx(0.2, abs=1e-6)
    # Seen at the client, the guest runs one delay later; the last attempt failed at 106.0.
    assert client.gap.stale_dns_s == pytest.approx(106.0 - THAWED - DELAY)
    assert client.gap.backoff_s is None


def test_an_address_that_is_kept_is_never_stale() -> None:
    assert first(stale_requests()).gap.stale_dns_s is None


def test_a_guest_that_was_rolled_back_kept_its_address() -> None:
    client = first(stale_requests(), new_address=NEW, moved=move("rolled-back"))
    assert client.gap.stale_dns_s is None


def test_requests_that_never_find_the_guest_again_are_stale_to_their_end() -> None:
    attempts = (*before_the_pause(), *(failed(103.0 + n) for n in range(8)))
    client = first(request(attempts), new_address=NEW)
    assert client.fate is Fate.TIMED_OUT
    assert client.gap.stale_dns_s == pytest.approx(111.0 - THAWED - DELAY)
    # What is left is the time between the last answer and the pause: the probe's own spacing.
    assert client.gap.lost_state_s == pytest.approx(0.45)
    assert total(client.gap) == pytest.approx(client.longest_gap_s)


def test_without_a_pause_there_is_no_freeze() -> None:
    rolled_back = move("rolled-back", frozen_s=None, thawed_s=None)
    assert first(udp(), moved=rolled_back).gap.freeze_s is None


def test_a_guest_that_never_ran_again_is_paused_to_the_end_of_the_gap() -> None:
    client = first(udp(lost=(FROZEN, GIVEN_UP)), moved=move("failed", thawed_s=None))
    assert client.gap.freeze_s == pytest.approx(PROBES_END - FROZEN)


instants = st.floats(min_value=0, max_value=5).map(lambda value: round(THAWED + value, 3))


@settings(max_examples=60, deadline=None)
@given(back_s=st.none() | instants, lost_to_s=instants, ended_s=st.none() | instants)
def test_parts_are_never_negative_and_sum_to_the_gap(
    back_s: float | None, lost_to_s: float, ended_s: float | None
) -> None:
    error = None if ended_s is None else "ETIMEDOUT"
    clients = (
        echo(back_s=back_s, error=error, ended_s=ended_s),
        bulk(ClientKind.TCP_BULK_UP, back_s=back_s),
        bulk(ClientKind.TCP_BULK_DOWN, back_s=back_s),
        udp(ClientKind.UDP_UP, lost=(FROZEN, lost_to_s)),
        udp(ClientKind.UDP_DOWN, lost=(FROZEN, lost_to_s)),
        request(
            (
                *before_the_pause(),
                failed(102.9, took_s=lost_to_s - 102.9),
                *([answered(back_s + 0.5)] if back_s is not None else []),
            )
        ),
    )
    for new_address in (OLD, NEW):
        run = judge(Scenario(), record(*clients, new_address=new_address))
        for client in run.clients:
            assert client.longest_gap_s is not None
            assert all(part >= 0 for part in attribution.parts(client.gap))
            assert total(client.gap) == pytest.approx(client.longest_gap_s)
