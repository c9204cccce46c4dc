"""Registration Request and Reply (RFC 5944 sections 3.3 and 3.4), and the way in for all bytes.

Messages travel over UDP, port 434, and are nothing but their bytes here: no addresses, no clock.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv4Address
from typing import Self, TypeAlias

from netcont.mobileip.codes import Code
from netcont.mobileip.errors import malformed, unbuildable
from netcont.mobileip.extensions import Extension, parse_extensions
from netcont.mobileip.revocation import Revocation, RevocationAck

PORT = 434
"""Of home and foreign agents, over UDP (RFC 5944 section 3.3)."""

INFINITE_LIFETIME_S = 0xFFFF
"""The lifetime that never ends (RFC 5944 section 3.3)."""

_REQUEST = struct.Struct("!BBHIIIQ")
_REPLY = struct.Struct("!BBHIIQ")


class Flags(IntFlag):
    """What a Registration Request asks for (RFC 5944 section 3.3)."""

    SIMULTANEOUS_BINDINGS = 0x80
    BROADCAST_DATAGRAMS = 0x40
    DECAPSULATION_BY_NODE = 0x20
    MINIMAL_ENCAPSULATION = 0x10
    GRE_ENCAPSULATION = 0x08
    RESERVED_R = 0x04
    REVERSE_TUNNELING = 0x02
    RESERVED_X = 0x01

    # The letters of the RFC.
    S = SIMULTANEOUS_BINDINGS
    B = BROADCAST_DATAGRAMS
    D = DECAPSULATION_BY_NODE
    M = MINIMAL_ENCAPSULATION
    G = GRE_ENCAPSULATION
    r = RESERVED_R
    T = REVERSE_TUNNELING
    x = RESERVED_X


@dataclass(frozen=True, slots=True)
class RegistrationRequest:
    """A mobile node asks for, renews or ends (lifetime 0) a binding (RFC 5944 section 3.3)."""

    flags: Flags
    lifetime_s: int
    home_address: IPv4Address
    home_agent: IPv4Address
    care_of_address: IPv4Address
    identification: int
    extensions: tuple[Extension, ...] = ()

    TYPE = 1
    HEAD_BYTES = _REQUEST.size

    def to_bytes(self) -> bytes:
        """Raises MessageError if a value does not fit into its field."""
        try:
            head = _REQUEST.pack(
                self.TYPE,
                self.flags,
                self.lifetime_s,
                int(self.home_address),
                int(self.home_agent),
                int(self.care_of_address),
                self.identification,
            )
        except struct.error as error:
            raise unbuildable(f"Registration Request: {error}") from error
        return head + b"".join([extension.to_bytes() for extension in self.extensions])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises MessageError with code 134 (70 for a foreign agent) if it is poorly formed."""
        return cls._of(data, with_extensions=True)

    @classmethod
    def head_from_bytes(cls, data: bytes) -> Self:
        """The request without its extensions: what a denial of poorly formed ones is made from.

        Raises MessageError if even this part is cut short.
        """
        return cls._of(data, with_extensions=False)

    @classmethod
    def _of(cls, data: bytes, *, with_extensions: bool) -> Self:
        if len(data) < _REQUEST.size or data[0] != cls.TYPE:
            raise malformed(f"{len(data)} bytes are no Registration Request")
        _, bits, lifetime_s, home, agent, care_of, identification = _REQUEST.unpack_from(data)
        extensions: tuple[Extension, ...] = ()
        if with_extensions:
            extensions = parse_extensions(data, _REQUEST.size, code=Code.HA_POORLY_FORMED_REQUEST)
        return cls(
            _FLAGS[bits],
            lifetime_s,
            IPv4Address(home),
            IPv4Address(agent),
            IPv4Address(care_of),
            identification,
            extensions,
        )


@dataclass(frozen=True, slots=True)
class RegistrationReply:
    """What became of a request (RFC 5944 section 3.4).

    code: a Code, or a plain number where we do not know it; see the functions of `codes`.
    """

    code: int
    lifetime_s: int
    home_address: IPv4Address
    home_agent: IPv4Address
    identification: int
    extensions: tuple[Extension, ...] = ()

    TYPE = 3
    HEAD_BYTES = _REPLY.size

    def to_bytes(self) -> bytes:
        """Raises MessageError if a value does not fit into its field."""
        try:
            head = _REPLY.pack(
                self.TYPE,
                self.code,
                self.lifetime_s,
                int(self.home_address),
                int(self.home_agent),
                self.identification,
            )
        except struct.error as error:
            raise unbuildable(f"Registration Reply: {error}") from error
        return head + b"".join([extension.to_bytes() for extension in self.extensions])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises MessageError with code 71 if extensions are poorly formed, else without."""
        if len(data) < _REPLY.size or data[0] != cls.TYPE:
            raise malformed(f"{len(data)} bytes are no Registration Reply")
        _, code, lifetime_s, home, agent, identification = _REPLY.unpack_from(data)
        return cls(
            _CODES.get(code, code),
            lifetime_s,
            IPv4Address(home),
            IPv4Address(agent),
            identification,
            parse_extensions(data, _REPLY.size, code=Code.FA_POORLY_FORMED_REPLY),
        )


Message: TypeAlias = RegistrationRequest | RegistrationReply | Revocation | RevocationAck


def parse(data: bytes) -> Message:
    """The message that a datagram to or from port 434 holds.

    Raises MessageError for any other bytes.
    """
    parser = _PARSERS.get(data[0]) if data else None
    if parser is None:
        raise malformed(f"no message of a known type: {data[:1].hex() or 'empty'}")
    return parser(data)


_FLAGS = tuple(Flags(bits) for bits in range(256))
_CODES = {int(code): code for code in Code}

_PARSERS: dict[int, Callable[[bytes], Message]] = {
    RegistrationRequest.TYPE: RegistrationRequest.from_bytes,
    RegistrationReply.TYPE: RegistrationReply.from_bytes,
    Revocation.TYPE: Revocation.from_bytes,
    RevocationAck.TYPE: RevocationAck.from_bytes,
}
