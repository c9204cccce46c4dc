"""Which kernel this is: what was changed in one boot and namespace lives as long as that."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/thread-self/ns/net")
_SO_NETNS_COOKIE = 71


def kernel_origin() -> str:
    """A name of this boot and this network namespace that no others have, fit for a file."""
    boot = _BOOT.read_text().strip()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            cookie = one.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
        except OSError:
            # Before Linux 5.14; inode numbers are given again, but rarely.
            return f"{boot}.inode{_NAMESPACE.stat().st_ino}"
    return f"{boot}.{int.from_bytes(cookie, sys.byteorder)}"


def boot_of(origin: str) -> str:
    """The boot of an origin."""
    return origin.partition(".")[0]
