"""What is heard of a request that was sent, and the mark by which it is known again."""

from __future__ import annotations

import os
import struct
from enum import IntEnum
from typing import NamedTuple

_NUMBER = struct.Struct("!I")
_TOKEN_BYTES = 8
MARK_BYTES = _TOKEN_BYTES + _NUMBER.size


class Outcome(IntEnum):
    """What became of a request; the greater, the more is known by it.

    UNSENT: this host itself could not send it. UNREACHABLE: it did not get there. REFUSED: it got
    there, and nothing takes such packets. TOO_BIG: it did not pass unfragmented.
    """

    UNSENT = 0
    UNREACHABLE = 1
    REFUSED = 2
    TOO_BIG = 3
    ANSWERED = 4


class Heard(NamedTuple):
    """number: the request's. at_s: on the clock time.monotonic. mtu_bytes: what a router, or this
    host's own link, says would have passed. by: who says so; why: in words."""

    number: int
    outcome: Outcome
    at_s: float
    mtu_bytes: int = 0
    by: str = ""
    why: str = ""


class Mark:
    """What tells a run's requests from all others, and from each other."""

    def __init__(self, token: bytes | None = None) -> None:
        self._token = os.urandom(_TOKEN_BYTES) if token is None else token
        self.identifier = int.from_bytes(self._token[:2], "big")

    def data(self, number: int, length: int = 0) -> bytes:
        """A request's data: so many bytes, but those of the mark at least."""
        return (self._token + _NUMBER.pack(number)).ljust(length, b"\0")

    def number_in(self, data: bytes) -> int | None:
        """The number of the request that data is of, wherever in it the mark stands."""
        place = data.find(self._token)
        if place < 0 or place + MARK_BYTES > len(data):
            return None
        return int(_NUMBER.unpack_from(data, place + _TOKEN_BYTES)[0])
