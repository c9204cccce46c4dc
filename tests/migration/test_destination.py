"""The destination against peers that are strange, wrong or broken."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from netcont.migration import wire
from netcont.migration.link import ConnectionLostError, Link, PeerRefusedError, connect
from netcont.migration.memory import PAGE_BYTES
from netcont.migration.move import EngineProcess, Move
from netcont.migration.phases import Side, State
from netcont.migration.record import last_state, read_record

from .harness import MEMORY_BYTES, Bench, serving_sites

PAGES = MEMORY_BYTES // PAGE_BYTES
DATA = memoryview(b"\xaa" * (wire.MAX_BATCH_PAGES * PAGE_BYTES))


@contextmanager
def listening(stand: Bench) -> Iterator[tuple[EngineProcess, int]]:
    engine, port = stand.start_destination()
    try:
        yield engine, port
    finally:
        engine.close()


@contextmanager
def peer(stand: Bench, port: int, *, prepare: bool = True) -> Iterator[Link]:
    link = connect(("127.0.0.1", port), 2.0, time.monotonic)
    link.queue(wire.Hello(stand.setup(Side.SOURCE, port).wire_run_id, PAGE_BYTES, PAGES))
    if prepare:
        link.send(wire.Prepare())
        link.expect(wire.Prepared)
    try:
        yield link
    finally:
        link.close()


def send_pages(link: Link, number: int, *runs: wire.Run) -> None:
    frame = wire.Pages(number, runs)
    link.queue(frame, [DATA[: frame.pages * PAGE_BYTES]])
    link.flush()


def assert_gave_up(stand: Bench) -> None:
    deadline = time.monotonic() + 5
    while stand.image_b.exists() or "B undo" not in stand.lines():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert last_state(read_record(stand.folder / "b.record")) is State.ROLLED_BACK
    assert "B attach" not in stand.lines()


def test_strangers_at_the_port_do_not_disturb_the_move(stand: Bench) -> None:
    destination, port = stand.start_destination()
    for greeting in (b"GET / HTTP/1.1\r\n\r\n", b"", b"\x01\0\0"):
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(greeting)
    other = connect(("127.0.0.1", port), 2.0, time.monotonic)
    other.send(wire.Hello(b"another run's id", PAGE_BYTES, PAGES))
    with pytest.raises(PeerRefusedError, match="another move"):
        other.receive()
    other.close()
    move = Move(stand.start_source(port), destination)
    record = move.run(time.monotonic, time.monotonic() + 10)
    move.close()
    assert record.status == "moved"
    assert serving_sites(stand.journal) == "B"


def test_a_commit_before_every_page_came_is_refused(stand: Bench) -> None:
    with listening(stand) as (_, port), peer(stand, port) as link:
        send_pages(link, 1, (0, PAGES - 1))
        link.send(wire.RoundEnd(1, PAGES - 1))
        assert link.expect(wire.RoundEnd) == wire.RoundEnd(1, PAGES - 1)
        link.send(wire.Paused(1.0))
        link.send(wire.Commit(2, 0))
        with pytest.raises(PeerRefusedError, match="1 pages never came"):
            link.receive()
        assert_gave_up(stand)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (wire.RoundEnd(1, 5), "ended round 1 after 5 pages; round 1 had 0 here"),
        (wire.RoundEnd(2, 0), "ended round 2"),
        (wire.Commit(1, 0), "Commit in state copy"),
        (wire.Retire(), "Retire in state copy"),
        (wire.Hello(b"0" * 16, 1, 1), "Hello in state copy"),
    ],
)
def test_what_is_not_due_ends_the_move(stand: Bench, frame: wire.Frame, says: str) -> None:
    with listening(stand) as (_, port), peer(stand, port) as link:
        link.send(frame)
        with pytest.raises(PeerRefusedError, match=says):
            link.receive()
        assert_gave_up(stand)


@pytest.mark.parametrize(
    ("number", "run", "says"),
    [(1, (PAGES - 1, 2), f"sent page {PAGES} of {PAGES}"), (2, (0, 1), "round 2 in round 1")],
)
def test_pages_that_belong_nowhere_are_not_written(
    stand: Bench, number: int, run: wire.Run, says: str
) -> None:
    with listening(stand) as (_, port), peer(stand, port) as link:
        send_pages(link, number, run)
        with pytest.raises(PeerRefusedError, match=says):
            link.receive()
        assert_gave_up(stand)


def test_who_is_asked_before_committing_aborts_and_never_commits(stand: Bench) -> None:
    with listening(stand) as (_, port):
        with peer(stand, port, prepare=False) as link:
            link.send(wire.Status())
            assert link.expect(wire.StatusReply) == wire.StatusReply(committed=False)
        assert_gave_up(stand)
        with peer(stand, port, prepare=False) as late:
            late.send(wire.Prepare())
            with pytest.raises(PeerRefusedError, match="Prepare in state rolled-back"):
                late.receive()
        with peer(stand, port, prepare=False) as link:
            link.send(wire.Status())
            assert not link.expect(wire.StatusReply).committed


def test_a_source_that_says_nothing_is_given_up(stand: Bench) -> None:
    with listening(stand) as (_, port), peer(stand, port) as link:
        with pytest.raises((PeerRefusedError, ConnectionLostError)):
            link.receive()
        assert_gave_up(stand)


def test_nobody_there_is_said_with_the_address(stand: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionLostError, match=f"127.0.0.1:{port}: Connection refused"):
        connect(("127.0.0.1", port), 0.2, time.monotonic)
