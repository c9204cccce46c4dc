"""Agent Advertisement and Solicitation: ICMP messages by which nodes find agents.

An Agent Advertisement is a Router Advertisement (RFC 1256) with a mobility agent extension
(RFC 5944 section 2.1.1). The bytes here are those of the ICMP message, without its IP header; that
the IP TTL is 1 (RFC 5944 section 2.1) is for whoever reads the header to see.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntFlag
from ipaddress import IPv4Address
from typing import Self

from netcont.mobileip.errors import malformed, unbuildable
from netcont.mobileip.extensions import FIRST_SKIPPABLE, MAX_EXTENSIONS, Unknown

COMMON_TRAFFIC = 0
"""ICMP code of an agent that also routes for nodes that are not mobile (RFC 5944 section 2.1)."""
MOBILE_TRAFFIC_ONLY = 16
"""ICMP code of an agent that does not (RFC 5944 section 2.1)."""

_ENTRY_WORDS = 2  # RFC 1256 section 3
_PADDING = 0  # RFC 5944 section 2.1.3
_MOBILITY_AGENT = 16  # RFC 5944 section 2.1.1
_PREFIX_LENGTHS = 19  # RFC 5944 section 2.1.2
_CHALLENGE = 24  # RFC 4721 section 2

_HEAD = struct.Struct("!BBHBBH")
_ROUTER = struct.Struct("!Ii")
_MOBILITY = struct.Struct("!BBHHH")
_SOLICITATION = struct.Struct("!BBH4x")
_ADDRESS_BYTES = 4


class AgentFlags(IntFlag):
    """What an agent offers (RFC 5944 section 2.1.1)."""

    REGISTRATION_REQUIRED = 0x8000
    BUSY = 0x4000
    HOME_AGENT = 0x2000
    FOREIGN_AGENT = 0x1000
    MINIMAL_ENCAPSULATION = 0x0800
    GRE_ENCAPSULATION = 0x0400
    RESERVED_R = 0x0200
    REVERSE_TUNNELING = 0x0100
    UDP_TUNNELING = 0x0080  # RFC 3519 section 3.4
    REVOCATION = 0x0040  # RFC 3543 section 3.1
    REGIONAL_REGISTRATION = 0x0020  # RFC 4857

    # The letters of the RFC.
    R = REGISTRATION_REQUIRED
    B = BUSY
    H = HOME_AGENT
    F = FOREIGN_AGENT
    M = MINIMAL_ENCAPSULATION
    G = GRE_ENCAPSULATION
    r = RESERVED_R
    T = REVERSE_TUNNELING
    U = UDP_TUNNELING
    X = REVOCATION
    I = REGIONAL_REGISTRATION  # noqa: E741


@dataclass(frozen=True, slots=True)
class Router:
    """An entry of the router list: an address and how much it is preferred (RFC 1256 section 3).

    prefix_length: of the router's subnet, if the sender told it (RFC 5944 section 2.1.2).
    """

    address: IPv4Address
    preference: int = 0
    prefix_length: int | None = None


@dataclass(frozen=True, slots=True)
class AgentAdvertisement:
    """An agent says that it is there (RFC 5944 section 2.1).

    sequence: counts the advertisements since the agent started (section 2.3.2); flags: what it
    offers; registration_lifetime_s: the longest that it grants (65535: no end);
    care_of_addresses: those of a foreign agent; routers: RFC 1256's list, either all with a prefix
    length or none; lifetime_s: how long this advertisement holds; challenge: RFC 4721 section 2;
    others: skippable extensions that we do not know.
    """

    sequence: int
    flags: AgentFlags
    registration_lifetime_s: int
    care_of_addresses: tuple[IPv4Address, ...] = ()
    routers: tuple[Router, ...] = ()
    lifetime_s: int = 1800
    challenge: bytes | None = None
    code: int = MOBILE_TRAFFIC_ONLY
    others: tuple[Unknown, ...] = ()

    TYPE = 9

    def to_bytes(self) -> bytes:
        """The ICMP message, with its checksum and padded to an even length.

        Raises MessageError if a value does not fit into its field.
        """
        try:
            data = self._head() + self._mobility() + self._prefix_lengths()
        except (struct.error, ValueError) as error:
            raise unbuildable(f"Agent Advertisement: {error}") from error
        if self.challenge is not None:
            data += Unknown(_CHALLENGE, self.challenge).to_bytes()
        data += b"".join([other.to_bytes() for other in self.others])
        return _with_checksum(data + bytes(len(data) % 2))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises MessageError without a code, also for routers that are no mobility agents."""
        if len(data) < _HEAD.size or data[0] != cls.TYPE:
            raise malformed(f"{len(data)} bytes are no Agent Advertisement")
        _, code, _, count, words, lifetime_s = _HEAD.unpack_from(data)
        if code not in (COMMON_TRAFFIC, MOBILE_TRAFFIC_ONLY):
            raise malformed(f"Agent Advertisement: code {code}")
        if checksum(data):
            raise malformed("Agent Advertisement: the checksum is wrong")
        end = _HEAD.size + count * words * 4
        if words < _ENTRY_WORDS or end > len(data):
            raise malformed(f"Agent Advertisement: {count} routers of {words} words do not fit")
        routers = tuple(
            Router(IPv4Address(address), preference)
            for address, preference in (
                _ROUTER.unpack_from(data, at) for at in range(_HEAD.size, end, words * 4)
            )
        )
        parts = _Parts(routers)
        _parse_extensions(data, end, parts)
        if parts.mobility is None:
            raise malformed("a Router Advertisement without the mobility agent extension")
        sequence, registration_lifetime_s, flags, care_of = parts.mobility
        return cls(
            sequence,
            flags,
            registration_lifetime_s,
            care_of,
            parts.routers,
            lifetime_s,
            parts.challenge,
            code,
            tuple(parts.others),
        )

    def _head(self) -> bytes:
        head = _HEAD.pack(self.TYPE, self.code, 0, len(self.routers), _ENTRY_WORDS, self.lifetime_s)
        entries = [_ROUTER.pack(int(entry.address), entry.preference) for entry in self.routers]
        return head + b"".join(entries)

    def _mobility(self) -> bytes:
        head = _MOBILITY.pack(
            _MOBILITY_AGENT,
            _MOBILITY.size - 2 + _ADDRESS_BYTES * len(self.care_of_addresses),
            self.sequence,
            self.registration_lifetime_s,
            self.flags,
        )
        return head + b"".join([address.packed for address in self.care_of_addresses])

    def _prefix_lengths(self) -> bytes:
        lengths = [entry.prefix_length for entry in self.routers]
        told = [length for length in lengths if length is not None]
        if not told:
            return b""
        if len(told) != len(lengths) or not all(0 <= length <= 32 for length in told):
            raise ValueError(f"prefix lengths {lengths}: all of 0 to 32, or none at all")
        return bytes((_PREFIX_LENGTHS, len(told), *told))


