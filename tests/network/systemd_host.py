"""A host whose first process is a real systemd: in a node's network namespace, with processes,
mounts and control groups of its own."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from netcont.kernel.namespace import Namespace

SYSTEMD = Path("/lib/systemd/systemd")
LIMIT_S = 7200.0
"""Of the lab's time, which jumps while programs are read from the host."""

# What a host's services wait for. The rest of a distribution's units have no work here.
_TARGETS = ("sysinit", "basic", "multi-user", "network-online", "shutdown", "final", "umount")

# Nothing of what it mounts is seen outside.
_BOOT = """
mount --make-rprivate /
mount -n -t tmpfs run /run
mount -n -t proc proc /proc
umount -n -l /sys/fs/cgroup
mount -n -t cgroup2 cgroup /sys/fs/cgroup
echo "$3" > /run/boot_id
mount -n --bind /run/boot_id /proc/sys/kernel/random/boot_id
export container=netcont SYSTEMD_UNIT_PATH="$1"
exec "$2" --unit=multi-user.target --log-target=console --log-level=notice --show-status=no
"""


@dataclass(frozen=True)
class SystemdHost:
    """pid: its first process, as the lab sees it."""

    pid: int

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a program there."""
        entered = ["nsenter", "-t", str(self.pid), "-m", "-n", "-p", "-C", "--", *command]
        return subprocess.run(entered, capture_output=True, text=True, check=False)

    def sh(self, script: str) -> str:
        """What a shell script prints, and its errors; its exit code does not matter."""
        done = self.run("/bin/sh", "-c", script)
        return done.stdout + done.stderr

    def wait(self, script: str, words: str) -> str:
        """Runs a script again and again until it prints these words."""
        began = time.monotonic()
        while words not in (said := self.sh(script)):
            assert time.monotonic() - began < LIMIT_S, said
            time.sleep(1)
        return said


@contextmanager
def systemd_host(
    node: Namespace, directory: Path, units: Mapping[str, str], wanted: tuple[str, ...] = ()
) -> Iterator[SystemdHost]:
    """Boots, which the kernel says to be another boot each time; the host is gone after the block.

    units: by their files' names; wanted: those that multi-user.target starts.
    """
    path = directory / "units"
    boot = str(uuid.uuid4())
    (path / "multi-user.target.wants").mkdir(parents=True)
    for name in _TARGETS:
        (path / f"{name}.target").write_text(f"[Unit]\nDescription={name}\n")
    (path / "multi-user.target").write_text("[Unit]\nRequires=basic.target\nAfter=basic.target\n")
    for name, text in units.items():
        (path / name).write_text(text)
    for name in wanted:
        template = name.replace(name.partition("@")[2], ".service") if "@" in name else name
        (path / "multi-user.target.wants" / name).symlink_to(path / template)
    words = ["nsenter", f"--net=/proc/{node.pid}/ns/net", "unshare", "--mount", "--pid", "--fork"]
    words += ["--uts", "--cgroup", "--kill-child", "/bin/sh", "-ec", _BOOT, "sh"]
    with (directory / "systemd.log").open("w") as log:
        process = subprocess.Popen([*words, str(path), str(SYSTEMD), boot], stdout=log, stderr=log)
        try:
            yield SystemdHost(_first_process(process))
        finally:
            process.kill()
            process.wait()
            print((directory / "systemd.log").read_text())


def _first_process(process: subprocess.Popen[bytes]) -> int:
    """Of the new namespace, once it is systemd."""
    began = time.monotonic()
    while time.monotonic() - began < LIMIT_S:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
        assert process.poll() is None
        time.sleep(0.1)
    raise AssertionError("systemd did not start")
