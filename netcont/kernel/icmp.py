"""ICMP echo as bytes, of IPv4 (RFC 792) and of IPv6 (RFC 4443 §4): made and taken apart. Pure."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

IP_HEADER_BYTES = {4: 20, 6: 40}
ECHO_HEADER_BYTES = 8
NEXT_HEADER = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}

_REQUEST = {4: 8, 6: 128}
_REPLY = {4: 0, 6: 129}
_UNREACHABLE = {
    4: {
        (3, 0): "network unreachable",
        (3, 1): "host unreachable",
        (3, 9): "network prohibited",
        (3, 10): "host prohibited",
        (3, 13): "administratively prohibited",
    },
    6: {
        (1, 0): "no route",
        (1, 1): "administratively prohibited",
        (1, 3): "address unreachable",
    },
}
_REFUSED = {
    4: {(3, 2): "protocol unreachable", (3, 3): "port unreachable"},
    6: {(1, 4): "port unreachable", (4, 1): "next header unknown"},
}
"""By type and code: RFC 792 and RFC 1812 §5.2.7.1; RFC 4443 §3.1 and §3.4."""

_ECHO = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence
_HOP_LIMIT = 64


class Echo(NamedTuple):
    """An echo reply, or an echo request that an error message quotes."""

    identifier: int
    sequence: int
    data: bytes


def internet_checksum(data: bytes) -> int:
    """RFC 1071; an odd byte is padded with a zero."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def echo_request(family: int, echo: Echo, addresses: tuple[str, str] | None = None) -> bytes:
    """The message. family: 4 or 6.

    addresses: source and destination, which IPv6's checksum covers (RFC 8200 §8.1); the kernel puts
    that checksum into what a raw socket sends, so it may be left to it.
    """
    head = _ECHO.pack(_REQUEST[family], 0, 0, echo.identifier, echo.sequence)
    covered = head + echo.data
    if family == 6 and addresses is not None:
        source, destination = (_binary(6, each) for each in addresses)
        ending = struct.pack("!II", len(covered), NEXT_HEADER[6])
        covered = source + destination + ending + covered
    checksum = internet_checksum(covered) if family == 4 or addresses is not None else 0
    return head[:2] + struct.pack("!H", checksum) + head[4:] + echo.data


def ip_packet(family: int, source: str, destination: str, message: bytes) -> bytes:
    """An ICMP message in an IP packet that may not be fragmented."""
    ends = _binary(family, source) + _binary(family, destination)
    if family == 6:
        head = struct.pack("!IHBB", 6 << 28, len(message), NEXT_HEADER[6], _HOP_LIMIT)
        return head + ends + message
    length = IP_HEADER_BYTES[4] + len(message)
    first = struct.pack("!BBHHHBB", 0x45, 0, length, 0, 0x4000, _HOP_LIMIT, NEXT_HEADER[4])
    checksum = internet_checksum(first + b"\0\0" + ends)
    return first + struct.pack("!H", checksum) + ends + message


def reply_in(family: int, message: bytes) -> Echo | None:
    """The echo reply that a message is; None if it is another."""
    return _echo_in(message, _REPLY[family])


def request_in(family: int, message: bytes) -> Echo | None:
    """The echo request that an error quotes, cut or whole; None if it is another message."""
    return _echo_in(message, _REQUEST[family])


class Failure(NamedTuple):
    """Why a packet was not delivered; refused: it got there. quoted: the packet, or its head."""

    why: str
    refused: bool
    quoted: bytes


def failure_in(family: int, message: bytes) -> Failure | None:
    """What a message says of a packet; None if it is about something else, such as its size."""
    if len(message) < ECHO_HEADER_BYTES:
        return None
    kind = (message[0], message[1])
    refused = kind in _REFUSED[family]
    why = (_REFUSED if refused else _UNREACHABLE)[family].get(kind)
    return None if why is None else Failure(why, refused, message[ECHO_HEADER_BYTES:])


def payload_of(family: int, packet: bytes) -> bytes:
    """What an IP packet carries; of IPv6, one without extension headers."""
    length = (packet[0] & 15) * 4 if family == 4 and packet else IP_HEADER_BYTES[family]
    return packet[length:]


def _echo_in(message: bytes, kind: int) -> Echo | None:
    if len(message) < _ECHO.size or message[0] != kind:
        return None
    _, _, _, identifier, sequence = _ECHO.unpack_from(message)
    return Echo(identifier, sequence, message[_ECHO.size :])


def _binary(family: int, address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET if family == 4 else socket.AF_INET6, address)