@dataclass(frozen=True, slots=True)
class AgentSolicitation:
    """A node asks agents to advertise themselves now (RFC 5944 section 2.2, RFC 1256)."""

    TYPE = 10

    def to_bytes(self) -> bytes:
        return _with_checksum(_SOLICITATION.pack(self.TYPE, 0, 0))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What follows the first eight bytes is ignored (RFC 1256 section 4.2).

        Raises MessageError without a code.
        """
        if len(data) < _SOLICITATION.size or data[0] != cls.TYPE or data[1] != 0:
            raise malformed(f"{len(data)} bytes are no Agent Solicitation")
        if checksum(data):
            raise malformed("Agent Solicitation: the checksum is wrong")
        return cls()


def parse(data: bytes) -> AgentAdvertisement | AgentSolicitation:
    """The message of agent discovery that an ICMP message is.

    Raises MessageError for any other bytes.
    """
    if data[:1] == b"\x0a":
        return AgentSolicitation.from_bytes(data)
    return AgentAdvertisement.from_bytes(data)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071); 0 over data that holds its own and is intact."""
    even = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return total ^ 0xFFFF


def _with_checksum(data: bytes) -> bytes:
    return data[:2] + checksum(data).to_bytes(2, "big") + data[4:]


@dataclass(slots=True)
class _Parts:
    """What the extensions of an advertisement have said so far."""

    routers: tuple[Router, ...]
    mobility: tuple[int, int, AgentFlags, tuple[IPv4Address, ...]] | None = None
    challenge: bytes | None = None
    others: list[Unknown] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)


def _parse_extensions(data: bytes, offset: int, parts: _Parts) -> None:
    end = len(data)
    count = 0
    while offset < end:
        count += 1
        if count > MAX_EXTENSIONS:
            raise malformed(f"over {MAX_EXTENSIONS} extensions")
        kind = data[offset]
        if kind == _PADDING:
            offset += 1
            continue
        parser = _PARSERS.get(kind)
        if parser is None and kind < FIRST_SKIPPABLE:
            raise malformed(f"extension {kind} is unknown and may not be skipped")
        start = offset + 2
        if start > end or start + data[start - 1] > end:
            raise malformed(f"extension {kind} is longer than the rest of the message")
        offset = start + data[start - 1]
        body = data[start:offset]
        if parser is None:
            parts.others.append(Unknown(kind, body))
        elif kind in parts.seen:
            raise malformed(f"extension {kind} is there twice")
        else:
            parts.seen.add(kind)
            parser(body, parts)


def _mobility_agent(body: bytes, parts: _Parts) -> None:
    if len(body) < _MOBILITY.size - 2 or (len(body) - _MOBILITY.size + 2) % _ADDRESS_BYTES:
        raise malformed(f"mobility agent extension of {len(body)} bytes")
    sequence, lifetime_s, bits, *care_of = struct.unpack(
        f"!HHH{(len(body) - _MOBILITY.size + 2) // _ADDRESS_BYTES}I", body
    )
    addresses = tuple(IPv4Address(address) for address in care_of)
    parts.mobility = (sequence, lifetime_s, AgentFlags(bits & _KNOWN_FLAGS), addresses)


def _prefix_lengths(body: bytes, parts: _Parts) -> None:
    if len(body) != len(parts.routers):
        raise malformed(f"{len(body)} prefix lengths for {len(parts.routers)} routers")
    if any(length > 32 for length in body):
        raise malformed("a prefix length over 32")
    parts.routers = tuple(
        replace(entry, prefix_length=length)
        for entry, length in zip(parts.routers, body, strict=True)
    )


def _challenge(body: bytes, parts: _Parts) -> None:
    if not body:
        raise malformed("the challenge is empty")
    parts.challenge = body


_KNOWN_FLAGS = sum(AgentFlags)

_PARSERS: dict[int, Callable[[bytes, _Parts], None]] = {
    _MOBILITY_AGENT: _mobility_agent,
    _PREFIX_LENGTHS: _prefix_lengths,
    _CHALLENGE: _challenge,
}
