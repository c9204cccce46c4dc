"""The commit record: what was synced is found again, what was torn is not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from netcont.errors import MigrationError
from netcont.migration.phases import Side, State
from netcont.migration.record import Entry, Record, has_committed, last_state, read_record
from netcont.migration.recover import Due, due


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "record"


def write(path: Path, *states: State, side: Side = Side.DESTINATION) -> None:
    with Record(path, "run", side, lambda: 1.5) as record:
        for state in states:
            record.write(state)


def test_what_was_written_is_read(path: Path) -> None:
    with Record(path, "run", Side.SOURCE, lambda: 2.5) as record:
        record.write(State.PREPARE)
        record.write(State.ROLLED_BACK, "the network was cut")
    assert read_record(path) == (
        Entry("run", Side.SOURCE, State.PREPARE, 2.5),
        Entry("run", Side.SOURCE, State.ROLLED_BACK, 2.5, "the network was cut"),
    )


def test_no_file_is_no_entry(path: Path) -> None:
    assert read_record(path) == ()
    assert last_state(()) is None


def test_a_torn_last_line_never_happened_wherever_it_was_torn(path: Path) -> None:
    write(path, State.PREPARE, State.COPY)
    whole = path.read_bytes()
    write(path, State.RESUME)
    committed = path.read_bytes()
    for length in range(len(whole), len(committed)):
        path.write_bytes(committed[:length])
        assert last_state(read_record(path)) is State.COPY
        assert not has_committed(read_record(path))
    path.write_bytes(committed)
    assert has_committed(read_record(path))


def test_after_a_torn_line_the_next_one_is_whole(path: Path) -> None:
    write(path, State.PREPARE)
    with path.open("ab") as file:
        file.write(b'{"run_id": "ru')
    write(path, State.ROLLED_BACK)
    assert [entry.state for entry in read_record(path)] == [State.PREPARE, State.ROLLED_BACK]


def test_damage_in_the_middle_is_not_passed_over(path: Path) -> None:
    write(path, State.PREPARE, State.COPY)
    path.write_bytes(b"?" + path.read_bytes())
    with pytest.raises(MigrationError, match="line 1 of the commit record"):
        read_record(path)


def test_two_engines_cannot_hold_one_record(path: Path) -> None:
    with (
        Record(path, "run", Side.SOURCE, lambda: 0.0),
        pytest.raises(MigrationError, match="still alive"),
    ):
        Record(path, "run", Side.SOURCE, lambda: 0.0)
    Record(path, "run", Side.SOURCE, lambda: 0.0).close()


@pytest.mark.parametrize(("run", "side"), [("other", Side.DESTINATION), ("run", Side.SOURCE)])
def test_the_record_of_another_is_not_continued(path: Path, run: str, side: Side) -> None:
    write(path, State.PREPARE)
    with pytest.raises(MigrationError, match="is the record of the destination of run run"):
        Record(path, run, side, lambda: 0.0)


def test_what_could_not_be_synced_is_not_found_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the engine would abort, and a recovery would find a commit."""

    def refuse(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with Record(path, "run", Side.DESTINATION, lambda: 0.0) as record:
        record.write(State.SWITCH)
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="Input/output"):
            record.write(State.RESUME)
        monkeypatch.undo()
    assert not has_committed(read_record(path))


@pytest.mark.parametrize(
    ("side", "state", "what"),
    [
        (Side.SOURCE, None, Due.ROLL_BACK),
        (Side.SOURCE, State.PREPARE, Due.ROLL_BACK),
        (Side.SOURCE, State.COPY, Due.ROLL_BACK),
        (Side.SOURCE, State.PAUSE, Due.ROLL_BACK),
        (Side.SOURCE, State.SWITCH, Due.ROLL_BACK),
        (Side.SOURCE, State.COMMITTING, Due.ASK),
        (Side.SOURCE, State.UNSURE, Due.ASK),
        (Side.SOURCE, State.SETTLE, Due.COMPLETE),
        (Side.SOURCE, State.RETIRE, Due.COMPLETE),
        (Side.SOURCE, State.MOVED, Due.NOTHING),
        (Side.SOURCE, State.ROLLED_BACK, Due.NOTHING),
        (Side.DESTINATION, None, Due.ROLL_BACK),
        (Side.DESTINATION, State.COPY, Due.ROLL_BACK),
        (Side.DESTINATION, State.SWITCH, Due.ROLL_BACK),
        (Side.DESTINATION, State.RESUME, Due.COMPLETE),
        (Side.DESTINATION, State.ROLLED_BACK, Due.NOTHING),
    ],
)
def test_what_is_due_after_a_kill(path: Path, side: Side, state: State | None, what: Due) -> None:
    if state is not None:
        write(path, state, side=side)
    assert due(side, read_record(path)) is what


def test_what_is_due_after_the_commit_is_never_to_go_back(path: Path) -> None:
    write(path, State.SWITCH, State.RESUME, State.ANNOUNCE, State.SETTLE)
    assert due(Side.DESTINATION, read_record(path)) is Due.COMPLETE
    write(path, State.MOVED)
    assert due(Side.DESTINATION, read_record(path)) is Due.NOTHING
