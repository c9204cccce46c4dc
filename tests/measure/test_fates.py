from __future__ import annotations

from dataclasses import replace

import pytest

from netcont.measure.fates import ENDINGS, verdict_of
from netcont.measure.timeline import timeline
from netcont.model.outcome import Fate
from netcont.model.scenario import ClientKind

from .builders import (
    FROZEN,
    GIVEN_UP,
    PROBES_END,
    answered,
    before_the_pause,
    bulk,
    echo,
    failed,
    move,
    program,
    record,
    request,
    udp,
)

TIMES = timeline(record())


@pytest.mark.parametrize(
    "client",
    [
        echo(),
        udp(),
        udp(ClientKind.UDP_DOWN),
        bulk(ClientKind.TCP_BULK_UP),
        bulk(ClientKind.TCP_BULK_DOWN),
        request(),
    ],
    ids=lambda client: str(client.kind),
)
def test_what_comes_through_to_the_end_survived(client: object) -> None:
    assert verdict_of(client, TIMES).fate is Fate.SURVIVED  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "client",
    [
        echo(back_s=None, ended_s=GIVEN_UP),
        echo(until_s=PROBES_END - 3),
        bulk(ClientKind.TCP_BULK_UP, back_s=None),
        udp(lost=(FROZEN, GIVEN_UP)),
        udp(lost=(PROBES_END - 3, GIVEN_UP)),
    ],
    ids=["echo", "echo that came back first", "bulk", "udp", "udp that came back first"],
)
def test_what_stays_silent_stalled(client: object) -> None:
    assert verdict_of(client, TIMES).fate is Fate.STALLED  # type: ignore[arg-type]


def test_a_sender_that_a_full_buffer_stopped_is_not_taken_for_alive() -> None:
    client = replace(echo(until_s=PROBES_END - 3), last_sent_s=PROBES_END - 2.9)
    assert verdict_of(client, TIMES).fate is Fate.STALLED


def test_long_round_trips_do_not_look_like_stalls() -> None:
    client = echo(delay_s=0.8, rtt_after_s=1.6)
    late = replace(client, arrivals=tuple(a for a in client.arrivals if a.received_s < PROBES_END))
    assert verdict_of(late, TIMES).fate is Fate.SURVIVED


@pytest.mark.parametrize("error", ENDINGS)
def test_an_error_decides_the_fate_of_a_connection(error: str) -> None:
    verdict = verdict_of(echo(back_s=None, error=error, ended_s=110.0), TIMES)
    assert (verdict.fate, verdict.errno) == (ENDINGS[error], error)


def test_a_reset_after_the_connection_had_come_back_is_a_reset() -> None:
    client = echo(error="ECONNRESET", ended_s=PROBES_END + 1)
    assert verdict_of(client, TIMES).fate is Fate.RESET


def test_an_error_after_the_observation_is_not_the_moves() -> None:
    client = echo(error="ECONNRESET", ended_s=GIVEN_UP + 1)
    assert verdict_of(client, TIMES).fate is Fate.SURVIVED


def test_an_error_that_no_fate_stands_for_gives_none_and_says_so() -> None:
    verdict = verdict_of(echo(error="EPERM", ended_s=110.0), TIMES)
    assert verdict.fate is None
    assert verdict.unknown_because == "ended by EPERM, which stands for no fate"


def test_a_disturbed_client_has_no_fate() -> None:
    verdict = verdict_of(udp(disturbed="its sender was late"), TIMES)
    assert (verdict.fate, verdict.unknown_because) == (None, "its sender was late")


def test_a_connection_that_never_stood_has_no_fate() -> None:
    client = replace(echo(), connected_s=None, arrivals=(), error="ECONNREFUSED")
    verdict = verdict_of(client, TIMES)
    assert verdict.fate is None
    assert verdict.unknown_because == "never connected (ECONNREFUSED)"


