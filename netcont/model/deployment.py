"""One file for both ends of tunnels and layer-2 extensions on real gateways. Pure values.

Each side reads the same file and takes its half. Quantities say their unit in their names. No text
is empty; a list of one may be written as the one alone (see netcont.deploy.kinds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, NamedTuple

from netcont.model.numbers import TUNNEL_TABLE

NAME_BYTES = 15
"""What the kernel keeps of a link's name (IFNAMSIZ, without the final zero)."""

HOME_AGENT = "home_agent"
"""What a guest is over that Mobile IP carries."""

IPV6_MTU_BYTES = 1280
"""A link below that carries no IPv6 (RFC 8200 §5)."""


class Between(NamedTuple):
    """The least and the greatest that a number may be."""

    low: int
    high: int


class Key(NamedTuple):
    """What a value is called in a file, where that is no name for Python."""

    word: str


Mtu = Annotated[int, Between(576, 65535)]


def family_of(text: str) -> int:
    """4 or 6: the family of an address or a prefix."""
    return 6 if ":" in text else 4


def of_family(texts: Sequence[str], family: int) -> str | None:
    """The first of these addresses or prefixes that is of a family; None if none is."""
    return next((each for each in texts if family_of(each) == family), None)


class SideName(StrEnum):
    """The two ends."""

    A = "a"
    B = "b"

    @property
    def other(self) -> SideName:
        """The far end."""
        return SideName.B if self is SideName.A else SideName.A


class TunnelKind(StrEnum):
    """RFC 2784 or RFC 2003."""

    GRE = "gre"
    IPIP = "ipip"


class ExtensionKind(StrEnum):
    """802.1Q over a carrier's circuit, or RFC 7348."""

    VLAN = "vlan"
    VXLAN = "vxlan"


class Side(NamedTuple):
    """One end. address: where tunnels end (an address of this host, IPv4 or IPv6). link: the LAN
    that guests are in, or will be; prefix: that LAN's prefix, one of each family at most. Both are
    needed for guests only."""

    address: str
    link: str | None = None
    prefix: tuple[str, ...] = ()


class Sides(NamedTuple):
    """Both ends."""

    a: Side
    b: Side


class PerSide(NamedTuple):
    """A text for each end, where there is one."""

    a: str | None = None
    b: str | None = None

    def at(self, side: SideName) -> str | None:
        """The one of this side."""
        return self.a if side is SideName.A else self.b


class ListPerSide(NamedTuple):
    """tuple[str, ...] for each end."""

    a: tuple[str, ...] = ()
    b: tuple[str, ...] = ()

    def at(self, side: SideName) -> tuple[str, ...]:
        """Those of this side."""
        return self.a if side is SideName.A else self.b


class Tunnel(NamedTuple):
    """An IP tunnel between the sides' addresses, which decide the family of outer packets.

    key: GRE only (RFC 2890). ttl, tos: of outer packets; ttl 0 and tos 1 take over the inner
    packet's (as in the kernel). pmtudisc: outer packets are not to be fragmented (IPv4 only; IPv6
    never is on its way). mtu_bytes None: the kernel's own choice. addresses: of the tunnel's two
    ends, with prefix length, one of each family at most. routes: prefixes that each side reaches
    through the tunnel. table: where guests' way back is kept.
    """

    kind: TunnelKind
    name: str = "nc-tun"
    key: Annotated[int, Between(0, 2**32 - 1)] | None = None
    ttl: Annotated[int, Between(0, 255)] = 64
    tos: Annotated[int, Between(0, 255)] = 0
    mtu_bytes: Mtu | None = None
    pmtudisc: bool = True
    addresses: ListPerSide = ListPerSide()
    routes: ListPerSide = ListPerSide()
    table: Annotated[int, Between(1, 2**32 - 1)] | None = None


