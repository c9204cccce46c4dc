"""Whatever fails, and whenever: exactly one copy serves, and nothing is left of the other."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable

import pytest

from netcont.migration.phases import Side, State
from netcont.migration.site import COMMIT_SENT, END, RECORDED, START, Hook
from netcont.migration.workload import process_state
from netcont.model.samples import MoveRecord
from netcont.model.scenario import Phase

from .harness import MEMORY_BYTES, Bench, Relay, serving_sites


def at(phase: Phase, edge: str, act: Callable[[], None]) -> Hook:
    """A hook that acts at one edge."""

    def hook(seen: Phase, seen_edge: str) -> None:
        if (seen, seen_edge) == (phase, edge):
            act()

    return hook


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stand_still() -> None:
    """Stopped for longer than anybody waits, then continued."""
    if os.fork() == 0:
        time.sleep(0.4)
        os.kill(os.getppid(), signal.SIGCONT)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGSTOP)


def assert_stayed(stand: Bench, record: MoveRecord) -> None:
    assert record.status == "rolled-back", record
    assert record.error
    assert serving_sites(stand.journal) == "A"
    assert not stand.image_b.exists(), "garbage is left at B"
    assert process_state(stand.workload.pid) not in "Tt", "the guest's memory is held for ever"
    assert process_state(stand.guest_pid) not in "Tt", "the guest is frozen for ever"


def assert_moved(stand: Bench, record: MoveRecord) -> None:
    assert record.status == "moved", record
    assert serving_sites(stand.journal) == "B"
    assert (stand.folder / "a.img").read_bytes() == stand.image_b.read_bytes()
    assert record.source_digest == record.destination_digest is not None
    assert process_state(stand.guest_pid) not in "Tt", "the guest is frozen for ever"


BEFORE_AT_SOURCE = [
    (Phase.PREPARE, START),
    (Phase.PREPARE, END),
    (Phase.COPY, START),
    (Phase.COPY, END),
    (Phase.PAUSE, START),
    (Phase.PAUSE, END),
    (Phase.SWITCH, START),
]
AFTER_AT_SOURCE = [
    (Phase.SWITCH, COMMIT_SENT),
    (Phase.SETTLE, START),
    (Phase.SETTLE, END),
    (Phase.RETIRE, START),
]
BEFORE_AT_DESTINATION = [
    (Phase.PREPARE, START),
    (Phase.PREPARE, END),
    (Phase.COPY, START),
    (Phase.COPY, END),
    (Phase.SWITCH, START),
]
AFTER_AT_DESTINATION = [
    (Phase.SWITCH, RECORDED),
    (Phase.RESUME, START),
    (Phase.RESUME, END),
    (Phase.ANNOUNCE, START),
    (Phase.ANNOUNCE, END),
    (Phase.SETTLE, START),
    (Phase.RETIRE, START),
]


@pytest.mark.parametrize(("phase", "edge"), BEFORE_AT_SOURCE)
def test_source_killed_before_the_commit(stand: Bench, phase: Phase, edge: str) -> None:
    stand.hooks = {Side.SOURCE: at(phase, edge, die)}
    assert_stayed(stand, stand.run())


@pytest.mark.parametrize(("phase", "edge"), AFTER_AT_SOURCE)
def test_source_killed_after_it_sent_the_commit(stand: Bench, phase: Phase, edge: str) -> None:
    stand.hooks = {Side.SOURCE: at(phase, edge, die)}
    assert_moved(stand, stand.run())
    assert "A apply retire" in stand.lines()


@pytest.mark.parametrize(("phase", "edge"), BEFORE_AT_DESTINATION)
def test_destination_killed_before_its_record(stand: Bench, phase: Phase, edge: str) -> None:
    stand.hooks = {Side.DESTINATION: at(phase, edge, die)}
    assert_stayed(stand, stand.run())


@pytest.mark.parametrize(("phase", "edge"), AFTER_AT_DESTINATION)
def test_destination_killed_after_its_record(stand: Bench, phase: Phase, edge: str) -> None:
    stand.hooks = {Side.DESTINATION: at(phase, edge, die)}
    assert_moved(stand, stand.run())
    assert "B apply retire" in stand.lines()


def test_both_engines_killed_at_the_commit(stand: Bench) -> None:
    stand.hooks = {
        Side.SOURCE: at(Phase.SWITCH, COMMIT_SENT, die),
        Side.DESTINATION: at(Phase.SWITCH, RECORDED, die),
    }
    assert_moved(stand, stand.run())


def test_source_killed_and_nobody_recovers_it(stand: Bench) -> None:
    """B cleans up by itself; the guest stays fenced rather than run unwatched."""
    stand.hooks = {Side.SOURCE: at(Phase.SWITCH, START, die)}
    stand.recovers = False
    record = stand.run(retire=False)
    assert record.status == "failed"
    assert "the engine of the source died" in (record.error or "")
    assert serving_sites(stand.journal) == ""
    assert not stand.image_b.exists()


@pytest.mark.parametrize(("phase", "edge"), BEFORE_AT_SOURCE[2:])
def test_source_stopped_before_the_commit(stand: Bench, phase: Phase, edge: str) -> None:
    stand.hooks = {Side.SOURCE: at(phase, edge, stand_still)}
    assert_stayed(stand, stand.run())


@pytest.mark.parametrize(
    ("phase", "edge"), [(Phase.SWITCH, RECORDED), (Phase.RESUME, END), (Phase.ANNOUNCE, END)]
)
def test_destination_stopped_after_its_record(stand: Bench, phase: Phase, edge: str) -> None:
    stand.hooks = {Side.DESTINATION: at(phase, edge, stand_still)}
    assert_moved(stand, stand.run())


@pytest.mark.parametrize(
    ("phase", "edge"),
    [
        (Phase.PREPARE, START),
        (Phase.COPY, START),
        (Phase.COPY, END),
        (Phase.PAUSE, END),
        (Phase.SWITCH, START),
    ],
)
def test_wan_cut_before_the_commit_and_mended(stand: Bench, phase: Phase, edge: str) -> None:
    stand.relay = Relay(0.6)
    stand.hooks = {Side.SOURCE: at(phase, edge, stand.relay.cut)}
    assert_stayed(stand, stand.run(retire=False))


@pytest.mark.parametrize(("phase", "edge"), [(Phase.PREPARE, START), (Phase.COPY, START)])
def test_wan_cut_for_good_before_the_pause(stand: Bench, phase: Phase, edge: str) -> None:
    stand.relay = Relay(None)
    stand.hooks = {Side.SOURCE: at(phase, edge, stand.relay.cut)}
    assert_stayed(stand, stand.run(retire=False))


@pytest.mark.parametrize(("phase", "edge"), [(Phase.PAUSE, END), (Phase.SWITCH, START)])
def test_wan_cut_for_good_under_the_commit(stand: Bench, phase: Phase, edge: str) -> None:
    """The source cannot know whether COMMIT arrived: without an answer its copy stays fenced."""
    stand.relay = Relay(None)
    stand.hooks = {Side.SOURCE: at(phase, edge, stand.relay.cut)}
    stand.give_up_s = 0.2
    record = stand.run(retire=False)
    assert record.status == "failed"
    assert "never said" in (record.error or "")
    assert serving_sites(stand.journal) == ""
    assert not stand.image_b.exists()


def test_wan_cut_between_commit_and_answer(stand: Bench) -> None:
    stand.relay = Relay(0.6)
    stand.hooks = {Side.DESTINATION: at(Phase.SWITCH, RECORDED, stand.relay.cut)}
    assert_moved(stand, stand.run())


def test_wan_cut_for_good_after_the_commit(stand: Bench) -> None:
    """The source never hears of it, and never runs its copy: B alone serves."""
    stand.relay = Relay(None)
    stand.hooks = {Side.DESTINATION: at(Phase.SWITCH, RECORDED, stand.relay.cut)}
    stand.give_up_s = 0.2
    record = stand.run(retire=False)
    assert record.status == "moved"
    assert "never said" in (record.error or "")
    assert record.source_digest is None
    assert serving_sites(stand.journal) == "B"


def test_destination_out_of_disk(stand: Bench) -> None:
    limit = MEMORY_BYTES // 2
    stand.enter = {
        Side.DESTINATION: lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    }
    record = stand.run()
    assert_stayed(stand, record)
    assert "File too large" in (record.error or "")


def test_a_file_that_is_in_the_way_at_b_is_neither_used_nor_removed(stand: Bench) -> None:
    stand.image_b.write_text("somebody else's")
    record = stand.run()
    assert record.status == "rolled-back"
    assert "File exists" in (record.error or "")
    assert stand.image_b.read_text() == "somebody else's"


@pytest.mark.parametrize(
    ("side", "action"),
    [
        (Side.SOURCE, "apply prepare"),
        (Side.SOURCE, "freeze"),
        (Side.SOURCE, "detach"),
        (Side.SOURCE, "apply switch"),
        (Side.DESTINATION, "apply prepare"),
        (Side.DESTINATION, "apply switch"),
    ],
)
def test_an_action_that_fails_before_the_commit(stand: Bench, side: Side, action: str) -> None:
    stand.fails = {side: frozenset({action})}
    record = stand.run()
    assert_stayed(stand, record)
    assert f"no room for {action}" in (record.error or "")
    assert {"A undo", "B undo"} <= set(stand.lines())


def test_a_guest_that_cannot_be_resumed_at_b_does_not_go_back(stand: Bench) -> None:
    """B wrote the commit record: that is final. A stays fenced, and B's memory is kept."""
    stand.fails = {Side.DESTINATION: frozenset({"attach"})}
    record = stand.run(retire=False)
    assert record.status == "failed"
    assert "cannot be resumed at B" in (record.error or "")
    assert serving_sites(stand.journal) == ""
    assert stand.image_b.exists()


def test_a_guest_that_cannot_be_announced_has_moved_all_the_same(stand: Bench) -> None:
    stand.fails = {Side.DESTINATION: frozenset({"apply announce"})}
    with stand.start() as move:
        assert_moved(stand, move.run(time.monotonic, time.monotonic() + 10))
        assert any("could not be announced" in note for note in move.story.notes)


def test_a_way_back_that_fails_says_so_and_leaves_the_guest_fenced(stand: Bench) -> None:
    stand.fails = {Side.SOURCE: frozenset({"apply switch", "reattach"})}
    with stand.start() as move:
        record = move.run(time.monotonic, time.monotonic() + 10)
        assert move.story.state(Side.SOURCE) is State.FAILED
    assert record.status == "failed"
    assert "cannot be brought back" in (record.error or "")
    assert serving_sites(stand.journal) == ""
