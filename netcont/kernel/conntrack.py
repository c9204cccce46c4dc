"""Connections that pass this host, as its kernel tracks them.

The messages are those of linux/netfilter/nfnetlink_conntrack.h.

The kernel tracks in a namespace only once some rule there asks for it, for each family apart. So a
datagram is sent over the loopback first: a family in whose table it does not appear is not tracked,
and an empty table says nothing.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from netcont.errors import KernelError
from netcont.kernel.flow import Flow
from netcont.kernel.namespace import Namespace
from netcont.kernel.rtnetlink import Attributes, address, attributes, dump
from netcont.kernel.timeouts import Timeouts, read_timeouts

_NETFILTER = 12  # NETLINK_NETFILTER
_GET = 0x101  # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET
_HEADER = struct.Struct("=BBH")  # nfgenmsg: family, version, resource
_ORIGINAL, _REPLY, _STATUS, _PROTOINFO, _TIMEOUT = 1, 2, 3, 4, 7  # CTA_…
_WANTED = frozenset({_ORIGINAL, _REPLY, _STATUS, _PROTOINFO, _TIMEOUT})
_NOT_RENEWED = 1 << 10 | 1 << 14 | 1 << 15  # IPS_FIXED_TIMEOUT, _OFFLOAD, _HW_OFFLOAD
_STATES = (
    *("none", "syn-sent", "syn-recv", "established", "fin-wait", "close-wait"),
    *("last-ack", "time-wait", "close", "syn-sent"),
)  # enum tcp_conntrack
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 47: "gre", 58: "icmpv6", 132: "sctp"}
UNRENEWED = frozenset({"syn-sent"})
"""States in which a packet may leave the time left as it is: a repeated SYN does."""
_TWO = {4: struct.Struct("=HHHHHH4sHH4s"), 6: struct.Struct("=HHHHHH16sHH16s")}
_KINDS = {4: (1, 2), 6: (3, 4)}  # CTA_IP_V4_SRC, _DST, CTA_IP_V6_SRC, _DST
_TYPE_MASK = 0x3FFF
"""A tuple's attribute, the addresses' in it, and the two addresses; types without flags."""
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True)
class Tracked:
    """The table. versions: of IP that are tracked (4, 6)."""

    flows: tuple[Flow, ...]
    versions: frozenset[int]


def read_conntrack(node: Namespace, wanted: Callable[[bytes], bool] | None = None) -> Tracked:
    """The connections that the kernel knows there; needs CAP_NET_ADMIN.

    wanted: whether those of an address (in network order) are to be told; None: all are. A table
    may hold a quarter of a million. Raises KernelError: EPERM without the privilege, another errno
    where the kernel has no table.
    """
    with node.entered():
        marks: dict[tuple[str, int | None], int] = {
            (_LOOPBACK[each], _mark(each)): each for each in _LOOPBACK
        }
    found, timeouts = [], read_timeouts(node)
    for version, family in _FAMILIES.items():
        own = socket.inet_pton(family, _LOOPBACK[version])
        for body in dump(node, _GET, _HEADER.pack(family, 0, 0), _NETFILTER):
            ends = _addresses(body, version) if wanted else None
            if wanted and ends and ends[0] != own and not any(map(wanted, ends)):
                continue
            flow = _flow(attributes(body, _HEADER.size, _WANTED), timeouts)
            if flow is not None:
                found.append(flow)
    seen = frozenset(marks[_begin(flow)] for flow in found if _begin(flow) in marks)
    return Tracked(tuple(flow for flow in found if _begin(flow) not in marks), seen)


def _addresses(body: bytes, version: int) -> tuple[bytes, ...] | None:
    """Source and destination of both directions, where they stand as the kernel writes them; None
    if they stand elsewhere."""
    two, found, start = _TWO[version], [], _HEADER.size
    for _ in range(2):
        if start + two.size > len(body):
            return None
        length, _, _, ip, _, first, source, _, second, destination = two.unpack_from(body, start)
        if (ip & _TYPE_MASK, first, second) != (1, *_KINDS[version]):
            return None
        found += [source, destination]
        start += length
    return tuple(found)


def _begin(flow: Flow) -> tuple[str, int | None]:
    return (flow.source, flow.source_port)


def _mark(version: int) -> int:
    """The port of a datagram that has just been sent over the loopback; -1: it was refused."""
    with socket.socket(_FAMILIES[version], socket.SOCK_DGRAM) as one:
        try:
            one.bind((_LOOPBACK[version], 0))
            one.sendto(b"", one.getsockname()[:2])
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EPERM):
                return -1  # no such family here, or a firewall on the loopback
            raise KernelError(f"the loopback is not usable: {error}", errno=error.errno) from error
        return int(one.getsockname()[1])


def _flow(found: Attributes, timeouts: Timeouts) -> Flow | None:
    original, reply = _tuple(found.get(_ORIGINAL)), _tuple(found.get(_REPLY))
    if original is None or reply is None:
        return None
    number, source, source_port, destination, destination_port = original
    ends = {source, destination}
    state = attributes(attributes(found.get(_PROTOINFO, b"")).get(1, b"")).get(1)
    name = _PROTOCOLS.get(number, str(number))
    state_name = _STATES[state[0]] if state and state[0] < len(_STATES) else ""
    left_s, idle_s = _left_s(found), None
    if left_s is not None and state_name not in UNRENEWED:
        idle_s = timeouts.idle_s(name, left_s)
    return Flow(
        name,
        source,
        source_port,
        destination,
        destination_port,
        state_name,
        left_s,
        tuple(each for each in (reply[1], reply[3]) if each not in ends),
        idle_s=idle_s,
    )


def _left_s(found: Attributes) -> int | None:
    """Until it is forgotten; None where a packet would not change that, as of what a flow table
    forwards past the connection table."""
    timeout, status = found.get(_TIMEOUT), int.from_bytes(found.get(_STATUS, b""), "big")
    return None if timeout is None or status & _NOT_RENEWED else int.from_bytes(timeout, "big")


def _tuple(value: bytes | None) -> tuple[int, str, int | None, str, int | None] | None:
    """Protocol, source, its port, destination, its port (CTA_TUPLE_…)."""
    parts = attributes(value or b"")
    ip, protocol = attributes(parts.get(1, b"")), attributes(parts.get(2, b""))
    source, destination = _one(ip, (1, 3)), _one(ip, (2, 4))
    if source is None or destination is None or 1 not in protocol:
        return None
    return protocol[1][0], source, _port(protocol, 2), destination, _port(protocol, 3)


def _one(ip: Mapping[int, bytes], kinds: Iterable[int]) -> str | None:
    return next((address(ip[kind]) for kind in kinds if kind in ip), None)


def _port(protocol: Mapping[int, bytes], kind: int) -> int | None:
    return int.from_bytes(protocol[kind], "big") if kind in protocol else None
