from __future__ import annotations

from dataclasses import replace

import pytest

from netcont.measure.gaps import Counts, counts, longest_silence, silences
from netcont.measure.timeline import timeline
from netcont.model.samples import Arrival
from netcont.model.scenario import ClientKind

from .builders import (
    FROZEN,
    GIVEN_UP,
    PROBES_END,
    START,
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

TIMES = timeline(record())


def test_the_gap_of_a_survivor_lies_between_two_units() -> None:
    silence = longest_silence(udp(), TIMES, survived=True)
    assert silence is not None
    assert not silence.open_ended
    assert silence.start_s < FROZEN
    assert silence.end_s >= THAWED
    assert silence.length_s == pytest.approx(0.21, abs=0.011)


def test_a_longer_silence_before_the_pause_does_not_count() -> None:
    probe = udp(lost=(START + 1, START + 2))
    silence = longest_silence(probe, TIMES, survived=True)
    assert silence is not None
    assert silence.length_s == pytest.approx(0.01)


def test_a_connection_that_stays_silent_has_a_gap_to_the_end_of_the_observation() -> None:
    silence = longest_silence(echo(back_s=None, ended_s=GIVEN_UP), TIMES, survived=False)
    assert silence is not None
    assert silence.open_ended
    assert silence.end_s == GIVEN_UP


def test_a_broken_connection_has_a_gap_to_the_instant_of_its_error() -> None:
    client = echo(back_s=None, error="ECONNRESET", ended_s=104.5)
    silence = longest_silence(client, TIMES, survived=False)
    assert silence is not None
    assert silence.open_ended
    assert silence.end_s == 104.5


def test_a_silent_datagram_probe_has_a_gap_to_the_end_of_the_probing() -> None:
    silence = longest_silence(udp(lost=(FROZEN, GIVEN_UP)), TIMES, survived=False)
    assert silence is not None
    assert silence.end_s == PROBES_END


def test_the_gap_of_requests_reaches_from_answer_to_answer() -> None:
    client = request((*before_the_pause(), failed(103.0), failed(104.0), answered(105.0)))
    silence = longest_silence(client, TIMES, survived=True)
    assert silence is not None
    assert (silence.start_s, silence.end_s) == pytest.approx((102.575, 105.075))


def test_a_client_without_a_unit_has_no_gap() -> None:
    client = replace(bulk(ClientKind.TCP_BULK_UP), arrivals=())
    assert longest_silence(client, TIMES, survived=False) is None


def test_a_connection_that_ended_before_the_pause_has_no_gap() -> None:
    client = echo(back_s=None, error="ECONNRESET", ended_s=102.5)
    client = replace(client, arrivals=client.arrivals[:10])
    assert longest_silence(client, TIMES, survived=False) is None


def test_without_a_pause_gaps_count_from_the_first_phase_on() -> None:
    times = timeline(record(moved=move("rolled-back", frozen_s=None, thawed_s=None)))
    assert times.began_s == 101.0
    assert times.resumed_s == 101.0


def test_short_pauses_between_units_are_no_silences() -> None:
    assert silences([0.0, 0.02, 0.06], longer_than_s=0.03) == ((0.02, 0.06),)


def test_lost_duplicated_and_reordered_datagrams_are_counted() -> None:
    numbers = [0, 1, 1, 4, 3, 5, 3]
    arrivals = tuple(Arrival(n, START, START + i) for i, n in enumerate(numbers))
    probe = replace(udp(), arrivals=arrivals, sent=7)
    assert counts(probe) == Counts(lost=2, duplicated=2, reordered=1)


def test_loss_is_unknown_where_nobody_counted_what_was_sent() -> None:
    assert counts(replace(udp(), sent=None)).lost is None
    assert counts(replace(udp(), sent=3)).lost is None


def test_nothing_is_countable_for_tcp() -> None:
    assert counts(echo()) == Counts(None, None, None)