class Extension(NamedTuple):
    """A layer-2 segment that reaches over both sides.

    name None: nc-vxVNI or nc-vlanID. bridge: which bridge the segment joins on each side; one
    called nc-… is made, any other must be there. parent: the link to the carrier's circuit (vlan).
    head_end: where frames for everybody go besides the other side (vxlan). group: a multicast group
    where they go instead, joined on each side's device. loop_guard: the port in a bridge that
    speaks STP is shut if it hears another one, such as itself. fragment: the MTU is the path's, and
    outer packets may be fragmented, but for what may not be fragmented itself. addresses, routes:
    as a tunnel's, for a routed segment without a bridge, or of the bridges.

    anycast_gateway: the gateway of the hosts on the segment, one of each family at most, which the
    bridges of both sides have (RFC 9135 §4.1), each for the hosts on its own side: what is asked
    and told about it does not pass the extension (FHRP isolation). A bridge that is made gets it;
    any other must have it.
    """

    kind: ExtensionKind
    name: str | None = None
    bridge: PerSide = PerSide()
    vlan_id: Annotated[int, Between(1, 4094)] | None = None
    parent: PerSide = PerSide()
    vni: Annotated[int, Between(1, 2**24 - 1)] | None = None
    port: Annotated[int, Between(1, 65535)] = 4789
    head_end: tuple[str, ...] = ()
    group: str | None = None
    device: PerSide = PerSide()
    anycast_gateway: tuple[str, ...] = ()
    arp_suppression: bool = False
    loop_guard: bool = True
    mtu_bytes: Mtu | None = None
    fragment: bool = False
    addresses: ListPerSide = ListPerSide()
    routes: ListPerSide = ListPerSide()

    @property
    def link(self) -> str:
        """The link's name."""
        vxlan = self.kind is ExtensionKind.VXLAN
        return self.name or (f"nc-vx{self.vni}" if vxlan else f"nc-vlan{self.vlan_id}")


class Guest(NamedTuple):
    """An address that is carried to the other side.

    source: where it is at home. over: the tunnel's or the extension's name, None where there is
    only one. reverse: what it sends goes back through the tunnel (else only what is for its old
    LAN). gateway: its gateway's address, so that it is told who that is now; neighbours: others of
    its old LAN that it talks to, who are there under the gateway's MAC at the other side (needed
    with IPv6, which has no proxy for whoever is asked for). mac: its own, for the announcement on
    an extended segment.
    """

    address: str
    source: Annotated[SideName, Key("from")]
    over: str | None = None
    reverse: bool = True
    gateway: str | None = None
    neighbours: tuple[str, ...] = ()
    mac: str | None = None


class HomeAgent(NamedTuple):
    """Guests carried by Mobile IP (RFC 5944) instead of a tunnel: those with over = "home_agent",
    or all where there is neither a tunnel nor an extension.

    Their home side runs a home agent, the other side a foreign agent that registers them, each at
    its side's address. spi, key_file: of the guests' key, which both sides have (a file with mode
    0600). agents_spi, agents_key_file: of a key between the two agents. gre: GRE instead of IP in
    IP. lifetime_s: of a registration.
    """

    spi: Annotated[int, Between(256, 2**32 - 1)]
    key_file: str
    agents_spi: Annotated[int, Between(256, 2**32 - 1)] | None = None
    agents_key_file: str | None = None
    gre: bool = False
    lifetime_s: Annotated[int, Between(10, 65535)] = 300


class DnsName(NamedTuple):
    """A name whose addresses follow the guests.

    addresses: all of its A and AAAA records while they are at each side; at its guest's home that
    guest's address, if none is given. A family that neither side has stays as it is. guest: whose
    name it is; source: without one, the side that it is at home. by: the side that makes the
    update; None: the one that guests move to. server: the zone's primary, None: that of its SOA
    record; resolver: how servers are found, none: /etc/resolv.conf; port: where they listen.
    key_file: a TSIG key on that side. ttl_s: from the move on, None: as it is. ptr: whether
    pointers move as well, None: if an address has one; ptr_key_file, ptr_server: where these are
    others.
    """

    name: str
    addresses: ListPerSide = ListPerSide()
    guest: str | None = None
    source: Annotated[SideName | None, Key("from")] = None
    by: SideName | None = None
    server: str | None = None
    key_file: str | None = None
    resolver: tuple[str, ...] = ()
    port: Annotated[int, Between(1, 65535)] = 53
    ttl_s: Annotated[int, Between(0, 2**31 - 1)] | None = None
    ptr: bool | None = None
    ptr_server: str | None = None
    ptr_key_file: str | None = None


