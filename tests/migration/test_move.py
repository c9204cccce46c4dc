"""The way forward: two engines, two processes, loopback, real bytes."""

from __future__ import annotations

from netcont.model.scenario import Phase

from .harness import MEMORY_BYTES, Bench, serving_sites


def test_a_move_brings_every_byte_over_and_leaves_the_guest_at_b(stand: Bench) -> None:
    record = stand.run()
    assert (record.status, record.error) == ("moved", None)
    assert record.source_digest == record.destination_digest is not None
    assert serving_sites(stand.journal) == "B"
    assert stand.image_b.stat().st_size == MEMORY_BYTES


def test_the_phases_come_in_their_order_and_do_not_overlap(stand: Bench) -> None:
    record = stand.run()
    assert [span.phase for span in record.phases] == list(Phase)
    for earlier, later in zip(record.phases, record.phases[1:], strict=False):
        assert earlier.start_s <= earlier.end_s <= later.end_s
        assert earlier.end_s <= later.start_s + 0.05
    assert record.frozen_s is not None
    assert record.committed_s is not None
    assert record.thawed_s is not None
    assert record.frozen_s < record.committed_s <= record.thawed_s


def test_each_site_applies_its_half_in_order(stand: Bench) -> None:
    stand.run()
    lines = stand.lines()
    at = {letter: [line[2:] for line in lines if line.startswith(letter)] for letter in ("A", "B")}
    assert at["A"] == ["apply prepare", "freeze", "detach", "apply switch", "apply retire"]
    assert at["B"] == [
        "apply prepare",
        "apply switch",
        "attach",
        "apply resume",
        "thaw",
        "apply announce",
        "apply retire",
    ]
    assert lines.index("A apply switch") < lines.index("B attach")
    assert lines[-2:] == ["B apply retire", "A apply retire"]


def test_the_first_round_carries_everything_and_the_last_one_is_marked(stand: Bench) -> None:
    record = stand.run()
    assert record.rounds[0].bytes == MEMORY_BYTES
    assert [done.final for done in record.rounds] == [False] * (len(record.rounds) - 1) + [True]
    assert [done.number for done in record.rounds] == list(range(1, len(record.rounds) + 1))


def test_without_retire_the_old_path_stays(stand: Bench) -> None:
    record = stand.run(retire=False)
    assert record.status == "moved"
    assert "A apply retire" not in stand.lines()
