"""The cgroup freezer, the real one; skipped where this user may not make a cgroup."""

from __future__ import annotations

import mmap
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netcont.errors import MigrationError, PrerequisiteError
from netcont.migration import guest as guest_module
from netcont.migration.guest import NamespaceGuest, cgroup_root


def allowed() -> bool:
    try:
        probe = cgroup_root() / f"netcont-probe-{os.getpid()}"
        probe.mkdir()
        probe.rmdir()
    except (OSError, PrerequisiteError):
        return False
    return True


needs_cgroup = pytest.mark.skipif(not allowed(), reason="no cgroup may be created here")


@pytest.fixture
def counter() -> Iterator[tuple[int, mmap.mmap]]:
    """A process that counts as fast as it can, and the memory in which it does."""
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    pid = os.fork()
    if pid == 0:
        count = 0
        while True:
            count += 1
            memory[:8] = count.to_bytes(8, "little")
    yield pid, memory
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    memory.close()


def runs(memory: mmap.mmap, within_s: float = 10.0) -> bool:
    """Whether the counter counts; on a loaded machine it may have to wait for its turn."""
    before = memory[:8]
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if memory[:8] != before:
            return True
    return False


@needs_cgroup
def test_frozen_nothing_runs_and_the_link_is_down(counter: tuple[int, mmap.mmap]) -> None:
    pid, memory = counter
    link: list[bool] = []
    with NamespaceGuest(f"netcont-test-{os.getpid()}", link.append) as guest:
        guest.add(pid)
        guest.freeze()
        assert guest.frozen
        assert not runs(memory, within_s=0.1)
        guest.freeze()
        assert link == [False, False]
        guest.thaw()
        assert link[-1] is True
        assert runs(memory)


@needs_cgroup
def test_leaving_thaws_puts_back_and_removes(counter: tuple[int, mmap.mmap]) -> None:
    pid, memory = counter
    before = Path(f"/proc/{pid}/cgroup").read_text()
    with NamespaceGuest(f"netcont-test-{os.getpid()}", lambda up: None) as guest:
        guest.add(pid)
        guest.freeze()
    assert not guest.path.exists()
    assert Path(f"/proc/{pid}/cgroup").read_text() == before
    assert runs(memory)
    guest.close()


@needs_cgroup
def test_what_is_not_there_cannot_be_added() -> None:
    with (
        NamespaceGuest(f"netcont-test-{os.getpid()}", lambda up: None) as guest,
        pytest.raises(MigrationError, match="cannot put process 4194305"),
    ):
        guest.add(4194305)


@needs_cgroup
def test_a_name_that_is_taken_is_left_alone() -> None:
    name = f"netcont-test-{os.getpid()}"
    with NamespaceGuest(name, lambda up: None) as guest:
        with pytest.raises(PrerequisiteError, match="File exists") as caught:
            NamespaceGuest(name, lambda up: None)
        assert "rmdir" in caught.value.remedy
        assert guest.path.exists()


def test_a_host_without_cgroup_v2_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n"
    )
    monkeypatch.setattr(guest_module, "Path", lambda _: mounts)
    with pytest.raises(PrerequisiteError, match="no cgroup v2") as caught:
        cgroup_root()
    assert "mount -t cgroup2" in caught.value.remedy


def test_a_cgroup_without_a_freezer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="no freezer"):
        NamespaceGuest("guest", lambda up: None, root=tmp_path)
    assert not (tmp_path / "guest").exists()