@pytest.mark.parametrize("kind", [ClientKind.UDP_UP, ClientKind.TCP_ECHO])
def test_a_probe_that_never_worked_has_no_fate(kind: ClientKind) -> None:
    client = replace(udp() if kind is ClientKind.UDP_UP else echo(), arrivals=())
    assert verdict_of(client, TIMES).unknown_because == "nothing came through before the move"


def test_nothing_survives_a_guest_that_never_ran_again() -> None:
    times = timeline(record(moved=move("failed", thawed_s=None)))
    assert verdict_of(echo(), times).fate is Fate.STALLED


def test_connections_survive_a_move_that_was_rolled_back() -> None:
    times = timeline(record(moved=move("rolled-back", frozen_s=None, thawed_s=None)))
    assert verdict_of(udp(lost=(0, 0)), times).fate is Fate.SURVIVED


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        ("ECONNREFUSED", Fate.REFUSED),
        ("ETIMEDOUT", Fate.TIMED_OUT),
        ("EOF", Fate.RESET),
        ("EAI_AGAIN", Fate.TIMED_OUT),
        ("EAI_NONAME", Fate.REFUSED),
    ],
)
def test_the_last_requests_decide(error: str, fate: Fate) -> None:
    good = tuple(answered(at_s) for at_s in (103.5, 104.0, 104.5))
    bad = tuple(failed(at_s, error) for at_s in (106.0, 107.0, 108.0))
    assert verdict_of(request((*before_the_pause(), *good, *bad)), TIMES).fate is fate
    assert verdict_of(request((*before_the_pause(), *bad, *good)), TIMES).fate is fate
    later = tuple(answered(at_s) for at_s in (109.0, 109.5, 110.0))
    survivor = request((*before_the_pause(), *bad, *later))
    assert verdict_of(survivor, TIMES).fate is Fate.SURVIVED


def test_one_lost_request_at_the_end_breaks_nobody() -> None:
    attempts = (*before_the_pause(), answered(104.0), answered(104.5), failed(105.0))
    assert verdict_of(request(attempts), TIMES).fate is Fate.SURVIVED


def test_a_client_that_found_the_guest_again_at_last_survived() -> None:
    attempts = (*before_the_pause(), *(failed(103.0 + n) for n in range(7)), answered(110.0))
    assert verdict_of(request(attempts), TIMES).fate is Fate.SURVIVED


def test_requests_that_were_never_answered_or_never_made_have_no_fate() -> None:
    assert verdict_of(request((failed(101.0), answered(105.0))), TIMES).fate is None
    assert verdict_of(request(before_the_pause()), TIMES).fate is None


@pytest.mark.parametrize(
    ("code", "output", "fate"),
    [
        (0, "Connection refused, then it worked", Fate.SURVIVED),
        (56, "curl: (56) Recv failure: Connection reset by peer", Fate.RESET),
        (52, "curl: (52) Empty reply from server", Fate.RESET),
        (28, "curl: (28) Operation timed out after 5000 ms", Fate.TIMED_OUT),
        (7, "curl: (7) Failed to connect to server port 80: Connection refused", Fate.REFUSED),
        (2, "server closed the connection unexpectedly", Fate.RESET),
        (255, "Timeout, server server.lab.test not responding.", Fate.TIMED_OUT),
        (255, "Connection to 10.1.0.10 closed by remote host.", Fate.RESET),
        (1, "ssh: connect to host 10.1.0.10 port 22: No route to host", Fate.TIMED_OUT),
        (None, "", Fate.STALLED),
        (3, "", None),
    ],
)
def test_a_program_is_judged_by_exit_code_and_words(
    code: int | None, output: str, fate: Fate | None
) -> None:
    assert verdict_of(program(code, output), TIMES).fate is fate


def test_a_program_that_ended_before_the_move_tells_nothing() -> None:
    verdict = verdict_of(program(0, ended_s=FROZEN - 1), TIMES)
    assert (verdict.fate, verdict.unknown_because) == (None, "the program ended before the move")
