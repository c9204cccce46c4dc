"""Revocation of a registration by an agent, and its acknowledgement (RFC 3543)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Self

from netcont.mobileip.errors import malformed, unbuildable
from netcont.mobileip.extensions import Extension, parse_extensions

_REVOCATION = struct.Struct("!BxHIIII")
_ACK = struct.Struct("!BxHII")

_AGENT = 0x8000  # RFC 3543 section 3.3
_INFORM = 0x4000  # RFC 3543 section 3.3
_ACK_INFORM = 0x8000  # RFC 3543 section 3.4


@dataclass(frozen=True, slots=True)
class Revocation:
    """One agent tells the other that bindings of a mobile node are over (RFC 3543 section 3.3).

    home_domain_address and foreign_domain_address: the tunnel's two ends, which name the binding;
    revocation_identifier: 32 bits, the sender's clock, against replays (section 3.5);
    by_home: the sender acts as the home agent of this binding (bit A);
    inform: tell the mobile node (bit I).
    """

    home_address: IPv4Address
    home_domain_address: IPv4Address
    foreign_domain_address: IPv4Address
    revocation_identifier: int
    by_home: bool = False
    inform: bool = False
    extensions: tuple[Extension, ...] = ()

    TYPE = 7
    HEAD_BYTES = _REVOCATION.size

    def to_bytes(self) -> bytes:
        """Raises MessageError if a value does not fit into its field."""
        bits = (_AGENT if self.by_home else 0) | (_INFORM if self.inform else 0)
        try:
            head = _REVOCATION.pack(
                self.TYPE,
                bits,
                int(self.home_address),
                int(self.home_domain_address),
                int(self.foreign_domain_address),
                self.revocation_identifier,
            )
        except struct.error as error:
            raise unbuildable(f"Registration Revocation: {error}") from error
        return head + b"".join([extension.to_bytes() for extension in self.extensions])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises MessageError without a code: nobody answers a poorly formed revocation."""
        if len(data) < _REVOCATION.size or data[0] != cls.TYPE:
            raise malformed(f"{len(data)} bytes are no Registration Revocation")
        _, bits, home, home_domain, foreign_domain, identifier = _REVOCATION.unpack_from(data)
        return cls(
            IPv4Address(home),
            IPv4Address(home_domain),
            IPv4Address(foreign_domain),
            identifier,
            bool(bits & _AGENT),
            bool(bits & _INFORM),
            parse_extensions(data, _REVOCATION.size),
        )


@dataclass(frozen=True, slots=True)
class RevocationAck:
    """The other agent has done so (RFC 3543 section 3.4).

    revocation_identifier: that of the revocation; inform: the mobile node was told (bit I).
    """

    home_address: IPv4Address
    revocation_identifier: int
    inform: bool = False
    extensions: tuple[Extension, ...] = ()

    TYPE = 15
    HEAD_BYTES = _ACK.size

    def to_bytes(self) -> bytes:
        """Raises MessageError if a value does not fit into its field."""
        try:
            head = _ACK.pack(
                self.TYPE,
                _ACK_INFORM if self.inform else 0,
                int(self.home_address),
                self.revocation_identifier,
            )
        except struct.error as error:
            raise unbuildable(f"Revocation Acknowledgment: {error}") from error
        return head + b"".join([extension.to_bytes() for extension in self.extensions])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises MessageError without a code."""
        if len(data) < _ACK.size or data[0] != cls.TYPE:
            raise malformed(f"{len(data)} bytes are no Revocation Acknowledgment")
        _, bits, home, identifier = _ACK.unpack_from(data)
        return cls(
            IPv4Address(home),
            identifier,
            bool(bits & _ACK_INFORM),
            parse_extensions(data, _ACK.size),
        )
