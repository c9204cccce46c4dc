"""From a Deployment to the Plan of one side. Pure.

The changes are those that the lab's approaches make on gateways (netcont.approach.tunnel and
.extension), with names of the file's. Like there, preparing stands beside the guest's old path, and
switching turns the guest's traffic: at its home into the tunnel, on the other side to its new link.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from netcont.deploy.names import moves
from netcont.model.deployment import (
    OWN_PREFIX,
    Deployment,
    Extension,
    ExtensionKind,
    Guest,
    SideName,
    Tunnel,
    family_of,
    of_family,
)
from netcont.model.numbers import ALL_MACS, TUNNEL_PRIORITY
from netcont.model.plan import (
    MAIN_TABLE,
    AddAddress,
    AddBridge,
    AddFdb,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddTunnel,
    AddVlan,
    AddVxlan,
    Announce,
    Change,
    Plan,
    SetAlias,
    SetBridgePort,
    SetMaster,
    SetSysctl,
    SetUp,
)

ALIAS = "netcont"


@dataclass(frozen=True)
class Half:
    """One side of a deployment.

    name: the deployment's. node: what the plan's changes call this host. switched: guests have
    moved to the other side.
    """

    deployment: Deployment
    side: SideName
    name: str
    switched: bool = False
    node: str = "host"

    def plan(self) -> Plan:
        """All that is to stand here, in the order in which it is made; nothing twice."""
        changes: list[Change] = []
        for tunnel in self.deployment.tunnel:
            changes += self._tunnel(tunnel)
        for extension in self.deployment.extension:
            changes += self._extension(extension)
        for guest in self.deployment.guest:
            changes += self._guest(guest)
        if self.switched:
            changes += moves(self.deployment, self.side, self.node)
        return Plan(tuple(dict.fromkeys(changes)))

    def announcements(self) -> Plan:
        """What is to be said on the LAN once the plan stands; mac "" is the link's own."""
        if not self.switched:
            return Plan()
        found: list[Change] = []
        for guest in self.deployment.guest:
            found += self._announce(guest)
        return Plan(tuple(found))

    def _announce(self, guest: Guest) -> Iterator[Change]:
        carrier, lan = self.deployment.carrier(guest), self._lan
        at_home = guest.source is self.side
        if isinstance(carrier, Extension):
            bridge = carrier.bridge.at(self.side)
            if not at_home and bridge and guest.mac:
                yield Announce(self.node, bridge, guest.address, guest.mac, rarp=True)
        elif at_home:
            yield Announce(self.node, lan, guest.address, "")
        elif guest.gateway:
            yield Announce(self.node, lan, guest.gateway, "")

    @property
    def _lan(self) -> str:
        return self.deployment.at(self.side).link or ""

    def _tunnel(self, tunnel: Tunnel) -> Iterator[Change]:
        here, there = self.deployment.at(self.side), self.deployment.at(self.side.other)
        yield AddTunnel(
            self.node,
            tunnel.name,
            str(tunnel.kind.value),
            here.address,
            there.address,
            ttl=tunnel.ttl,
            key=tunnel.key,
            mtu_bytes=tunnel.mtu_bytes,
            tos=tunnel.tos,
            pmtudisc=tunnel.pmtudisc,
        )
        yield self._alias(tunnel.name)
        # What comes out of the tunnel has a source that this host routes elsewhere.
        yield SetSysctl(self.node, f"net.ipv4.conf.{tunnel.name}.rp_filter", "0")
        yield SetUp(self.node, tunnel.name)
        yield from self._inner(tunnel, tunnel.name, point_to_point=True)

    def _extension(self, one: Extension) -> Iterator[Change]:
        bridge = one.bridge.at(self.side)
        if bridge is not None and bridge.startswith(OWN_PREFIX):
            yield AddBridge(self.node, bridge, self.deployment.mtu_of(one))
            yield self._alias(bridge)
            yield SetUp(self.node, bridge)
        yield self._segment(one)
        yield self._alias(one.link)
        if one.kind is ExtensionKind.VXLAN:
            for remote in dict.fromkeys(
                (self.deployment.at(self.side.other).address, *self._heads(one))
            ):
                yield AddFdb(self.node, one.link, ALL_MACS, remote)
        if bridge is not None:
            yield SetMaster(self.node, one.link, bridge)
            if one.arp_suppression:
                yield SetBridgePort(self.node, one.link, neigh_suppress=True)
        yield SetUp(self.node, one.link)
        yield from self._inner(one, bridge or one.link, point_to_point=False)

    def _heads(self, one: Extension) -> tuple[str, ...]:
        own = self.deployment.at(self.side).address
        return tuple(each for each in one.head_end if each != own)

    def _segment(self, one: Extension) -> Change:
        if one.kind is ExtensionKind.VLAN:
            parent = one.parent.at(self.side) or ""
            return AddVlan(self.node, one.link, parent, one.vlan_id or 0)
        return AddVxlan(
            self.node,
            one.link,
            one.vni or 0,
            self.deployment.at(self.side).address,
            one.port,
            self.deployment.mtu_of(one) or self.deployment.path_mtu_bytes,
            mac=port_mac(self.name, self.side, one.link),
        )

    def _inner(
        self, one: Tunnel | Extension, link: str, *, point_to_point: bool
    ) -> Iterator[Change]:
        far = one.addresses.at(self.side.other)
        for own in one.addresses.at(self.side):
            address, _, length = own.partition("/")
            yield AddAddress(self.node, link, address, int(length))
        for prefix in one.routes.at(self.side):
            end = None if point_to_point else of_family(far, family_of(prefix))
            destination = "default" if prefix == "0.0.0.0/0" else prefix
            via = None if end is None else end.partition("/")[0]
            yield AddRoute(self.node, destination, via=via, link=link)

    def _alias(self, link: str) -> Change:
        return SetAlias(self.node, link, f"{ALIAS} {self.name}")

    def _guest(self, guest: Guest) -> Iterator[Change]:
        tunnel = self.deployment.carrier(guest)
        if not isinstance(tunnel, Tunnel):
            return
        if guest.source is not self.side:
            yield from self._way_back(guest, tunnel)
            if self.switched:
                yield AddRoute(self.node, f"{guest.address}/32", link=self._lan)
        elif self.switched:
            yield AddRoute(self.node, f"{guest.address}/32", link=tunnel.name)
            yield SetSysctl(self.node, f"net.ipv4.neigh.{self._lan}.proxy_delay", "0")
            yield AddNeighbour(self.node, self._lan, guest.address)

    def _way_back(self, guest: Guest, tunnel: Tunnel) -> Iterator[Change]:
        """See netcont.approach.tunnel for why each of these is needed."""
        node, lan, source = self.node, self._lan, f"{guest.address}/32"
        table = self.deployment.table_of(tunnel)
        family = family_of(guest.address)
        own = of_family(self.deployment.at(self.side).prefix, family)
        far = of_family(self.deployment.at(self.side.other).prefix, family)
        yield AddRule(node, TUNNEL_PRIORITY, source, MAIN_TABLE, destination=own)
        yield SetSysctl(node, f"net.ipv4.neigh.{lan}.proxy_delay", "0")
        yield SetSysctl(node, f"net.ipv4.conf.{lan}.proxy_arp", "1")
        yield SetSysctl(node, f"net.ipv4.conf.{lan}.send_redirects", "0")
        if guest.reverse:
            yield AddRoute(node, "default", link=tunnel.name, table=table)
        else:
            yield AddRoute(node, far or "", link=tunnel.name, table=table)
        yield AddRule(node, TUNNEL_PRIORITY + 1, source, table)


def port_mac(name: str, side: SideName, link: str) -> str:
    """A locally administered address, the same each time, and higher than any that is sold.

    A bridge takes over its lowest port's address: a port of netcont's must never be that one.
    """
    octets = crc32(f"{name} {side} {link}".encode()).to_bytes(4, "big")
    return f"fe:6e:{octets.hex(':')}"
