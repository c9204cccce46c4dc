"""The guest's memory: real bytes in a file, mapped by whoever writes, sends or receives them.

Which pages were written is the kernel's knowledge: its soft-dirty bits (Documentation/admin-guide/
mm/soft-dirty.rst) of the process that writes them. A kernel built without them
(CONFIG_MEM_SOFT_DIRTY) is served by hashes of the pages instead.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from netcont.errors import MigrationError, PrerequisiteError
from netcont.migration.wire import Run

PAGE_BYTES = mmap.PAGESIZE

_ENTRY_BYTES = 8
# Bit 55 of a pagemap entry: "pte is soft-dirty". It is the top bit of the entry's byte 6, counted
# as the little-endian machine lays it down.
_SOFT_DIRTY_BYTE = 6
_IS_DIRTY = bytes(128) + b"\1" * 128
_CLEAR_SOFT_DIRTY = b"4"


class MemoryImage:
    """A memory image of whole pages in a file, mapped shared. Close it when done."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.bytes = os.fstat(fd).st_size
        self.pages = self.bytes // PAGE_BYTES
        self._map = mmap.mmap(fd, self.bytes)
        self.view = memoryview(self._map)

    @classmethod
    def create(cls, path: Path, size_bytes: int) -> Self:
        """A new image of size_bytes, all of it reserved now: a full disk shows here, not later.

        Raises OSError (ENOSPC, EFBIG, EEXIST, …); nothing is left behind then, and a file that
        was there before is not touched.
        """
        if size_bytes <= 0 or size_bytes % PAGE_BYTES:
            raise MigrationError(
                f"a memory of {size_bytes} bytes is not made of pages of {PAGE_BYTES} bytes"
            )
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, size_bytes)
            return cls(path, fd)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(fd)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The image in an existing file. Raises OSError."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            return cls(path, fd)
        finally:
            os.close(fd)

    def slices(self, runs: Iterable[Run]) -> list[memoryview]:
        """The bytes of each run, not copied."""
        view = self.view
        return [view[first * PAGE_BYTES : (first + count) * PAGE_BYTES] for first, count in runs]

    def digest(self) -> str:
        """blake2b over the whole image, in hexadecimal."""
        return blake2b(self.view, digest_size=32).hexdigest()

    def close(self) -> None:
        """Unmaps the image; the file stays."""
        self.view.release()
        # After a failure somebody may still hold a slice; the map goes with the last of them.
        with contextlib.suppress(BufferError):
            self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class BackgroundDigest:
    """An image's digest, computed by a child that runs only when nothing else wants the CPU.

    fileno() becomes readable when the result is there.
    """

    def __init__(self, image: MemoryImage) -> None:
        self._fd, out = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _digest_and_exit(image, out)
        os.close(out)

    def fileno(self) -> int:
        """For select and poll."""
        return self._fd

    def result(self) -> str:
        """Waits for the digest. Raises MigrationError if the child died without one."""
        parts = []
        while part := os.read(self._fd, 4096):
            parts.append(part)
        os.close(self._fd)
        os.waitpid(self._pid, 0)
        digest = b"".join(parts).decode()
        if not digest:
            raise MigrationError("the process that hashed the memory image died")
        return digest


def _digest_and_exit(image: MemoryImage, out: int) -> None:
    try:
        # Hold nothing that others wait for: a lock on a record, the end of a report channel.
        os.closerange(3, out)
        os.closerange(out + 1, 65536)
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        os.write(out, image.digest().encode())
    finally:
        os._exit(0)


class DirtyLog(Protocol):
    """Which pages were written. A bitmap is one byte for each page: 1 written, 0 not."""

    name: str

    def start(self) -> None:
        """Everything written from now on will be reported."""

    def peek(self) -> bytes:
        """The pages written since start() or the last collect(). Changes nothing."""

    def collect(self) -> bytes:
        """As peek(), and starts anew. The writer must stand still meanwhile."""


