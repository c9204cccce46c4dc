"""What the machines want sent: UDP datagrams of registration, ICMP messages of discovery."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

Endpoint = tuple[IPv4Address, int]
"""An address and a UDP port."""

ALL_SYSTEMS = IPv4Address("224.0.0.1")
"""Where unsolicited advertisements go. RFC 5944 2.1, RFC 1256 6.1."""

ALL_ROUTERS = IPv4Address("224.0.0.2")
"""Where solicitations go. RFC 1256 7.1."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP payload for an endpoint, sent from the machine's own port 434."""

    to: Endpoint
    data: bytes


@dataclass(frozen=True, slots=True)
class IcmpMessage:
    """A whole ICMP message with its checksum, sent with time to live 1 (RFC 5944 2.3)."""

    to: IPv4Address
    data: bytes
