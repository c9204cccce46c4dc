"""An agent's advertisements: when they are sent and how they are numbered (RFC 5944 2.3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from ipaddress import IPv4Address

from netcont.mobileip.datagram import ALL_SYSTEMS, IcmpMessage
from netcont.mobileip.discovery import AgentAdvertisement, AgentFlags, Router

LAST_SEQUENCE = 0xFFFF
FIRST_AFTER_ROLLOVER = 256
"""Numbers below are for the first advertisements after a start. RFC 5944 2.3.2."""

_EARLIEST = 0.75
"""Of the interval, for the advertisements of several agents must not keep step. RFC 1256 4.1."""


class Advertiser:
    """Of one agent on one link.

    interval_s: the longest time between advertisements; each holds for three of them. jitter:
    gives numbers from 0 to 1, 1 for the full interval. solicited_interval_s: solicitations are
    answered no more often than this, whoever sends them (RFC 5944 2.3).
    """

    def __init__(
        self,
        address: IPv4Address,
        flags: AgentFlags,
        *,
        registration_lifetime_s: int,
        care_of_addresses: tuple[IPv4Address, ...] = (),
        prefix_length: int | None = None,
        interval_s: float = 1.0,
        solicited_interval_s: float = 1.0,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self._routers = (Router(address, prefix_length=prefix_length),)
        self._flags = flags
        self._registration_lifetime_s = registration_lifetime_s
        self._care_of_addresses = care_of_addresses
        self._interval_s = interval_s
        self._solicited_interval_s = solicited_interval_s
        self._jitter = jitter
        self._next_at: float | None = None
        self._solicited_at = -math.inf
        self.sequence = 0

    def next_deadline(self) -> float | None:
        """When the next one is due; None before the first call of `due`, which starts them."""
        return self._next_at

    def due(self, now: float, *, busy: bool = False) -> tuple[IcmpMessage, ...]:
        """The advertisement that is due now, if one is; the first call is due at once."""
        if self._next_at is not None and now < self._next_at:
            return ()
        share = 1.0 if self._jitter is None else self._jitter()
        self._next_at = now + self._interval_s * (_EARLIEST + (1 - _EARLIEST) * share)
        return (self._advertisement(ALL_SYSTEMS, busy),)

    def solicited(
        self, by: IPv4Address, now: float, *, busy: bool = False
    ) -> tuple[IcmpMessage, ...]:
        """The answer to a solicitation: to who asked, or to all if he has no address yet."""
        if now < self._solicited_at + self._solicited_interval_s:
            return ()
        self._solicited_at = now
        to = ALL_SYSTEMS if by.is_unspecified else by
        return (self._advertisement(to, busy),)

    def _advertisement(self, to: IPv4Address, busy: bool) -> IcmpMessage:
        advertisement = AgentAdvertisement(
            sequence=self.sequence,
            flags=self._flags | AgentFlags.B if busy else self._flags,
            registration_lifetime_s=self._registration_lifetime_s,
            care_of_addresses=self._care_of_addresses,
            routers=self._routers,
            lifetime_s=max(1, math.ceil(3 * self._interval_s)),
        )
        follows = self.sequence + 1
        self.sequence = FIRST_AFTER_ROLLOVER if follows > LAST_SEQUENCE else follows
        return IcmpMessage(to, advertisement.to_bytes())