class SoftDirtyLog:
    """The kernel's own log of one process's writes to an image that it has mapped shared.

    Raises PrerequisiteError if the kernel will not show pid's page map, MigrationError if pid has
    not mapped the image. A page that is swapped out loses its bit: use it where there is no swap.
    """

    name = "soft-dirty"

    def __init__(self, pid: int, image: MemoryImage) -> None:
        self._pages = image.pages
        self._offset = mapped_at(pid, image.path) // PAGE_BYTES * _ENTRY_BYTES
        try:
            self._pagemap = open(f"/proc/{pid}/pagemap", "rb", buffering=0)  # noqa: PTH123, SIM115
            self._refs = open(f"/proc/{pid}/clear_refs", "wb", buffering=0)  # noqa: PTH123, SIM115
        except OSError as error:
            raise PrerequisiteError(
                f"cannot read the page map of process {pid}: {error.strerror}",
                remedy="run as root, or as the user whose process it is",
            ) from error

    def start(self) -> None:
        """Clears the bits: one write fault a page follows, no copy."""
        self._refs.write(_CLEAR_SOFT_DIRTY)

    def peek(self) -> bytes:
        """One read and two passes in C, whatever the number of pages."""
        size = self._pages * _ENTRY_BYTES
        data = os.pread(self._pagemap.fileno(), size, self._offset)
        while len(data) < size:
            more = os.pread(self._pagemap.fileno(), size - len(data), self._offset + len(data))
            if not more:
                raise MigrationError("the process whose memory is being moved is gone")
            data += more
        return data[_SOFT_DIRTY_BYTE::_ENTRY_BYTES].translate(_IS_DIRTY)

    def collect(self) -> bytes:
        """Reads, then clears; what is written in between would be lost: hold the writer."""
        dirty = self.peek()
        self.start()
        return dirty

    def close(self) -> None:
        """Closes the kernel's files."""
        self._pagemap.close()
        self._refs.close()


class HashLog:
    """For kernels without soft-dirty bits: a page is dirty if its hash is not what it was.

    Reads the whole image each time. A page that was changed, sent and changed back to the byte
    between two looks would be missed; the digests compared after the move would show it.
    """

    name = "page hashes"

    def __init__(self, image: MemoryImage) -> None:
        self._image = image
        self._known: list[bytes] = []

    def start(self) -> None:
        """Hashes every page."""
        self._known = self._hashes()

    def peek(self) -> bytes:
        """Hashes every page and compares."""
        return self._compare(self._hashes())

    def collect(self) -> bytes:
        """As peek(), and remembers the new hashes."""
        now = self._hashes()
        dirty = self._compare(now)
        self._known = now
        return dirty

    def close(self) -> None:
        """Nothing to close."""

    def _hashes(self) -> list[bytes]:
        view = self._image.view
        return [
            blake2b(view[at : at + PAGE_BYTES], digest_size=16).digest()
            for at in range(0, self._image.bytes, PAGE_BYTES)
        ]

    def _compare(self, now: list[bytes]) -> bytes:
        return bytes(old != new for old, new in zip(self._known, now, strict=True))


def dirty_log(pid: int, image: MemoryImage) -> SoftDirtyLog | HashLog:
    """The best log that this kernel offers for process pid, which has mapped image."""
    return SoftDirtyLog(pid, image) if soft_dirty_works() else HashLog(image)


def soft_dirty_works() -> bool:
    """Whether the kernel keeps soft-dirty bits, found by looking: a fresh page has its bit set.

    A kernel without them accepts a write to clear_refs all the same, so that proves nothing.
    """
    fd = os.memfd_create("netcont-probe")
    try:
        os.ftruncate(fd, PAGE_BYTES)
        with mmap.mmap(fd, PAGE_BYTES) as page:
            page[0] = 1
            at = mapped_at(os.getpid(), Path(f"/proc/self/fd/{fd}"))
            pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
            try:
                entry = os.pread(pagemap, _ENTRY_BYTES, at // PAGE_BYTES * _ENTRY_BYTES)
            finally:
                os.close(pagemap)
    except (OSError, MigrationError):
        return False
    finally:
        os.close(fd)
    return len(entry) == _ENTRY_BYTES and entry[_SOFT_DIRTY_BYTE] >= 0x80


def mapped_at(pid: int, path: Path) -> int:
    """The address at which process pid has mapped the file. Raises MigrationError if nowhere."""
    inode = os.stat(path).st_ino  # noqa: PTH116 - follows /proc/self/fd links to a memfd as well
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MigrationError(f"process {pid} is gone: {error.strerror}") from error
    for line in maps.splitlines():
        fields = line.split(maxsplit=5)
        if fields[4] == str(inode) and fields[2] == "00000000":
            return int(fields[0].partition("-")[0], 16)
    raise MigrationError(f"process {pid} has not mapped {path}")


def runs_of(bitmap: bytes) -> list[Run]:
    """The runs of pages that are 1 in bitmap, ascending."""
    runs = []
    find = bitmap.find
    start = find(1)
    while start >= 0:
        end = find(0, start)
        if end < 0:
            end = len(bitmap)
        runs.append((start, end - start))
        start = find(1, end)
    return runs


def batches(runs: Iterable[Run], limit: int) -> Iterator[tuple[Run, ...]]:
    """runs cut into batches of limit pages, the last one perhaps smaller."""
    batch: list[Run] = []
    room = limit
    for first, count in runs:
        while count > 0:
            taken = min(room, count)
            batch.append((first, taken))
            first += taken
            count -= taken
            room -= taken
            if room == 0:
                yield tuple(batch)
                batch, room = [], limit
    if batch:
        yield tuple(batch)
