"""Authenticators over registration messages (RFC 5944 sections 3.5 and 5.1).

An authenticator covers the message from its first byte through the type, length and SPI of its own
extension. What follows it is not covered: agents on the way append extensions of their own.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from netcont.errors import ConfigurationError, NetcontError
from netcont.mobileip.errors import unbuildable
from netcont.mobileip.extensions import (
    MAX_EXTENSIONS,
    Authentication,
    AuthenticationKind,
    Extension,
    authentication_head,
)
from netcont.mobileip.messages import Message, RegistrationReply, RegistrationRequest
from netcont.mobileip.replay import Replay
from netcont.mobileip.revocation import Revocation, RevocationAck

FIRST_FREE_SPI = 256
"""SPIs below are reserved (RFC 5944 section 3.5.1)."""
LAST_SPI = 0xFFFF_FFFF
MINIMUM_KEY_BYTES = 16
"""128 bits (RFC 5944 section 5.1)."""

_SPI_BYTES = 4
_HEAD_BYTES = 6

_EXTENSIONS_AT: dict[int, int] = {
    RegistrationRequest.TYPE: RegistrationRequest.HEAD_BYTES,
    RegistrationReply.TYPE: RegistrationReply.HEAD_BYTES,
    Revocation.TYPE: Revocation.HEAD_BYTES,
    RevocationAck.TYPE: RevocationAck.HEAD_BYTES,
}
"""Where extensions begin, for each type of message."""


class Algorithm(Enum):
    """How an authenticator is computed."""

    HMAC_MD5 = "hmac-md5"
    """The default that every implementation has (RFC 5944 section 5.1)."""
    HMAC_SHA256 = "hmac-sha256"
    """Recommended between our own agents and nodes; the RFC allows any that the SPI names."""
    KEYED_MD5 = "keyed-md5"
    """Key, message, key through MD5 (RFC 2002 section 5.1): broken, only for old peers."""

    @property
    def authenticator_bytes(self) -> int:
        return 32 if self is Algorithm.HMAC_SHA256 else 16


class Failure(Enum):
    """Why a message is not authentic."""

    MISSING = "no such authentication extension"
    DUPLICATE = "more than one such authentication extension"
    UNKNOWN_SPI = "no security association with this SPI"
    WRONG = "the authenticator does not match"
    UNCOVERED = "something follows the authenticator"


class AuthenticationError(NetcontError):
    """A message that must not be believed: whom it failed with (kind) and why."""

    def __init__(self, kind: AuthenticationKind, failure: Failure, spi: int | None = None) -> None:
        which = "" if spi is None else f" (SPI {spi})"
        super().__init__(f"{kind.name.replace('_', '-').lower()}: {failure.value}{which}")
        self.kind = kind
        self.failure = failure
        self.spi = spi


@dataclass(frozen=True, slots=True)
class SecurityAssociation:
    """What two ends agreed on, under a number of their choice (RFC 5944 section 5.1).

    Raises ConfigurationError for reserved SPIs, keys under 128 bits, and keyed MD5 without
    allow_weak.
    """

    spi: int
    algorithm: Algorithm
    key: bytes = field(repr=False)
    replay: Replay = Replay.TIMESTAMP
    allow_weak: bool = False

    def __post_init__(self) -> None:
        if not FIRST_FREE_SPI <= self.spi <= LAST_SPI:
            raise ConfigurationError(
                f"SPI {self.spi} is reserved or not 32 bits",
                remedy=f"choose one from {FIRST_FREE_SPI} to {LAST_SPI}",
            )
        if len(self.key) < MINIMUM_KEY_BYTES:
            raise ConfigurationError(
                f"the key of SPI {self.spi} has {len(self.key)} bytes",
                remedy=f"use at least {MINIMUM_KEY_BYTES} random bytes",
            )
        if self.algorithm is Algorithm.KEYED_MD5 and not self.allow_weak:
            raise ConfigurationError(
                f"SPI {self.spi}: keyed MD5 is broken",
                remedy="use hmac-sha256, or allow weak algorithms for an old peer",
            )


def sign(
    message: Message | bytes, kind: AuthenticationKind, association: SecurityAssociation
) -> bytes:
    """The message's bytes with the authentication extension at their end.

    Raises MessageError if the message has one of this kind already.
    """
    data = message if isinstance(message, bytes) else message.to_bytes()
    if any(found == kind for found, _, _ in _extensions(data)):
        raise unbuildable(f"the message has a {kind.name} authentication extension already")
    length = _SPI_BYTES + association.algorithm.authenticator_bytes
    covered = data + authentication_head(kind, length, association.spi)
    return covered + digest(association, covered)


def verify(
    data: bytes,
    kind: AuthenticationKind,
    associations: Mapping[int, SecurityAssociation],
    *,
    sealed: bool = False,
) -> SecurityAssociation:
    """The association, out of those by SPI, that authenticates a message as it came in.

    sealed: nothing may follow the authenticator. Raises AuthenticationError.
    """
    start = end = 0
    for found, first, last in _extensions(data):
        if found == kind:
            if start:
                raise AuthenticationError(kind, Failure.DUPLICATE)
            start, end = first, last
    if not start:
        raise AuthenticationError(kind, Failure.MISSING)
    covered = start + _HEAD_BYTES
    spi = int.from_bytes(data[start + 2 : covered], "big")
    association = associations.get(spi)
    if association is None:
        raise AuthenticationError(kind, Failure.UNKNOWN_SPI, spi)
    if not hmac.compare_digest(digest(association, data[:covered]), data[covered:end]):
        raise AuthenticationError(kind, Failure.WRONG, spi)
    if sealed and end != len(data):
        raise AuthenticationError(kind, Failure.UNCOVERED, spi)
    return association


def covered(extensions: Iterable[Extension], kind: AuthenticationKind) -> tuple[Extension, ...]:
    """The extensions that an authenticator of this kind vouches for: those before it."""
    before: list[Extension] = []
    for extension in extensions:
        if isinstance(extension, Authentication) and extension.kind is kind:
            return tuple(before)
        before.append(extension)
    return ()


def digest(association: SecurityAssociation, data: bytes) -> bytes:
    """The authenticator over data (RFC 5944 section 5.1)."""
    key = association.key
    if association.algorithm is Algorithm.HMAC_SHA256:
        return hmac.digest(key, data, "sha256")
    if association.algorithm is Algorithm.HMAC_MD5:
        return hmac.digest(key, data, "md5")
    return hashlib.md5(key + data + key).digest()


def _extensions(data: bytes) -> list[tuple[int, int, int]]:
    """Type, first byte and end of the extensions, as far as parse_extensions would follow them."""
    found: list[tuple[int, int, int]] = []
    offset = _EXTENSIONS_AT.get(data[0], len(data)) if data else 0
    while offset + 1 < len(data) and len(found) < MAX_EXTENSIONS:
        end = offset + 2 + data[offset + 1]
        if end > len(data):
            break
        found.append((data[offset], offset, end))
        offset = end
    return found
