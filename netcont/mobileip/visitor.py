"""A visitor: a mobile node that registered through a foreign agent."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from netcont.mobileip.binding import Removal
from netcont.mobileip.datagram import Endpoint
from netcont.mobileip.messages import Flags


@dataclass(frozen=True, slots=True)
class Visitor:
    """What a foreign agent knows of a registration that the home agent granted (RFC 5944 3.7.1).

    endpoint: where the node's requests come from; expires_at: seconds of the caller's clock;
    revocation_stamp: the home agent's clock (RFC 3543 3.2), None if it takes no part in revocation;
    encapsulating: the node sends to the agent in a tunnel (RFC 3024 5.2).
    """

    home_address: IPv4Address
    home_agent: IPv4Address
    care_of_address: IPv4Address
    endpoint: Endpoint
    flags: Flags
    lifetime_s: int
    expires_at: float
    revocation_stamp: int | None = None
    encapsulating: bool = False

    @property
    def colocated(self) -> bool:
        """Whether the node decapsulates for itself, so that no tunnel ends here."""
        return bool(self.flags & Flags.D)

    @property
    def reverse_tunnel(self) -> bool:
        """Whether the node's own packets go into the tunnel as well (RFC 3024)."""
        return bool(self.flags & Flags.T)


@dataclass(frozen=True, slots=True)
class VisitorAdded:
    """A node has come."""

    visitor: Visitor


@dataclass(frozen=True, slots=True)
class VisitorReplaced:
    """A node has registered again."""

    old: Visitor
    new: Visitor


@dataclass(frozen=True, slots=True)
class VisitorRemoved:
    """A node has gone, and its tunnel and host route with it."""

    visitor: Visitor
    why: Removal


VisitorChange = VisitorAdded | VisitorReplaced | VisitorRemoved
