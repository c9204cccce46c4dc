"""How long the kernel's connection table keeps what, and what the time left tells of its last use.

A packet sets an entry's time left to one of its protocol's timeouts: to that of its state, or to a
shorter one while TCP's data stay unacknowledged, its window is closed, it repeats itself or only
one direction was seen (nf_conntrack_tcp_packet in net/netfilter/nf_conntrack_proto_tcp.c). Which
one it was is not told: it is taken for the one that makes the last use latest.

Where an administrator has given some connections timeouts of their own (`ct timeout` of nft(8),
nfct(8)), the time left tells nothing.
"""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from netcont.errors import KernelError
from netcont.kernel.namespace import Namespace
from netcont.kernel.rtnetlink import attributes, dump

_NETFILTER = 12  # NETLINK_NETFILTER
_ANY = struct.pack("=BBH", 0, 0, 0)  # nfgenmsg: family, version, resource
_GET_OBJECTS = 10 << 8 | 19  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETOBJ
_OBJECT_TYPE, _CT_TIMEOUT = 3, 7  # NFTA_OBJ_TYPE, NFT_OBJECT_CT_TIMEOUT
_GET_POLICIES = 8 << 8 | 1  # NFNL_SUBSYS_CTNETLINK_TIMEOUT, IPCTNL_MSG_TIMEOUT_GET
_ABSENT = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT})
_SETTINGS = Path("/proc/sys/net/netfilter")
_SETTING = re.compile(r"nf_conntrack_([a-z0-9]+)_timeout(_\w+)?")


@dataclass(frozen=True)
class Timeouts:
    """Those of one namespace. of_protocol: in seconds, the shortest first, by the protocol's name,
    "generic" for all others; empty: they tell nothing."""

    of_protocol: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def idle_s(self, protocol: str, left_s: int) -> int | None:
        """For how many seconds at least an entry was not used; None: it cannot be known.

        left_s: whole seconds until it is forgotten, as the kernel tells them: rounded down.
        """
        known = self.of_protocol.get(protocol) or self.of_protocol.get("generic", ())
        begun_s = next((each for each in known if each >= left_s), None)
        return None if begun_s is None else max(0, begun_s - left_s - 1)


def read_timeouts(node: Namespace) -> Timeouts:
    """What is set there, for all connections alike. Raises KernelError."""
    if _has_policies(node):
        return Timeouts()
    found: dict[str, list[int]] = {}
    with node.entered():
        for path in _SETTINGS.glob("nf_conntrack_*_timeout*"):
            if match := _SETTING.fullmatch(path.name):
                found.setdefault(match[1], []).append(int(path.read_text()))
    return Timeouts({protocol: tuple(sorted(each)) for protocol, each in found.items()})


def _has_policies(node: Namespace) -> bool:
    """Whether some connections may have timeouts of their own."""
    kinds = (attributes(body, len(_ANY)).get(_OBJECT_TYPE) for body in _asked(node, _GET_OBJECTS))
    timeout = _CT_TIMEOUT.to_bytes(4, "big")
    return timeout in kinds or any(True for _ in _asked(node, _GET_POLICIES))


def _asked(node: Namespace, kind: int) -> Iterator[bytes]:
    try:
        yield from dump(node, kind, _ANY, _NETFILTER)
    except KernelError as error:
        if error.errno not in _ABSENT:
            raise
