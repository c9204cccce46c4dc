"""Packets handed to a link itself, past the routing tables: packet(7), RFC 826, RFC 5227.

A tunnel takes whole IP packets; an Ethernet link ARP requests and IP packets for a MAC.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections import defaultdict, deque

from netcont.errors import PrerequisiteError
from netcont.kernel.heard import Heard, Mark, Outcome
from netcont.kernel.icmp import (
    ECHO_HEADER_BYTES,
    IP_HEADER_BYTES,
    NEXT_HEADER,
    Echo,
    echo_request,
    ip_packet,
    payload_of,
    reply_in,
)
from netcont.kernel.question import Ethernet

_EVERYTHING, _IPV4, _ARP, _IPV6 = 0x0003, 0x0800, 0x0806, 0x86DD
_REQUEST, _REPLY = 1, 2
_ARP_PACKET = struct.Struct("!HHBBH6s4s6s4s")
_SO_ATTACH_FILTER = 26
_LARGEST_BYTES = 65535

_INSTRUCTION = struct.Struct("=HBBI")  # sock_filter: code, jump if true, if false, k
_REPLIES = (
    (0x28, 0, 0, 0xFFFFF000),  # ldh [SKF_AD_OFF + SKF_AD_PROTOCOL]
    (0x15, 0, 2, _ARP),
    (0x28, 0, 0, 6),  # ARP: the operation
    (0x15, 5, 6, _REPLY),
    (0x15, 0, 5, _IPV6),
    (0x30, 0, 0, 6),  # IPv6: the next header
    (0x15, 0, 3, NEXT_HEADER[6]),
    (0x30, 0, 0, 40),  # ICMPv6: the type
    (0x15, 0, 1, 129),
    (0x06, 0, 0, _LARGEST_BYTES),  # accepted
    (0x06, 0, 0, 0),
)
"""Classic BPF: the kernel hands over replies only, not all that this host receives."""


class LinkSocket:
    """Sends ARP requests and echo requests by a link, and hears the answers.

    Raises PrerequisiteError without CAP_NET_RAW.
    """

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._asked: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
        try:
            self._out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._in = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERYTHING))
        except PermissionError as error:
            raise PrerequisiteError(
                "asking past the routing tables needs CAP_NET_RAW", remedy="run as root"
            ) from error
        program = ctypes.create_string_buffer(
            b"".join(_INSTRUCTION.pack(*each) for each in _REPLIES)
        )
        # sock_fprog: length and place.
        filtering = struct.pack("HP", len(_REPLIES), ctypes.addressof(program))
        self._in.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filtering)

    def fileno(self) -> int:
        """For poll(2)."""
        return self._in.fileno()

    def close(self) -> None:
        """Closes the sockets."""
        self._in.close()
        self._out.close()

    def ask_arp(
        self, number: int, link: str, macs: Ethernet, target: str, size_bytes: int
    ) -> list[Heard]:
        """Asks who has target, as one that has no address yet (RFC 5227 §1.1).

        size_bytes: of the frame's content; ARP's own 28 are filled up.
        """
        sender, nobody = _mac(macs.source), bytes(4)
        packet = _ARP_PACKET.pack(
            1, _IPV4, 6, 4, _REQUEST, sender, nobody, bytes(6), socket.inet_aton(target)
        )
        # The mark is for who quotes the frame; nobody looks at what follows an ARP packet.
        marked = packet + self._mark.data(number, size_bytes - len(packet))
        self._asked[link, target].append(number)
        return self._sent(number, link, _ARP, macs, marked)

    def ask_echo(
        self,
        number: int,
        link: str,
        macs: Ethernet | None,
        addresses: tuple[str, str],
        size_bytes: int,
    ) -> list[Heard]:
        """Sends an echo request as an IPv6 packet of that size. addresses: source, destination;
        macs: None where the link takes packets as they are."""
        length = size_bytes - IP_HEADER_BYTES[6] - ECHO_HEADER_BYTES
        echo = Echo(self._mark.identifier, number & 0xFFFF, self._mark.data(number, length))
        message = echo_request(6, echo, addresses)
        return self._sent(number, link, _IPV6, macs, ip_packet(6, *addresses, message))

    def _sent(
        self, number: int, link: str, ethertype: int, macs: Ethernet | None, packet: bytes
    ) -> list[Heard]:
        if macs is not None:
            head = _mac(macs.destination) + _mac(macs.source) + struct.pack("!H", ethertype)
            packet = head + packet
        try:
            self._out.sendto(packet, socket.MSG_DONTWAIT, (link, ethertype))
        except BlockingIOError:
            return []  # as if it were lost on its way; it is asked again
        except OSError as error:
            why = str(error.strerror)
            return [Heard(number, Outcome.UNSENT, time.monotonic(), why=why)]
        return []

    def receive(self) -> list[Heard]:
        """Everything that has come by now."""
        found: list[Heard] = []
        while True:
            try:
                data, place = self._in.recvfrom(_LARGEST_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            except OSError:
                continue  # a link went down
            number = None
            if place[2] != socket.PACKET_OUTGOING:
                number = self._number_of(data, place[0], place[1])
            if number is not None:
                found.append(Heard(number, Outcome.ANSWERED, time.monotonic()))

    def _number_of(self, data: bytes, link: str, ethertype: int) -> int | None:
        if ethertype == _ARP and len(data) >= _ARP_PACKET.size:
            *_, operation, _, sender, _, _ = _ARP_PACKET.unpack_from(data)
            waiting = self._asked.get((link, socket.inet_ntoa(sender)))
            # Answers do not say to which request: the oldest is thought to be meant.
            return waiting.popleft() if waiting and operation == _REPLY else None
        if ethertype == _IPV6:
            reply = reply_in(6, payload_of(6, data))
            return None if reply is None else self._mark.number_in(reply.data)
        return None


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
