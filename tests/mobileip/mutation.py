"""Bytes spoilt in the ways in which networks, bugs and enemies spoil them."""

from __future__ import annotations

import random
from collections.abc import Callable

BOUNDARIES = (0, 1, 2, 3, 4, 6, 31, 32, 33, 34, 127, 128, 130, 131, 132, 137, 254, 255)
"""Values at which parsers go wrong: lengths and types at their limits."""


def mutated(data: bytes, chance: random.Random) -> bytes:
    """data after one to four random changes; it may come out as it was."""
    spoilt = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choice(_CHANGES)(spoilt, chance)
    return bytes(spoilt)


def _flip(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice(BOUNDARIES)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randint(0, len(data)) :]


def _delete(data: bytearray, chance: random.Random) -> None:
    start = chance.randint(0, len(data))
    del data[start : start + chance.randint(1, 8)]


def _insert(data: bytearray, chance: random.Random) -> None:
    start = chance.randint(0, len(data))
    data[start:start] = chance.randbytes(chance.randint(1, 8))


def _append(data: bytearray, chance: random.Random) -> None:
    data += chance.randbytes(chance.randint(1, 40))


def _append_extension(data: bytearray, chance: random.Random) -> None:
    body = chance.randbytes(chance.choice((0, 1, 4, 6, 20, 36)))
    data += bytes((chance.choice(BOUNDARIES), len(body))) + body


def _repeat(data: bytearray, chance: random.Random) -> None:
    start = chance.randint(0, len(data))
    data += data[start:]


_CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _flip,
    _set,
    _set,
    _cut,
    _delete,
    _insert,
    _append,
    _append_extension,
    _repeat,
)
