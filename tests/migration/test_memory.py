"""The image, its pages, and who notices that they were written."""

from __future__ import annotations

import os
import resource
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.errors import MigrationError
from netcont.migration.memory import (
    PAGE_BYTES,
    BackgroundDigest,
    DirtyLog,
    HashLog,
    MemoryImage,
    SoftDirtyLog,
    batches,
    dirty_log,
    mapped_at,
    runs_of,
    soft_dirty_works,
)
from netcont.migration.workload import fill

PAGES = 32


@pytest.fixture
def image(tmp_path: Path) -> MemoryImage:
    image = MemoryImage.create(tmp_path / "image", PAGES * PAGE_BYTES)
    fill(image, seed=7)
    return image


@given(st.lists(st.booleans(), max_size=200))
def test_runs_name_exactly_the_dirty_pages(dirty: list[bool]) -> None:
    runs = runs_of(bytes(dirty))
    named = [page for first, count in runs for page in range(first, first + count)]
    assert named == [page for page, is_dirty in enumerate(dirty) if is_dirty]
    for (first, count), (later, _) in pairwise(runs):
        assert first + count < later, "two runs that are one"


@given(st.lists(st.booleans(), max_size=400), st.integers(1, 64))
def test_batches_lose_nothing_and_are_full_but_for_the_last(dirty: list[bool], limit: int) -> None:
    runs = runs_of(bytes(dirty))
    cut = list(batches(runs, limit))
    pages = [page for batch in cut for first, n in batch for page in range(first, first + n)]
    assert pages == [page for first, n in runs for page in range(first, first + n)]
    sizes = [sum(n for _, n in batch) for batch in cut]
    assert all(size == limit for size in sizes[:-1])
    assert all(0 < size <= limit for size in sizes)


def logs(image: MemoryImage) -> list[DirtyLog]:
    """Both ways; the kernel's only where it has one."""
    found: list[DirtyLog] = [HashLog(image)]
    if soft_dirty_works():
        found.append(SoftDirtyLog(os.getpid(), image))
    return found


def test_a_log_reports_what_was_written_and_forgets_it_when_collected(image: MemoryImage) -> None:
    for log in logs(image):
        log.start()
        assert log.peek() == bytes(PAGES)
        for page, value in ((3, 1), (4, 1), (31, 1)):
            at = page * PAGE_BYTES + 17
            image.view[at] = image.view[at] ^ value
        assert runs_of(log.peek()) == [(3, 2), (31, 1)]
        assert runs_of(log.collect()) == [(3, 2), (31, 1)]
        assert log.peek() == bytes(PAGES)


def test_the_kernels_bit_is_read_where_the_kernel_puts_it(
    image: MemoryImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit 55 of each entry and no other, whatever else an entry says."""
    dirty, clean = 1 << 55, (2**64 - 1) ^ (1 << 55)
    entries = [dirty if page in {0, 9, 31} else clean for page in range(PAGES)]
    pagemap = tmp_path / "pagemap"
    pagemap.write_bytes(b"".join(entry.to_bytes(8, "little") for entry in entries))
    log = SoftDirtyLog(os.getpid(), image)
    with pagemap.open("rb", buffering=0) as file:
        monkeypatch.setattr(log, "_pagemap", file)
        monkeypatch.setattr(log, "_offset", 0)
        assert runs_of(log.peek()) == [(0, 1), (9, 1), (31, 1)]
    monkeypatch.undo()
    log.close()


def test_the_log_that_is_chosen_is_one_that_works(image: MemoryImage) -> None:
    log = dirty_log(os.getpid(), image)
    assert log.name == ("soft-dirty" if soft_dirty_works() else "page hashes")
    log.close()


def test_a_process_that_has_not_mapped_the_image_is_refused(image: MemoryImage) -> None:
    with pytest.raises(MigrationError, match=r"has not mapped .*image"):
        mapped_at(os.getppid(), image.path)
    image.close()
    with pytest.raises(MigrationError, match="has not mapped"):
        mapped_at(os.getpid(), image.path)


def test_a_digest_in_the_background_is_the_digest(image: MemoryImage) -> None:
    assert BackgroundDigest(image).result() == image.digest()
    before = image.digest()
    image.view[5] ^= 1
    assert image.digest() != before


def test_creating_reserves_everything_or_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "image"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * PAGE_BYTES, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            MemoryImage.create(path, 4 * PAGE_BYTES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not path.exists()
    with MemoryImage.create(path, 4 * PAGE_BYTES):
        assert path.stat().st_blocks * 512 >= 4 * PAGE_BYTES


@pytest.mark.parametrize("size", [0, -4096, 4097])
def test_a_size_that_is_not_made_of_pages_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(MigrationError, match="not made of pages"):
        MemoryImage.create(tmp_path / "image", size)
