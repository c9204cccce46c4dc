"""Which identification a home agent believes next, of every node (RFC 5944 5.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address

from netcont.mobileip import ntp, replay
from netcont.mobileip.replay import Replay

Numbers = tuple[tuple[IPv4Address, int], ...]
"""One for each home address, in their order."""


class Freshness:
    """The last identification accepted from each node, and the nonce given to each.

    Asked about authentic requests only, so it holds two numbers for each node at the most.
    nonces: gives 32 random bits a call.
    """

    __slots__ = ("_floor", "_last", "_nonces", "_source", "tolerance_s")

    def __init__(self, tolerance_s: float, nonces: Callable[[], int] | None) -> None:
        self.tolerance_s = tolerance_s
        self._source = nonces
        self._last: dict[int, int] = {}
        self._nonces: dict[int, int] = {}
        self._floor: int | None = None

    @property
    def has_nonces(self) -> bool:
        """Whether there is a source of nonces."""
        return self._source is not None

    def check(self, number: int, home: int, now: float, style: Replay) -> replay.Check:
        """Judge an identification, and remember one that is fresh so that it never is again."""
        if style is Replay.NONCE and self._source is not None:
            return self._check_nonce(number, home, self._source())
        last = self._last.get(home)
        if self._floor is not None and (last is None or ntp.is_newer(self._floor, last)):
            last = self._floor
        fresh = replay.check(number, last, now, self.tolerance_s)
        if fresh.ok:
            self._last[home] = number
        return fresh

    def _check_nonce(self, number: int, home: int, nonce: int) -> replay.Check:
        expected = self._nonces.get(home)
        fresh = replay.check_nonce(number, expected, nonce)
        if fresh.ok or expected is None:
            self._nonces[home] = replay.high(fresh.reply_identification)
            return fresh
        # The nonce stays: a replay must not be able to spoil the node's next request.
        return replay.Check(False, replay.join(expected, replay.low(number)))

    def forget(self, home: int) -> None:
        """Drop what is known of a node."""
        self._last.pop(home, None)
        self._nonces.pop(home, None)

    def of(self, home: int) -> tuple[int | None, int | None]:
        """The last identification of a node, and its nonce."""
        return self._last.get(home), self._nonces.get(home)

    def snapshot(self) -> tuple[Numbers, Numbers]:
        """The last identifications, and the nonces."""
        return _listed(self._last), _listed(self._nonces)

    def restore(
        self, last: Iterable[tuple[IPv4Address, int]], nonces: Iterable[tuple[IPv4Address, int]]
    ) -> None:
        """Go on where a snapshot ends."""
        self._last = {int(home): number for home, number in last}
        self._nonces = {int(home): nonce for home, nonce in nonces}

    def refuse_until(self, unix_s: float) -> None:
        """Believe no timestamp that is not after this time."""
        self._floor = ntp.to_ntp(unix_s)


def _listed(numbers: dict[int, int]) -> Numbers:
    return tuple((IPv4Address(home), numbers[home]) for home in sorted(numbers))
