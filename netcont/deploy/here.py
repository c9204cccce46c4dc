"""The network namespace that this process is in: what a deployment acts on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netcont.kernel.namespace import Namespace

NODE = "host"

_CAP_NET_ADMIN = 12
_FIRST = Path("/proc/1/ns/net")


class Here(Namespace):
    """A namespace that needs no entering, and so no privilege to be read."""

    def __init__(self) -> None:
        super().__init__(NODE, os.getpid())

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is here already."""
        yield


def may_change() -> bool:
    """Whether this process has CAP_NET_ADMIN."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_NET_ADMIN & 1)
    return False


def is_host() -> bool:
    """Whether this is the network namespace of this machine's first process, in which services
    are, and which a reboot brings back."""
    try:
        return _FIRST.samefile("/proc/self/ns/net")
    except PermissionError:
        return True  # whoever may not know it is in no other
