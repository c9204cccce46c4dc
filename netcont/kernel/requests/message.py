"""One request to rtnetlink(7), packed with struct alone."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from functools import singledispatch
from typing import Any

from netcont.model.plan import Change, is_ipv6

Message = tuple[int, int, bytes]
"""Type, flags beside those of every request, body."""

Indices = Callable[[str], int]
"""The index of a link that is there, by its name."""

REPLACE, EXCLUSIVE, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800
"""NLM_F_…"""

NEW = CREATE | EXCLUSIVE

_NESTED = 0x8000  # NLA_F_NESTED


def attribute(kind: int, value: bytes) -> bytes:
    """A value with its number and length before it, padded to a multiple of four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nested(kind: int, value: bytes) -> bytes:
    """Attributes within one."""
    return attribute(kind | _NESTED, value)


def number(kind: int, value: int) -> bytes:
    """32 bits, in the machine's order."""
    return attribute(kind, struct.pack("=I", value))


def byte(kind: int, value: int) -> bytes:
    """8 bits."""
    return attribute(kind, struct.pack("=B", value))


def text(kind: int, value: str) -> bytes:
    """A text with a zero at its end."""
    return attribute(kind, value.encode() + b"\0")


def packed(address: str) -> bytes:
    """An address of either family."""
    return socket.inet_pton(family(address), address)


def mac(address: str) -> bytes:
    """An Ethernet address."""
    return bytes.fromhex(address.replace(":", ""))


def family(address: str) -> int:
    """AF_INET or AF_INET6."""
    return socket.AF_INET6 if is_ipv6(address) else socket.AF_INET


def prefix(value: str) -> tuple[int, int, bytes]:
    """Family, length and address of a prefix; "default" is IPv4's, an address that of a host."""
    address, _, length = ("0.0.0.0/0" if value == "default" else value).partition("/")
    octets = packed(address)
    return family(address), int(length or 8 * len(octets)), octets


@singledispatch
def encoded(change: Change, indices: Indices) -> Message | None:
    """The change as a request; None: it is none to rtnetlink."""
    return None


def on(kind: type[Change]) -> Callable[[Callable[[Any, Indices], Message]], None]:
    """Says which function encodes a kind of change."""

    def register(function: Callable[[Any, Indices], Message]) -> None:
        encoded.register(kind)(function)

    return register
