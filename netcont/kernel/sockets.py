"""This host's own connections: its TCP and UDP sockets, by sock_diag(7). Needs no privilege."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address

from netcont.kernel.flow import Flow
from netcont.kernel.namespace import Namespace
from netcont.kernel.rtnetlink import attributes, dump

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_REQUEST = struct.Struct("=BBBxI48x")  # inet_diag_req_v2: family, protocol, extensions, states
_WITH_INFO = 1 << 1  # INET_DIAG_INFO - 1
_INFO, _INFO_START = frozenset({2}), 72  # INET_DIAG_INFO, sizeof(inet_diag_msg)
_TIMES = struct.Struct("=44xI4xII")  # tcp_info: ms since data sent, data received, ACK received
_ANSWER = struct.Struct("=BBxx2s2s16s16s")  # inet_diag_msg: family, state, ports, addresses
_STATES = (
    *("", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait"),
    *("close", "close-wait", "last-ack", "listen", "closing"),
)  # enum tcp_state
_CONNECTED = {"tcp": sum(1 << state for state in (1, 2, 3, 4, 5, 8, 9, 11)), "udp": 1 << 1}
_NUMBERS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}


def own_flows(node: Namespace) -> Iterator[Flow]:
    """Connections that begin or end on this host; none that is only waiting to be forgotten.

    source is this host's end, whoever began. Raises KernelError.
    """
    for family in (socket.AF_INET, socket.AF_INET6):
        for name, number in _NUMBERS.items():
            request = _REQUEST.pack(family, number, _WITH_INFO, _CONNECTED[name])
            for body in dump(node, _BY_FAMILY, request, _SOCK_DIAG):
                found, state, near, far, source, destination = _ANSWER.unpack_from(body)
                yield Flow(
                    name,
                    _address(found, source),
                    int.from_bytes(near, "big"),
                    _address(found, destination),
                    int.from_bytes(far, "big"),
                    _STATES[state] if name == "tcp" else "",
                    seen_by="socket",
                    idle_s=_idle_s(body),
                )


def _idle_s(body: bytes) -> int | None:
    """Since data went or came, or an ACK came (also that of a keep-alive of this host's); None
    where the kernel does not keep it, as for UDP."""
    info = attributes(body, _INFO_START, _INFO).get(2, b"")
    if len(info) < _TIMES.size:
        return None
    times: tuple[int, ...] = _TIMES.unpack_from(info)
    return min(times) // 1000


def _address(family: int, value: bytes) -> str:
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, value[:4])
    address = IPv6Address(value)
    return str(address.ipv4_mapped or address)
