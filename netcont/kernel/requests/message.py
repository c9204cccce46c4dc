"""One request to rtnetlink(7), packed with struct alone."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
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


_HEAD = struct.Struct("=HH").pack
_NUMBER = struct.Struct("=HHI").pack
_PADDING = (b"", bytes(3), bytes(2), bytes(1))


def attribute(kind: int, value: bytes) -> bytes:
    """A value with its number and length before it, padded to a multiple of four bytes."""
    return _HEAD(4 + len(value), kind) + value + _PADDING[len(value) % 4]


def nested(kind: int, value: bytes) -> bytes:
    """Attributes within one."""
    return attribute(kind | _NESTED, value)


def number(kind: int, value: int) -> bytes:
    """32 bits, in the machine's order."""
    return _NUMBER(8, kind, value)


def byte(kind: int, value: int) -> bytes:
    """8 bits."""
    return attribute(kind, bytes((value,)))


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


Encode = Callable[[Any, Indices], Message]

_ENCODINGS: dict[type[Change], Encode] = {}


def encoded(change: Change, indices: Indices) -> Message | None:
    """The change as a request; None: it is none to rtnetlink."""
    encode = _ENCODINGS.get(type(change))
    return None if encode is None else encode(change, indices)


def on(kind: type[Change]) -> Callable[[Encode], None]:
    """Says which function encodes a kind of change."""

    def register(function: Encode) -> None:
        _ENCODINGS[kind] = function

    return register
