"""Protection against replayed registrations (RFC 5944 section 5.7).

The Identification has two halves. The node chooses the low one, and finds it again in the reply
that belongs to its request. The high one belongs to the style of protection: the node's time in
seconds, or the nonce that the home agent gave it with its last reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from netcont.mobileip import ntp

TOLERANCE_S = 7.0
"""How far the clocks of node and agent may be apart (RFC 5944 section 5.7.1)."""

_LOW = 0xFFFF_FFFF


class Replay(Enum):
    """The style of protection that both ends of a security association agreed on."""

    TIMESTAMP = "timestamp"
    """RFC 5944 section 5.7.1, mandatory."""
    NONCE = "nonce"
    """RFC 5944 section 5.7.2, optional."""


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a request is fresh, and the Identification that the reply to it carries.

    If it is not fresh, the reply is denied with code 133, and its Identification lets the node
    resynchronise.
    """

    ok: bool
    reply_identification: int


def check(
    identification: int, last: int | None, now_s: float, tolerance_s: float = TOLERANCE_S
) -> Check:
    """Judge a timestamp: close to now_s (Unix seconds), and after the last one accepted.

    last: the Identification accepted last from this node, None if there is none. Source: RFC 5944
    section 5.7.1.
    """
    now = ntp.to_ntp(now_s)
    close = abs(ntp.difference_s(identification, now)) <= tolerance_s
    if close and (last is None or ntp.is_newer(identification, last)):
        return Check(True, identification)
    return Check(False, join(high(now), low(identification)))


def check_nonce(identification: int, expected: int | None, fresh: int) -> Check:
    """Judge a nonce: the request must bring back the one that the agent gave last.

    expected: the high half of the agent's last reply, None if it gave none; fresh: 32 random bits,
    the nonce for the next request, in good and bad replies alike. Source: RFC 5944 section 5.7.2.
    """
    ok = expected is not None and high(identification) == expected
    return Check(ok, join(fresh, low(identification)))


def answers(reply_identification: int, request_identification: int) -> bool:
    """Whether a reply belongs to a request: the low half, which the node chose, is the same."""
    return low(reply_identification) == low(request_identification)


def high(identification: int) -> int:
    """The 32 high bits: seconds, or the home agent's nonce."""
    return identification >> 32


def low(identification: int) -> int:
    """The 32 low bits: fractions of a second, or the mobile node's nonce."""
    return identification & _LOW


def join(high_bits: int, low_bits: int) -> int:
    """An Identification from its two halves; what is over 32 bits is cut off."""
    return (high_bits & _LOW) << 32 | low_bits & _LOW