_IP_BYTES = {4: 20, 6: 40}
_WITHIN_BYTES = {TunnelKind.IPIP: 0, TunnelKind.GRE: 4, ExtensionKind.VXLAN: 8 + 8 + 14}


@dataclass(frozen=True)
class Deployment:
    """What a file says. path_mtu_bytes: the largest packet that passes between the sides."""

    side: Sides
    path_mtu_bytes: Annotated[int, Between(576, 65535)] = 1500
    tunnel: tuple[Tunnel, ...] = ()
    extension: tuple[Extension, ...] = ()
    guest: tuple[Guest, ...] = ()
    home_agent: HomeAgent | None = None
    dns: tuple[DnsName, ...] = ()

    def at(self, side: SideName) -> Side:
        """One end."""
        return self.side.a if side is SideName.A else self.side.b

    @cached_property
    def family(self) -> int:
        """4 or 6: of outer packets."""
        return family_of(self.side.a.address)

    def overhead_bytes(self, one: Tunnel | Extension) -> int:
        """What encapsulation adds to a packet: the outer IP header, then GRE's (RFC 2784 §2.1, key:
        RFC 2890 §2), or UDP, VXLAN and inner Ethernet headers (RFC 7348 §5). A VLAN's tag costs a
        link nothing."""
        if one.kind is ExtensionKind.VLAN:
            return 0
        key = 4 if isinstance(one, Tunnel) and one.key is not None else 0
        return _IP_BYTES[self.family] + _WITHIN_BYTES[one.kind] + key

    def mtu_of(self, one: Tunnel | Extension) -> int | None:
        """The link's MTU in bytes; None: the kernel chooses."""
        if one.mtu_bytes is not None or isinstance(one, Tunnel):
            return one.mtu_bytes
        if one.kind is ExtensionKind.VLAN:
            return None
        return self.path_mtu_bytes - (0 if one.fragment else self.overhead_bytes(one))

    def home_of(self, one: DnsName) -> SideName | None:
        """The side that a name is at home; None if the file does not say."""
        homes = {each.address: each.source for each in self.guest}
        return one.source if one.guest is None else homes.get(one.guest)

    def addresses_of(self, one: DnsName, side: SideName) -> tuple[str, ...]:
        """What a name has while guests are at a side."""
        found = one.addresses.at(side)
        if not found and one.guest is not None and side is self.home_of(one):
            return (one.guest,)
        return found

    @property
    def links(self) -> tuple[Tunnel | Extension, ...]:
        """All that guests may be carried over."""
        return (*self.tunnel, *self.extension)

    def carrier(self, guest: Guest) -> Tunnel | Extension | None:
        """What a guest is carried over; None if its name is of none, or several could be meant."""
        if guest.over is not None:
            return self._by_name.get(guest.over)
        several = self.tunnel or self.extension
        return several[0] if len(several) == 1 else None

    def guests_over(self, one: Tunnel | Extension) -> tuple[Guest, ...]:
        """The guests that are carried over a link."""
        return self._guests.get(link_of(one), ())

    @property
    def mobile(self) -> tuple[Guest, ...]:
        """Guests that the home agent carries."""
        if self.home_agent is None:
            return ()
        return tuple(
            each
            for each in self.guest
            if each.over == HOME_AGENT or (each.over is None and not self.links)
        )

    def table_of(self, one: Tunnel | Extension) -> int:
        """The routing table of a link's guests."""
        chosen = one.table if isinstance(one, Tunnel) else None
        return chosen or TUNNEL_TABLE + self._places[link_of(one)]

    @cached_property
    def _by_name(self) -> dict[str, Tunnel | Extension]:
        return {link_of(each): each for each in reversed(self.links)}

    @cached_property
    def _guests(self) -> dict[str, tuple[Guest, ...]]:
        found: dict[str, list[Guest]] = {}
        for guest in self.guest:
            over = self.carrier(guest)
            if over is not None:
                found.setdefault(link_of(over), []).append(guest)
        return {name: tuple(guests) for name, guests in found.items()}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {link_of(each): place for place, each in enumerate(self.links)}


def link_of(one: Tunnel | Extension) -> str:
    """The name of its link."""
    return one.name if isinstance(one, Tunnel) else one.link
