"""What writes the guest's memory: a process that dirties pages of a working set at a set rate.

What it writes, where and in which order follows from the seed alone. It belongs to the guest:
it lives in the guest's cgroup and freezes with it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from hashlib import shake_128
from math import gcd
from pathlib import Path

from netcont.errors import MigrationError
from netcont.migration.memory import PAGE_BYTES, MemoryImage

TICK_S = 0.02

_COUNTER = struct.Struct("<Q")
_INITIAL = 1 << 63
_FILL_PAGES = 64
_HOLD_TIMEOUT_S = 1.0
_STOP = b"stop"
_REMAP = b"remap "


class Pattern:
    """The bytes that a guest with this seed has in its memory and writes to it.

    Every page is a window into one block of pseudo-random bytes with a counter in front, so no
    two writes are equal: a page that was missed is always seen.
    """

    def __init__(self, seed: int, working_set_pages: int) -> None:
        self._block = shake_128(b"netcont memory %d" % seed).digest(2 * PAGE_BYTES)
        self._pages = working_set_pages
        # Visits every page of the working set before any a second time, not in their order.
        self._stride = next(
            step
            for step in range(int(working_set_pages * 0.618) | 1, 2 * working_set_pages + 2)
            if gcd(step, working_set_pages) == 1
        )

    def page(self, rotation: int, counter: int) -> bytes:
        """4 KiB that depend on the seed and on both numbers."""
        start = rotation % PAGE_BYTES
        return _COUNTER.pack(counter) + self._block[start + _COUNTER.size : start + PAGE_BYTES]

    def write(self, count: int) -> tuple[int, bytes]:
        """Where the write number count (from 0) goes, and its bytes."""
        return count * self._stride % self._pages, self.page(count * 67, count + 1)

    def initial(self, first: int, pages: int) -> bytes:
        """What pages first … first + pages - 1 hold before the first write."""
        return b"".join(
            [self.page(number * 131, _INITIAL | number) for number in range(first, first + pages)]
        )


def fill(image: MemoryImage, seed: int) -> None:
    """Writes the initial content of the whole image."""
    pattern = Pattern(seed, 1)
    for first in range(0, image.pages, _FILL_PAGES):
        pages = min(_FILL_PAGES, image.pages - first)
        at = first * PAGE_BYTES
        image.view[at : at + pages * PAGE_BYTES] = pattern.initial(first, pages)


class Workload:
    """The process that dirties an image; this is its handle, usable in forked children too.

    rate_bytes_per_s is rounded to whole pages over time; the working set is the image's first
    working_set_bytes. Time during which the process stood still is not made up for.
    """

    def __init__(
        self,
        image: MemoryImage,
        *,
        seed: int,
        rate_bytes_per_s: float,
        working_set_bytes: int,
    ) -> None:
        pages = min(max(working_set_bytes // PAGE_BYTES, 1), image.pages)
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self._channel.close()
            _work_and_exit(image.path, theirs, Pattern(seed, pages), rate_bytes_per_s)
        theirs.close()
        self._wait_until_mapped()

    def _wait_until_mapped(self) -> None:
        if not self._channel.recv(16):
            os.waitpid(self.pid, 0)
            raise MigrationError("the guest's workload could not map the memory image")

    def hold(self, *, wait: bool = True) -> None:
        """Stops the process; with wait returns once it stands still.

        Without wait it may still run for a moment: for a guest that is being frozen anyhow, it
        makes that it does not run again when the guest does. Raises MigrationError if it does not
        stop within a second.
        """
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGSTOP)
        if wait:
            wait_until_stopped(self.pid, time.monotonic)

    def release(self) -> None:
        """Lets a held process go on."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def remap(self, path: Path) -> None:
        """Makes the process go on in the image at path, from its next tick on."""
        with contextlib.suppress(OSError):  # a workload that has ended has nothing to remap
            self._channel.send(_REMAP + os.fsencode(path))

    def stop(self) -> None:
        """Ends the process and waits for it. Only where it was started."""
        with contextlib.suppress(OSError):
            self._channel.send(_STOP)
        self._channel.close()
        self.release()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def wait_until_stopped(pid: int, clock: Callable[[], float]) -> None:
    """Returns once process pid is stopped or gone; the kernel offers no event for strangers."""
    deadline = clock() + _HOLD_TIMEOUT_S
    while process_state(pid) not in "TtZX":
        if clock() > deadline:
            raise MigrationError(f"process {pid} did not stop within {_HOLD_TIMEOUT_S} s")
        # Gives the CPU to it: with one CPU it stops as soon as it runs.
        time.sleep(0.0001)


def process_state(pid: int) -> str:
    """The kernel's letter for what process pid does ("T": stopped); "X" if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return "X"
    return chr(stat[stat.rindex(b")") + 2])


def _work_and_exit(
    path: Path, channel: socket.socket, pattern: Pattern, rate_bytes_per_s: float
) -> None:
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it stops it
        _work(path, channel, pattern, rate_bytes_per_s * TICK_S / PAGE_BYTES)
    finally:
        os._exit(0)


def _work(path: Path, channel: socket.socket, pattern: Pattern, pages_per_tick: float) -> None:
    memory = _map(path)
    channel.send(b"mapped")
    start = time.monotonic()
    tick = ran = written = 0
    while True:
        wait_s = start + (tick + 1) * TICK_S - time.monotonic()
        if select.select([channel], [], [], max(wait_s, 0.0))[0]:
            message = channel.recv(4096)
            if not message.startswith(_REMAP):
                return  # told to stop, or nobody is left who could tell
            memory.close()
            memory = _map(Path(os.fsdecode(message[len(_REMAP) :])))
            continue
        # Skips the ticks during which the guest stood still, and stays on the grid.
        tick = max(tick + 1, int((time.monotonic() - start) / TICK_S))
        ran += 1
        due = int(ran * pages_per_tick)
        for count in range(written, due):
            page, data = pattern.write(count)
            at = page * PAGE_BYTES
            memory[at : at + PAGE_BYTES] = data
        written = due


def _map(path: Path) -> mmap.mmap:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return mmap.mmap(fd, 0)
    finally:
        os.close(fd)
