"""The agent's sockets: UDP port 434 (RFC 5944 3.4), ICMP on its link, the kernel's news."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address

from netcont.errors import ConfigurationError
from netcont.mobileip.datagram import Datagram, Endpoint, IcmpMessage
from netcont.mobileip.messages import PORT

_BATCH = 64
_address = lru_cache(maxsize=4096)(IPv4Address)
_DATAGRAM_BYTES = 65535
_SO_BINDTODEVICE = 25
_IP_PKTINFO = 8
_ICMP_FILTER = 1
_RTMGRP_LINK = 1
_RTMGRP_IPV4_IFADDR = 0x10
_DISCOVERY = (9, 10)


class Wires:
    """Open sockets of one agent. everywhere: port 434 of any address, for a node that roams."""

    def __init__(self, address: IPv4Address, link: str, *, everywhere: bool, icmp: bool) -> None:
        self._link = link
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.news = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        self.icmp: socket.socket | None = None
        try:
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
            self.udp.bind(("0.0.0.0" if everywhere else str(address), PORT))
            self.news.bind((0, _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR))
            if icmp:
                self.icmp = _icmp_socket(link, address)
        except OSError as error:
            self.close()
            raise ConfigurationError(
                f"cannot listen on {address}, link {link}: {error.strerror}",
                remedy="has this host that address and that link? is another agent running?",
            ) from error

    def close(self) -> None:
        """Closes all of them."""
        for one in (self.udp, self.news, self.icmp):
            if one is not None:
                one.close()

    def datagrams(self) -> list[tuple[bytes, Endpoint]]:
        """What has come to port 434, a batch at most."""
        found: list[tuple[bytes, Endpoint]] = []
        try:
            while len(found) < _BATCH:
                data, (host, port) = self.udp.recvfrom(_DATAGRAM_BYTES)
                found.append((data, (_address(host), port)))
        except BlockingIOError:
            pass
        return found

    def icmp_messages(self) -> Iterator[tuple[bytes, IPv4Address]]:
        """Advertisements and solicitations that came, without their IP headers."""
        assert self.icmp is not None
        for _ in range(_BATCH):
            try:
                packet = self.icmp.recv(_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            head_bytes = (packet[0] & 0x0F) * 4 if packet else 0
            if len(packet) > head_bytes >= 20 and packet[head_bytes] in _DISCOVERY:
                yield packet[head_bytes:], IPv4Address(packet[12:16])

    def take_news(self) -> None:
        """Whatever the kernel has told; that it has is enough."""
        try:
            while self.news.recv(_DATAGRAM_BYTES):
                pass
        except (BlockingIOError, OSError):
            return

    def send(
        self,
        datagrams: Iterable[Datagram],
        messages: Iterable[IcmpMessage],
        is_near: Callable[[Datagram], bool],
    ) -> list[str]:
        """Sends all; returns why some could not be sent. Whoever waits for them asks again.

        is_near: whether one is for a neighbour on the link, whatever routes say of its address.
        """
        failed = []
        for one in datagrams:
            to = (str(one.to[0]), one.to[1])
            try:
                if is_near(one):
                    # With the link given and gateways ruled out, the kernel asks ARP there.
                    index = socket.if_nametoindex(self._link)
                    info = struct.pack("i4s4s", index, bytes(4), bytes(4))
                    control = [(socket.IPPROTO_IP, _IP_PKTINFO, info)]
                    self.udp.sendmsg([one.data], control, socket.MSG_DONTROUTE, to)
                else:
                    self.udp.sendto(one.data, to)
            except OSError as error:
                failed.append(f"to {one.to[0]}: {error.strerror}")
        for message in messages:
            if self.icmp is None:
                continue
            try:
                self.icmp.sendto(message.data, (str(message.to), 0))
            except OSError as error:
                failed.append(f"to {message.to}: {error.strerror}")
        return failed


def _icmp_socket(link: str, address: IPv4Address) -> socket.socket:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 1)
    try:
        raw.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, link.encode() + b"\0")
        keep = ~sum(1 << kind for kind in _DISCOVERY) & 0xFFFFFFFF
        raw.setsockopt(
            socket.SOL_RAW if hasattr(socket, "SOL_RAW") else 255,
            _ICMP_FILTER,
            struct.pack("I", keep),
        )
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        index = socket.if_nametoindex(link)
        for group in ("224.0.0.1", "224.0.0.2"):
            member = socket.inet_aton(group) + address.packed + struct.pack("i", index)
            raw.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        outlet = socket.inet_aton("0.0.0.0") + address.packed + struct.pack("i", index)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, outlet)
    except OSError:
        raw.close()
        raise
    return raw
