"""Stopping and starting what moves. So far: a namespace, the emulated VM.

Its processes are frozen by the kernel's cgroup v2 freezer (Documentation/admin-guide/cgroup-v2.rst,
"Core Interface Files") and its link is down meanwhile, so that the kernel half of it, which the
freezer does not reach, answers nobody either: it neither acknowledges nor retransmits.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from netcont.errors import MigrationError, PrerequisiteError

FREEZE_TIMEOUT_S = 5.0


class Guest(Protocol):
    """What can be moved: frozen at one site, thawed at the other."""

    def freeze(self) -> None:
        """Returns once nothing of the guest runs. Frozen twice is frozen."""

    def thaw(self) -> None:
        """Lets it run. Thawed twice is thawed."""


def cgroup_root() -> Path:
    """Where cgroup v2 is mounted. Raises PrerequisiteError if it is not, or has no freezer."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise PrerequisiteError(
        "no cgroup v2 file system is mounted; the guest is frozen with its freezer",
        remedy="mount -t cgroup2 none /sys/fs/cgroup  (a host with cgroup v1 only: boot with "
        "systemd.unified_cgroup_hierarchy=1, or use --lab vm)",
    )


class NamespaceGuest:
    """A cgroup of the guest's processes, with the guest's link.

    set_link(up) is the lab's. It should act on the far end of the guest's cable: taking the
    guest's own interface down would delete its routes. Leaving the context thaws the guest, puts
    its processes back where they came from and removes the cgroup; it ends none of them.
    """

    def __init__(
        self, name: str, set_link: Callable[[bool], None], root: Path | None = None
    ) -> None:
        self._set_link = set_link
        parent = cgroup_root() if root is None else root
        self.path = parent / name
        self._root = parent
        self._origins: dict[int, Path] = {}
        try:
            self.path.mkdir()
        except OSError as error:
            raise PrerequisiteError(
                f"cannot create the cgroup {self.path}: {error.strerror}",
                remedy=f"if no other run uses it: rmdir {self.path}"
                if isinstance(error, FileExistsError)
                else "run as root, or use --lab vm",
            ) from error
        if not (self.path / "cgroup.freeze").exists():
            self.path.rmdir()
            raise PrerequisiteError(
                f"the kernel's cgroup v2 at {parent} has no freezer",
                remedy="use Linux 5.2 or newer, or --lab vm",
            )
        # Kept open: the pause has no time for opening files.
        self._freeze = os.open(self.path / "cgroup.freeze", os.O_WRONLY | os.O_CLOEXEC)
        self._events = os.open(self.path / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)

    def add(self, pid: int) -> None:
        """Makes process pid, and what it starts from now on, part of the guest."""
        origin = _cgroup_of(pid, self._root)
        try:
            (self.path / "cgroup.procs").write_text(str(pid), encoding="ascii")
        except OSError as error:
            raise MigrationError(
                f"cannot put process {pid} into the guest's cgroup: {error.strerror}"
            ) from error
        if origin is not None and origin != self.path:
            self._origins[pid] = origin

    def freeze(self) -> None:
        """Freezes every process, takes the link down, and returns once all of them stand still.

        Raises MigrationError if they do not within five seconds.
        """
        os.write(self._freeze, b"1")
        self._set_link(False)
        self._wait_frozen()

    def thaw(self) -> None:
        """Brings the link up and lets the processes run."""
        self._set_link(True)
        os.write(self._freeze, b"0")

    @property
    def frozen(self) -> bool:
        """Whether every process stands still."""
        return b"frozen 1" in os.pread(self._events, 4096, 0)

    def _wait_frozen(self) -> None:
        poll = select.poll()
        # The kernel flags a change of cgroup.events as exceptional data.
        poll.register(self._events, select.POLLPRI)
        deadline = time.monotonic() + FREEZE_TIMEOUT_S
        while not self.frozen:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise MigrationError(
                    f"the guest did not freeze within {FREEZE_TIMEOUT_S} s",
                    phase="pause",
                    remedy=f"look for a process that the kernel holds in {self.path}/cgroup.procs",
                )
            poll.poll(left_s * 1000)

    def close(self) -> None:
        """Thaws the guest, empties the cgroup and removes it. Closing twice does nothing."""
        if self._freeze < 0:
            return
        os.write(self._freeze, b"0")
        self._empty()
        os.close(self._freeze)
        os.close(self._events)
        self._freeze = self._events = -1
        with contextlib.suppress(FileNotFoundError):
            self.path.rmdir()

    def _empty(self) -> None:
        home = next(iter(self._origins.values()), self._root)
        for _ in range(10):  # a process may start another while its siblings are moved
            pids = (self.path / "cgroup.procs").read_text(encoding="ascii").split()
            if not pids:
                return
            for pid in map(int, pids):
                _move(pid, (self._origins.get(pid, home), self._root))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _cgroup_of(pid: int, root: Path) -> Path | None:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("0::"):
            return root / line[4:].lstrip("/")
    return None


def _move(pid: int, homes: tuple[Path, ...]) -> None:
    """Puts pid into the first of homes that takes it; a process that has ended needs none."""
    for home in homes:
        try:
            (home / "cgroup.procs").write_text(str(pid), encoding="ascii")
        except ProcessLookupError:
            return
        except OSError:
            continue  # removed meanwhile, or it may hold no processes: the root always may
        return
