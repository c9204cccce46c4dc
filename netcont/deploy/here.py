"""The network namespace that this process is in: what a deployment acts on."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netcont.kernel.namespace import Namespace

NODE = "host"

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SO_NETNS_COOKIE = 71
_CAP_NET_ADMIN = 12


class Here(Namespace):
    """A namespace that needs no entering, and so no privilege to be read."""

    def __init__(self) -> None:
        super().__init__(NODE, os.getpid())

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is here already."""
        yield


def origin() -> str:
    """A name of this boot and this network namespace that no others have, fit for a file."""
    boot = _BOOT.read_text().strip()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            cookie = one.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
        except OSError:
            # Before Linux 5.14; inode numbers are given again, but rarely.
            return f"{boot}.inode{Path('/proc/self/ns/net').stat().st_ino}"
    return f"{boot}.{int.from_bytes(cookie, sys.byteorder)}"


def boot_of(name: str) -> str:
    """The boot of an origin."""
    return name.partition(".")[0]


def may_change() -> bool:
    """Whether this process has CAP_NET_ADMIN."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_NET_ADMIN & 1)
    return False
