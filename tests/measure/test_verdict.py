from __future__ import annotations

from dataclasses import replace

import pytest

from netcont.measure.verdict import judge
from netcont.model.outcome import Fate, Status
from netcont.model.samples import MoveRecord
from netcont.model.scenario import ClientKind, Expect, Network, Path, Phase, Place, Scenario

from .builders import FROZEN, NEW, echo, move, program, record, request, udp

SCENARIO = Scenario()


def test_a_clean_move_is_ok_and_tells_its_figures() -> None:
    run = judge(SCENARIO, record(echo(), udp()))
    assert run.status is Status.OK
    assert run.errors == ()
    assert run.downtime_s == pytest.approx(0.2)
    assert run.migration_s == pytest.approx(1.7)
    assert run.bytes_moved == 17 * 2**20
    assert run.memory_equal is True
    assert run.rounds == 2
    assert run.floor_s == pytest.approx(8 * 2**20 / 160e6 + 0.025)


def test_broken_connections_are_a_result_and_not_a_failed_run() -> None:
    client = echo(back_s=None, error="ECONNRESET", ended_s=105.0)
    run = judge(SCENARIO, record(client, approach="readdress", new_address=NEW))
    assert run.status is Status.OK
    assert run.clients[0].fate is Fate.RESET
    assert run.clients[0].evidence.errno == "ECONNRESET"


@pytest.mark.parametrize(
    ("moved", "status"),
    [
        (move(destination_digest="other"), Status.FAILED),
        (move(destination_digest=None), Status.PARTIAL),
        (move("rolled-back"), Status.ROLLED_BACK),
        (move("failed", thawed_s=None, error="B is gone"), Status.FAILED),
        (move("vanished"), Status.FAILED),
    ],
    ids=["memory differs", "memory not compared", "rolled back", "failed", "unknown"],
)
def test_the_status_follows_the_move(moved: MoveRecord, status: Status) -> None:
    assert judge(SCENARIO, record(udp(), moved=moved)).status is status


def test_a_disturbed_client_makes_the_run_partial_and_prints_no_number() -> None:
    run = judge(SCENARIO, record(udp(disturbed="its sender was late")))
    client = run.clients[0]
    assert run.status is Status.PARTIAL
    assert run.errors == ("udp-up@remote could not tell its fate: its sender was late",)
    assert client.evidence.disturbed == "its sender was late"
    told = (client.fate, client.longest_gap_s, client.lost, client.duplicated, client.reordered)
    assert told == (None,) * 5


def test_a_rolled_back_move_has_no_floor_no_migration_time_and_no_stretch() -> None:
    run = judge(SCENARIO, record(echo(), moved=move("rolled-back")))
    assert (run.floor_s, run.migration_s, run.path_stretch) == (None, None, None)
    assert run.clients[0].floor_s is None
    assert run.clients[0].fate is Fate.SURVIVED


def test_the_path_stretch_compares_with_the_direct_path() -> None:
    scenario = Scenario(network=Network(clients_b=Path(delay_s=0.020, reverse_delay_s=0.030)))
    run = judge(scenario, record(echo(rtt_after_s=0.1), echo(Place.AT_B, rtt_after_s=0.01)))
    assert run.path_stretch == pytest.approx(2.0)
    assert run.clients[0].rtt_before_s == pytest.approx(0.05)
    assert run.clients[0].rtt_after_s == pytest.approx(0.1)
    assert judge(scenario, record(udp())).path_stretch is None


def test_instants_count_from_the_start_of_the_clients() -> None:
    run = judge(SCENARIO, record(echo()))
    copy = next(span for span in run.phases if span.phase is Phase.COPY)
    assert (copy.start_s, copy.end_s) == pytest.approx((1.5, 3.0))
    evidence = run.clients[0].evidence
    assert evidence.last_before_s == pytest.approx(3.0, abs=0.06)
    assert evidence.first_after_s == pytest.approx(3.225)


def test_what_did_not_go_on_has_no_first_unit_afterwards() -> None:
    evidence = judge(SCENARIO, record(echo(back_s=None))).clients[0].evidence
    assert evidence.first_after_s is None
    assert evidence.last_before_s is not None


def test_a_disturbed_clock_is_noted() -> None:
    notes = judge(SCENARIO, record(udp(), host_reads=4)).notes
    assert any("4 file requests left the lab" in note for note in notes)


def test_a_connection_that_died_before_the_pause_is_noted() -> None:
    client = echo(back_s=None, error="ECONNRESET", ended_s=FROZEN - 0.5)
    notes = judge(SCENARIO, record(client)).notes
    assert notes == ("tcp-echo@remote lost its connection before the pause (ECONNRESET)",)


def test_a_programs_last_words_are_kept() -> None:
    client = judge(SCENARIO, record(program(7, "x" * 5000 + "Connection refused"))).clients[0]
    assert client.fate is Fate.REFUSED
    assert client.evidence.exit_code == 7
    assert client.evidence.output is not None
    assert len(client.evidence.output) == 2000
    assert client.evidence.output.endswith("refused")


def test_the_same_record_gives_the_same_run() -> None:
    left = judge(SCENARIO, record(echo(), udp(), request()))
    assert left == judge(SCENARIO, record(echo(), udp(), request()))


def test_an_empty_record_is_judged_without_an_error() -> None:
    empty = replace(move("failed", thawed_s=None, frozen_s=None), phases=(), rounds=())
    run = judge(SCENARIO, record(moved=empty))
    assert run.status is Status.FAILED
    assert (run.bytes_moved, run.rounds, run.downtime_s) == (None, None, None)


@pytest.mark.parametrize(
    ("expect", "sentence"),
    [
        (Expect(max_broken={"ipip": 0}), "1 connection broke (tcp-echo@remote stalled)"),
        (Expect(max_gap_s={"ipip": 0.5}), "the longest gap of tcp-echo@remote was 1208"),
        (Expect(max_downtime_s={"ipip": 0.1}), "the downtime was 0.200 s"),
    ],
)
def test_missed_thresholds_are_sentences(expect: Expect, sentence: str) -> None:
    run = judge(Scenario(expect=expect), record(echo(back_s=None)))
    assert len(run.missed) == 1
    assert sentence in run.missed[0]


def test_thresholds_that_are_met_or_meant_for_others_say_nothing() -> None:
    met = Expect(max_broken={"ipip": 0}, max_gap_s={"ipip": 0.5}, max_downtime_s={"ipip": 0.3})
    assert judge(Scenario(expect=met), record(echo(), udp())).missed == ()
    others = Expect(max_broken={"gre": 0}, max_gap_s={"gre": 0}, max_downtime_s={"gre": 0})
    assert judge(Scenario(expect=others), record(echo(back_s=None))).missed == ()


def test_what_is_not_known_does_not_meet_a_threshold() -> None:
    expect = Expect(max_broken={"ipip": 0}, max_gap_s={"ipip": 9}, max_downtime_s={"ipip": 9})
    lost = record(udp(ClientKind.UDP_UP, disturbed="late"), moved=move("failed", thawed_s=None))
    missed = judge(Scenario(expect=expect), lost).missed
    assert len(missed) == 3
    assert all("not known" in sentence for sentence in missed)
