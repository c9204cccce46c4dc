"""What writes the memory: determined by its seed, at its rate, and obedient."""

from __future__ import annotations

import time
import zlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from netcont.migration.memory import PAGE_BYTES, MemoryImage
from netcont.migration.workload import Pattern, Workload, fill, process_state

PAGES = 64


def image_of(path: Path, seed: int = 1) -> MemoryImage:
    image = MemoryImage.create(path, PAGES * PAGE_BYTES)
    fill(image, seed)
    return image


def until_changed(path: Path, before: bytes) -> bytes:
    deadline = time.monotonic() + 5
    while (now := path.read_bytes()) == before:
        assert time.monotonic() < deadline, "the workload does not write"
        time.sleep(0.005)
    return now


@given(st.integers(1, 5000))
def test_every_page_of_the_working_set_is_written_before_any_again(pages: int) -> None:
    pattern = Pattern(1, pages)
    stride = pattern.write(1)[0] if pages > 1 else 0
    assert len({count * stride % pages for count in range(pages)}) == pages
    assert all(0 <= pattern.write(count)[0] < pages for count in (0, 1, pages, 10**9))


def test_no_two_writes_are_equal_and_each_is_a_whole_page() -> None:
    pattern = Pattern(3, 10)
    written = [pattern.write(count)[1] for count in range(5000)]
    assert len(set(written)) == len(written)
    assert {len(data) for data in written} == {PAGE_BYTES}


def test_the_initial_memory_follows_from_the_seed(tmp_path: Path) -> None:
    first, again, other = (
        image_of(tmp_path / name, seed).digest() for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again != other


def test_no_page_is_empty_or_like_another_and_none_compresses(tmp_path: Path) -> None:
    data = image_of(tmp_path / "a").path.read_bytes()
    pages = [data[at : at + PAGE_BYTES] for at in range(0, len(data), PAGE_BYTES)]
    assert len(set(pages)) == PAGES
    assert all(len(zlib.compress(page)) > 0.99 * PAGE_BYTES for page in pages)


def test_it_writes_inside_its_working_set_only(tmp_path: Path) -> None:
    image = image_of(tmp_path / "a")
    before = bytes(image.view)
    workload = Workload(image, seed=1, rate_bytes_per_s=1e6, working_set_bytes=8 * PAGE_BYTES)
    try:
        until_changed(image.path, before)
    finally:
        workload.stop()
    assert bytes(image.view[8 * PAGE_BYTES :]) == before[8 * PAGE_BYTES :]


def test_held_it_stands_still_and_remapped_it_goes_on_elsewhere(tmp_path: Path) -> None:
    old, new = image_of(tmp_path / "old"), image_of(tmp_path / "new")
    workload = Workload(old, seed=1, rate_bytes_per_s=1e6, working_set_bytes=8 * PAGE_BYTES)
    try:
        until_changed(old.path, bytes(new.view))
        workload.hold()
        assert process_state(workload.pid) == "T"
        held = bytes(old.view)
        time.sleep(0.05)
        assert bytes(old.view) == held
        workload.remap(new.path)
        workload.release()
        until_changed(new.path, bytes(new.view))
        old_now = bytes(old.view)
        time.sleep(0.05)
        assert bytes(old.view) == old_now
    finally:
        workload.stop()


def test_a_rate_of_zero_writes_nothing_and_stop_ends_the_process(tmp_path: Path) -> None:
    image = image_of(tmp_path / "a")
    before = image.digest()
    workload = Workload(image, seed=1, rate_bytes_per_s=0, working_set_bytes=PAGE_BYTES)
    time.sleep(0.05)
    workload.hold()
    workload.stop()
    assert image.digest() == before
    assert process_state(workload.pid) == "X"
    workload.release()  # nobody is there any more: nothing happens
