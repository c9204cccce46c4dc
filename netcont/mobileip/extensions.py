"""Extensions of registration messages: type, length, data (RFC 5944 section 1.8).

Types 0-127 must be understood: a message with an unknown one is dropped silently. Unknown ones of
128-255 are skipped; they are kept here all the same, since authenticators cover them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from netcont.mobileip.codes import Code
from netcont.mobileip.errors import malformed, unbuildable

MAX_LENGTH = 255
"""Bytes of data that the length field can count (RFC 5944 section 1.9)."""
MAX_EXTENSIONS = 64
"""More than any use of the protocol needs: strangers' bytes may not cost unbounded work."""
FIRST_SKIPPABLE = 128
"""Unknown extensions from this type on are skipped (RFC 5944 section 1.8)."""

_ENCAPSULATING_DELIVERY = 130  # RFC 3024 section 3.3
_NAI = 131  # RFC 2794 section 2
_CHALLENGE = 132  # RFC 4721 section 4
_REVOCATION_SUPPORT = 137  # RFC 3543 section 3.2

_SPI = struct.Struct("!I")
_AUTHENTICATION_HEAD = struct.Struct("!BBI")
_REVOCATION_SUPPORT_BODY = struct.Struct("!HI")
_INFORM = 0x8000  # RFC 3543 section 3.2


class AuthenticationKind(IntEnum):
    """Between whom an authenticator holds."""

    MOBILE_HOME = 32
    """RFC 5944 section 3.5.2."""
    MOBILE_FOREIGN = 33
    """RFC 5944 section 3.5.3."""
    FOREIGN_HOME = 34
    """RFC 5944 section 3.5.4; revocations carry it too (RFC 3543 section 3.3)."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """An authenticator and the security association (SPI) that made it (RFC 5944 section 3.5)."""

    kind: AuthenticationKind
    spi: int
    authenticator: bytes

    def to_bytes(self) -> bytes:
        length = _SPI.size + len(self.authenticator)
        return authentication_head(self.kind, length, self.spi) + self.authenticator


@dataclass(frozen=True, slots=True)
class EncapsulatingDelivery:
    """The node sends everything to the foreign agent in a tunnel (RFC 3024 section 3.3)."""

    def to_bytes(self) -> bytes:
        return bytes((_ENCAPSULATING_DELIVERY, 0))


@dataclass(frozen=True, slots=True)
class Nai:
    """The mobile node's network access identifier, "user@realm" (RFC 2794 section 2)."""

    identifier: bytes

    def to_bytes(self) -> bytes:
        return _type_length_data(_NAI, self.identifier)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A foreign agent's challenge, echoed by the mobile node (RFC 4721 section 4)."""

    value: bytes

    def to_bytes(self) -> bytes:
        return _type_length_data(_CHALLENGE, self.value)


@dataclass(frozen=True, slots=True)
class RevocationSupport:
    """An agent can revoke this registration (RFC 3543 section 3.2).

    timestamp: the agent's clock, 32 bits, which revocation messages will be compared with;
    inform: the agent tells mobile nodes of a revocation.
    """

    timestamp: int
    inform: bool = False

    def to_bytes(self) -> bytes:
        try:
            body = _REVOCATION_SUPPORT_BODY.pack(_INFORM if self.inform else 0, self.timestamp)
        except struct.error as error:
            raise unbuildable(f"revocation timestamp {self.timestamp} is not 32 bits") from error
        return _type_length_data(_REVOCATION_SUPPORT, body)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A skippable extension that we do not know: ignored, but covered by authenticators."""

    type: int
    data: bytes

    def to_bytes(self) -> bytes:
        return _type_length_data(self.type, self.data)


Extension: TypeAlias = (
    Authentication | EncapsulatingDelivery | Nai | Challenge | RevocationSupport | Unknown
)


def authentication_head(kind: AuthenticationKind, length: int, spi: int) -> bytes:
    """What stands before an authenticator: type, length (SPI and authenticator), SPI."""
    try:
        return _AUTHENTICATION_HEAD.pack(kind, length, spi)
    except struct.error as error:
        raise unbuildable(
            f"authentication extension: SPI {spi} is not 32 bits, or {length} bytes are too many"
        ) from error


def parse_extensions(
    data: bytes, offset: int = 0, *, code: Code | None = None
) -> tuple[Extension, ...]:
    """All extensions from offset to the end of data.

    Raises MessageError: with code for extensions of the wrong form, without a code for a type that
    must be understood and is not.
    """
    found: list[Extension] = []
    end = len(data)
    while offset < end:
        kind = data[offset]
        parser = _PARSERS.get(kind)
        # First of all: whatever follows a type that must be understood may not look like this.
        if parser is None and kind < FIRST_SKIPPABLE:
            raise malformed(f"extension {kind} is unknown and may not be skipped")
        start = offset + 2
        if start > end:
            raise malformed(f"extension {kind} ends after its type", code)
        offset = start + data[start - 1]
        if offset > end:
            raise malformed(f"extension {kind} is longer than the rest of the message", code)
        if len(found) == MAX_EXTENSIONS:
            raise malformed(f"over {MAX_EXTENSIONS} extensions", code)
        body = data[start:offset]
        found.append(Unknown(kind, body) if parser is None else parser(kind, body, code))
    return tuple(found)


def _type_length_data(kind: int, data: bytes) -> bytes:
    if len(data) > MAX_LENGTH:
        raise unbuildable(f"extension {kind}: {len(data)} bytes of data, at most {MAX_LENGTH}")
    try:
        return bytes((kind, len(data))) + data
    except ValueError as error:
        raise unbuildable(f"extension type {kind} is not one byte") from error


def _authentication(kind: int, body: bytes, code: Code | None) -> Authentication:
    if len(body) <= _SPI.size:
        raise malformed(f"authentication extension {kind} has no authenticator", code)
    return Authentication(_KINDS[kind], int.from_bytes(body[:4], "big"), body[4:])


def _encapsulating_delivery(kind: int, body: bytes, code: Code | None) -> EncapsulatingDelivery:
    if body:
        raise malformed(f"extension {kind} has {len(body)} bytes of data, not none", code)
    return EncapsulatingDelivery()


def _nai(kind: int, body: bytes, code: Code | None) -> Nai:
    if not body:
        raise malformed(f"extension {kind}: the network access identifier is empty", code)
    return Nai(body)


def _challenge(kind: int, body: bytes, code: Code | None) -> Challenge:
    if not body:
        raise malformed(f"extension {kind}: the challenge is empty", code)
    return Challenge(body)


def _revocation_support(kind: int, body: bytes, code: Code | None) -> RevocationSupport:
    if len(body) != _REVOCATION_SUPPORT_BODY.size:
        raise malformed(f"extension {kind} has {len(body)} bytes of data, not 6", code)
    bits, timestamp = _REVOCATION_SUPPORT_BODY.unpack(body)
    return RevocationSupport(timestamp, bool(bits & _INFORM))


_KINDS = {int(kind): kind for kind in AuthenticationKind}

_PARSERS: dict[int, Callable[[int, bytes, Code | None], Extension]] = {
    AuthenticationKind.MOBILE_HOME: _authentication,
    AuthenticationKind.MOBILE_FOREIGN: _authentication,
    AuthenticationKind.FOREIGN_HOME: _authentication,
    _ENCAPSULATING_DELIVERY: _encapsulating_delivery,
    _NAI: _nai,
    _CHALLENGE: _challenge,
    _REVOCATION_SUPPORT: _revocation_support,
}
