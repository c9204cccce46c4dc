"""A node's identifications: always newer, and in step with the home agent (RFC 5944 5.7)."""

from __future__ import annotations

from netcont.mobileip import ntp, replay
from netcont.mobileip.replay import Replay

_IN_STEP_S = 2.0
_LEAD_STEP_S = 2.0
_LAST_LEAD_S = 5.0
"""With the second that resynchronising may err, still within the 7 s of RFC 5944 5.7.1."""

_MIDDLE = 0x8000_0000
_WRAP = 1 << 64
_COUNTS = 1 << 16


class Identifications:
    """The next identification of one home address.

    Timestamps: the home agent's time comes in whole seconds and without fractions, so a node is in
    step within about a second. A node that is in step and refused all the same is behind somebody
    else who registered this home address with a clock that was ahead, as happens when a guest
    moves between sites. It then runs ahead by `lead_s`, up to what the agent tolerates.
    """

    __slots__ = ("_accepted", "_count", "_last", "_nonce", "_style", "lead_s", "offset_s")

    def __init__(self, style: Replay) -> None:
        self._style = style
        self._last: int | None = None
        self._accepted: int | None = None
        self._nonce = 0
        self._count = 0
        self.offset_s = 0.0
        self.lead_s = 0.0

    def next(self, now: float) -> int:
        """A new one for a request sent now."""
        # Replies are told apart by the low half, which repeats every second on a steady timer.
        number = (ntp.to_ntp(now + self.offset_s + self.lead_s) + self._count) % _WRAP
        self._count = (self._count + 1) % _COUNTS
        last = self._last
        if last is not None and not ntp.is_newer(number, last):
            number = (last + 1) % _WRAP
        self._last = number
        if self._style is Replay.NONCE:
            return replay.join(self._nonce, replay.low(number))
        return number

    def answered(self, request: int, reply: int, *, accepted: bool) -> None:
        """An authentic reply came; with nonces it brings the next one (RFC 5944 5.7.2)."""
        if self._style is Replay.NONCE:
            self._nonce = replay.high(reply)
        elif accepted:
            self._accepted = request

    def resynchronise(self, reply: int, now: float) -> None:
        """Take over the time of an authentic denial with code 133."""
        if self._style is Replay.NONCE:
            return
        there = ntp.from_ntp(replay.join(replay.high(reply), _MIDDLE), now)
        offset_s = there - now
        in_step = abs(offset_s - self.offset_s) < _IN_STEP_S
        self.lead_s = min(self.lead_s + _LEAD_STEP_S, _LAST_LEAD_S) if in_step else 0.0
        if not in_step:
            self.offset_s = offset_s
        # What was refused bounds nothing: it may have been years ahead.
        self._last = self._accepted
