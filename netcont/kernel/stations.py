"""Who was heard through a port of a bridge, and when: the bridge's forwarding database.

A frame that comes in renews `updated` of its source's entry; one that is forwarded to that station
renews `used` (br_fdb_update, br_handle_frame_finish in net/bridge; `bridge -s fdb` shows both). An
entry that is not updated for the bridge's ageing time is removed: what was before cannot be told.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from netcont.kernel.namespace import Namespace
from netcont.kernel.rtnetlink import (
    RTM_GETLINK,
    RTM_GETNEIGH,
    Attributes,
    attributes,
    dump,
    mac,
    number,
    text,
)

_LINK = struct.Struct("=BxHiII")  # ifinfomsg
_ALL_LINKS = _LINK.pack(0, 0, 0, 0, 0) + struct.pack("=HHI", 8, 29, 8)  # without counters
_NEIGHBOUR = struct.Struct("=BxHiHBB")  # ndmsg
_CACHE = struct.Struct("=IIII")  # nda_cacheinfo: confirmed, used, updated, references
_OF_LINKS = frozenset({3, 10, 18})  # IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO
_OF_STATIONS = frozenset({2, 3, 5, 9})  # NDA_LLADDR, NDA_CACHEINFO, NDA_VLAN, NDA_MASTER
_LOCAL = 0x80  # NUD_PERMANENT: the port's own address, since it became a port
_TICKS = 100  # USER_HZ, in which the kernel tells times, on every architecture


@dataclass(frozen=True)
class Station:
    """A MAC address beyond a port. vlan: None if the bridge knows none. heard_s: since a frame came
    from it; sent_s: since one was forwarded to it, or it was learned."""

    mac: str
    vlan: int | None
    heard_s: float
    sent_s: float

    @property
    def idle_s(self) -> float:
        """Since either."""
        return min(self.heard_s, self.sent_s)

    def __str__(self) -> str:
        vlan = "" if self.vlan is None else f" in VLAN {self.vlan}"
        return (
            f"{self.mac}{vlan} spoke {self.heard_s:.0f} s ago, was sent to {self.sent_s:.0f} s ago"
        )


@dataclass(frozen=True)
class Port:
    """A link that is a port of a bridge. stations: beyond it, the last used one first. since_s: for
    how long it is a port; remembers_s: for how long a silent station is remembered there, None: no
    station is learned."""

    link: str
    bridge: str
    stations: tuple[Station, ...]
    since_s: float
    remembers_s: float | None

    @property
    def silent_s(self) -> float:
        """For how long at least no frame came in through it, nor went to a known station."""
        used = (each.idle_s for each in self.stations)
        return min(self.since_s, self.remembers_s or 0.0, *used)


def read_ports(node: Namespace, links: Collection[str]) -> dict[str, Port]:
    """Those of the links that are ports of a bridge there, by name. Needs no privilege. Raises
    KernelError."""
    found = {}
    for body in dump(node, RTM_GETLINK, _ALL_LINKS):
        found[_LINK.unpack_from(body)[2]] = attributes(body, _LINK.size, _OF_LINKS)
    wanted = {index: each for index, each in found.items() if text(each.get(3)) in links}
    stations: dict[int, list[Station]] = {}
    ages_s: dict[int, float] = {}
    for body in dump(node, RTM_GETNEIGH, _NEIGHBOUR.pack(socket.AF_BRIDGE, 0, 0, 0, 0, 0)):
        _, _, index, state, _, _ = _NEIGHBOUR.unpack_from(body)
        parts = attributes(body, _NEIGHBOUR.size, _OF_STATIONS)
        if index not in wanted or 9 not in parts or 3 not in parts:
            continue  # 9: the bridge's, not that of a VXLAN link
        one = _station(parts)
        if state & _LOCAL:
            ages_s[index] = min(one.heard_s, ages_s.get(index, one.heard_s))
        else:
            stations.setdefault(index, []).append(one)
    ports = {}
    for index, each in wanted.items():
        bridge = found.get(number(each.get(10)))
        if bridge is not None and index in ages_s:
            known = sorted(stations.get(index, []), key=lambda one: one.idle_s)
            name = text(each.get(3))
            ports[name] = Port(
                name, text(bridge.get(3)), tuple(known), ages_s[index], _remembers_s(bridge, each)
            )
    return ports


def _station(parts: Attributes) -> Station:
    _, used, updated, _ = _CACHE.unpack_from(parts[3])
    vlan = number(parts[5]) if 5 in parts else None
    return Station(mac(parts.get(2)) or "", vlan, updated / _TICKS, used / _TICKS)


def _remembers_s(bridge: Mapping[int, bytes], port: Mapping[int, bytes]) -> float | None:
    of_port = attributes(attributes(port.get(18, b"")).get(5, b""))
    if not number(of_port.get(8)):  # IFLA_BRPORT_LEARNING
        return None
    of_bridge = attributes(attributes(bridge.get(18, b"")).get(2, b""))
    delay, ageing, spanning = (number(of_bridge.get(each)) for each in (1, 4, 5))  # IFLA_BR_…
    # With STP, a change of the topology shortens it to the forward delay.
    return (min(ageing, delay) if spanning else ageing) / _TICKS
