"""What a host has that a lab could leave behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def belongings(scratch: Path) -> dict[str, object]:
    """Everything of this machine and this process that must be as it was after a lab is gone."""
    return {
        "processes": sorted(children(os.getpid())),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "namespaces": namespaces(),
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "control groups": sorted(p.name for p in Path("/sys/fs/cgroup").glob("netcont*")),
        "scratch": sorted(p.name for p in scratch.iterdir()),
        "links": links(),
        "resolver": Path("/etc/resolv.conf").read_text(),
    }


def children(parent: int) -> list[str]:
    """Processes that parent started and that are not reaped."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.read_text().split(" ", 1)
        except OSError:
            continue
        name, _, fields = rest.rpartition(") ")
        if int(fields.split()[1]) == parent:
            found.append(f"{pid} {name})")
    return found


def namespaces() -> set[str]:
    """Every network namespace in which a process lives."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(str(link.readlink()))
        except OSError:
            continue
    return found


def links() -> list[str]:
    """The links of this process's own namespace, their state and addresses."""
    shown = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True)
    every = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    return every.stdout.splitlines() + shown.stdout.splitlines()
