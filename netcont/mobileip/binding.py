"""A mobility binding: which care-of address a home address has, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address

from netcont.mobileip.messages import Flags


@dataclass(frozen=True, slots=True)
class Binding:
    """What a home agent knows of one care-of address (RFC 5944 3.8.1).

    expires_at: seconds of the caller's clock, infinite for INFINITE_LIFETIME_S;
    foreign_agent: the agent that relayed the request, None for a co-located care-of address;
    identification: that of the request that made or refreshed it;
    revocation_stamp: the foreign agent's clock at that time (RFC 3543 3.2), None if it does not
    take part in revocation.
    """

    home_address: IPv4Address
    care_of_address: IPv4Address
    flags: Flags
    lifetime_s: int
    expires_at: float
    identification: int
    spi: int
    foreign_agent: IPv4Address | None = None
    revocation_stamp: int | None = None

    @property
    def reverse_tunnel(self) -> bool:
        """Whether the node's own packets come through the tunnel as well (RFC 3024)."""
        return bool(self.flags & Flags.T)

    @property
    def gre(self) -> bool:
        """Whether the tunnel is GRE instead of IP in IP."""
        return bool(self.flags & Flags.G)

    def remaining_s(self, now: float) -> float:
        """Seconds that are left of the lifetime."""
        return max(0.0, self.expires_at - now)

    def forwards_like(self, other: Binding) -> bool:
        """Whether packets go the same way under both, so that a refresh changes nothing there."""
        return self.care_of_address == other.care_of_address and self.flags == other.flags


class Removal(Enum):
    """Why a binding or a visitor is gone."""

    DEREGISTERED = "deregistered"
    SUPERSEDED = "superseded by another care-of address"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class BindingAdded:
    """A care-of address that was not bound before; others may be bound beside it."""

    binding: Binding


@dataclass(frozen=True, slots=True)
class BindingReplaced:
    """A binding took another one's place: a refresh, or a move to another care-of address.

    One change, so that a data path can switch over without a moment that has no binding.
    """

    old: Binding
    new: Binding

    @property
    def moved(self) -> bool:
        """Whether packets go another way now; a mere refresh asks nothing of the data path."""
        return not self.new.forwards_like(self.old)


@dataclass(frozen=True, slots=True)
class BindingRemoved:
    """A binding is gone, and its tunnel with it."""

    binding: Binding
    why: Removal


BindingChange = BindingAdded | BindingReplaced | BindingRemoved
