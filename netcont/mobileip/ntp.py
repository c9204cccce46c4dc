"""64-bit NTP timestamps, as the Identification field carries them (RFC 5944 section 5.7.1).

Seconds since 1900 in the high half, binary fractions in the low. The seconds wrap every 2**32, next
on 2036-02-07, so a timestamp alone does not say its era (RFC 5905 section 6): whoever reads one
takes the era nearest to a time that it knows.
"""

from __future__ import annotations

import math

UNIX_EPOCH_S = 2_208_988_800
"""Seconds from 1900-01-01 to 1970-01-01 (RFC 5905 figure 4)."""

_SECOND = 1 << 32
_WRAP = 1 << 64
_HALF = 1 << 63


def to_ntp(unix_s: float) -> int:
    """The 64-bit timestamp of a Unix time in seconds, whatever its era."""
    whole = math.floor(unix_s)
    fraction = int((unix_s - whole) * _SECOND)
    return ((whole + UNIX_EPOCH_S) * _SECOND + fraction) % _WRAP


def from_ntp(value: int, near_unix_s: float) -> float:
    """The Unix time in seconds that a timestamp means, in the era nearest to near_unix_s."""
    return near_unix_s + difference_s(value, to_ntp(near_unix_s))


def difference_s(a: int, b: int) -> float:
    """How many seconds a is after b (negative: before), at most half an era (68 years) apart."""
    return _signed(a - b) / _SECOND


def is_newer(a: int, b: int) -> bool:
    """Whether timestamp a is after b; within half an era of each other, across eras too."""
    return _signed(a - b) > 0


def _signed(difference: int) -> int:
    return (difference + _HALF) % _WRAP - _HALF
