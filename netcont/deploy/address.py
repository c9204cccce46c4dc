"""Addresses and prefixes as numbers: compared by the thousand, parsed once each. Pure."""

from __future__ import annotations

import socket
from functools import cache
from typing import NamedTuple

BITS = {4: 32, 6: 128}
NAMES = {4: "IPv4", 6: "IPv6"}


class Prefix(NamedTuple):
    """An address with a prefix length. family: 4 or 6. An address alone has all its bits. first,
    last: the lowest and the highest address of the prefix."""

    family: int
    address: int
    length: int
    first: int
    last: int

    @property
    def network(self) -> Prefix:
        """The prefix itself, without the host's bits."""
        return self._replace(address=self.first)

    @property
    def host(self) -> str:
        """The address as text, without the length; as the kernel's tools write it (RFC 5952)."""
        family = socket.AF_INET if self.family == 4 else socket.AF_INET6
        return socket.inet_ntop(family, self.address.to_bytes(BITS[self.family] // 8, "big"))

    def overlaps(self, other: Prefix) -> bool:
        """Whether they share an address."""
        return self.family == other.family and self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{self.host}/{self.length}"


@cache
def parsed(text: str) -> Prefix | None:
    """What "10.0.0.1", "10.0.0.1/24" or "2001:db8::/32" stands for; None if it is neither."""
    address, slash, length = text.partition("/")
    family, code = (6, socket.AF_INET6) if ":" in address else (4, socket.AF_INET)
    try:
        number = int.from_bytes(socket.inet_pton(code, address), "big")
    except (OSError, ValueError):
        return None
    bits = BITS[family]
    if not slash:
        return Prefix(family, number, bits, number, number)
    if length not in _LENGTHS or (size := int(length)) > bits:
        return None
    first = number >> (bits - size) << (bits - size)
    return Prefix(family, number, size, first, first + (1 << (bits - size)) - 1)


_LENGTHS = frozenset(str(length) for length in range(129))


def prefix_of(text: str) -> Prefix:
    """The same for a text that is known to be right."""
    found = parsed(text)
    assert found is not None, text
    return found


def canonical(text: str) -> str:
    """The text as the kernel's tools write it; what is no address stays as it is."""
    found = parsed(text)
    if found is None or found.family == 4:
        return text
    return str(found) if "/" in text else found.host


LINK_LOCAL = prefix_of("fe80::/10")
"""RFC 4291 §2.5.6."""


def is_link_local(text: str) -> bool:
    """Whether a text is an IPv6 address that has a meaning on one link only."""
    found = parsed(text)
    return found is not None and "/" not in text and found.overlaps(LINK_LOCAL)
