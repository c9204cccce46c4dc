"""IP tunnels between the gateways: IP-in-IP (RFC 2003) and GRE (RFC 2784, key RFC 2890).

Make before break (Bradford et al., VEE'07). Prepare: both ends of the tunnel stand, and B's
gateway knows the way back for what the guest will send, while the guest still serves at A.
Switch: A's gateway turns packets for the guest into the tunnel, answers ARP for it on A's LAN and
says so, B's gateway delivers to its LAN; what comes while the guest is frozen waits in the
neighbour queue of B's gateway. Resume: before it runs, the guest's ARP cache learns who its
gateway is now. Announce: the guest's MAC is told, which releases that queue.

IPv6 (RFC 2473, RFC 7676) does the same by Neighbour Discovery, with three differences. A gateway
answers for single addresses only, so B's has an entry for the guest's gateway and for each of its
neighbours. It does so (proxy_ndp) by the setting of all links, since by that of one link it would
route a question that is sent to the address itself, as hosts confirm a neighbour, and nobody takes
one that was routed (RFC 4861 section 7.1.1). And a tunnel is given no address of its own: nothing
is solicited in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netcont.approach.base import Context, announce_guest, host_prefix
from netcont.model.layout import Layout
from netcont.model.numbers import TUNNEL_PRIORITY, TUNNEL_TABLE
from netcont.model.plan import (
    MAIN_TABLE,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddTunnel,
    Announce,
    Change,
    Plan,
    SetSysctl,
    SetUp,
    default_route,
    is_ipv6,
)
from netcont.model.scenario import Phase

LINK = "nc-tun"


@dataclass(frozen=True)
class IpTunnel:
    """The guest keeps its address; A's gateway tunnels to B's."""

    kind: str
    keeps_address: bool = True
    stretches: bool = False

    @property
    def name(self) -> str:
        """The tunnel's kind."""
        return self.kind

    def plan(self, phase: Phase, context: Context) -> Plan:
        """See the module's head for what belongs to which phase, and why."""
        match phase:
            case Phase.PREPARE:
                return Plan(self._ends(context) + _way_at_b(context))
            case Phase.SWITCH:
                return Plan(_redirect_at_a(context.layout) + _deliver_at_b(context.layout))
            case Phase.RESUME:
                return Plan(_tell_guest(context.layout))
            case Phase.ANNOUNCE:
                return Plan((announce_guest(context.layout, context.layout.b.bridge),))
            case _:
                return Plan()

    def _ends(self, context: Context) -> tuple[Change, ...]:
        a, b = context.layout.a, context.layout.b
        tunnel = context.scenario.tunnel
        key = tunnel.key if self.kind == "gre" else None
        changes: list[Change] = []
        for here, there in ((a, b), (b, a)):
            changes += [
                AddTunnel(
                    here.gateway,
                    LINK,
                    self.kind,
                    here.wan_address,
                    there.wan_address,
                    ttl=tunnel.ttl,
                    key=key,
                ),
                *link_settings(here.gateway, LINK, context.layout.family),
                SetUp(here.gateway, LINK),
            ]
        return tuple(changes)


def link_settings(node: str, link: str, family: int) -> tuple[Change, ...]:
    """What a tunnel between addresses of the family needs before it is up."""
    if family == 6:
        return (
            SetSysctl(node, f"net.ipv6.conf.{link}.addr_gen_mode", "1"),
            SetSysctl(node, f"net.ipv6.conf.{link}.disable_ipv6", "0"),
        )
    # What comes out of the tunnel has a source that this gateway routes elsewhere.
    return (SetSysctl(node, f"net.ipv4.conf.{link}.rp_filter", "0"),)


def answering(node: str, link: str, family: int) -> tuple[Change, ...]:
    """The addresses on link that node is a proxy for are answered for, and at once."""
    delay = SetSysctl(node, f"net.ipv{family}.neigh.{link}.proxy_delay", "0")
    return (delay, SetSysctl(node, "net.ipv6.conf.all.proxy_ndp", "1")) if family == 6 else (delay,)


def answering_for_others(
    node: str, link: str, gateway: str, neighbours: Iterable[str]
) -> tuple[Change, ...]:
    """A guest on link finds there whom it knew at home: its gateway and its neighbours."""
    if is_ipv6(gateway):
        return (
            *answering(node, link, 6),
            AddNeighbour(node, link, gateway, router=True),
            *(AddNeighbour(node, link, address) for address in neighbours),
        )
    return (
        *answering(node, link, 4),
        SetSysctl(node, f"net.ipv4.conf.{link}.proxy_arp", "1"),
        # IPv6 has no such setting; guests believe no redirect but their own gateway's.
        SetSysctl(node, f"net.ipv4.conf.{link}.send_redirects", "0"),
    )


def _way_at_b(context: Context) -> tuple[Change, ...]:
    layout = context.layout
    a, b, guest = layout.a, layout.b, layout.guest
    source = host_prefix(guest.address)
    changes: list[Change] = [
        # B's own hosts reach the guest without leaving the site, and the other way round.
        AddRule(b.gateway, TUNNEL_PRIORITY, source, MAIN_TABLE, destination=b.prefix),
        # The guest asks B's LAN for its old gateway and neighbours: B's gateway answers, at once.
        *answering_for_others(b.gateway, b.gateway_lan, guest.gateway_address, layout.on_link),
    ]
    rule = AddRule(b.gateway, TUNNEL_PRIORITY + 1, source, TUNNEL_TABLE)
    # Direct return: only A's own LAN is reached through the tunnel.
    back = default_route(guest.address) if context.scenario.tunnel.reverse else a.prefix
    return (*changes, AddRoute(b.gateway, back, link=LINK, table=TUNNEL_TABLE), rule)


def _redirect_at_a(layout: Layout) -> tuple[Change, ...]:
    a, guest = layout.a, layout.guest
    return (
        AddRoute(a.gateway, host_prefix(guest.address), link=LINK),
        *answering(a.gateway, a.gateway_lan, layout.family),
        AddNeighbour(a.gateway, a.gateway_lan, guest.address),
        Announce(a.gateway, a.gateway_lan, guest.address, a.gateway_mac),
    )


def _deliver_at_b(layout: Layout) -> tuple[Change, ...]:
    """Not earlier: B's own hosts would be sent to a guest that is still at A."""
    b, guest = layout.b, layout.guest
    return (AddRoute(b.gateway, host_prefix(guest.address), link=b.gateway_lan),)


def _tell_guest(layout: Layout) -> tuple[Change, ...]:
    """Its gateway and its neighbours are behind B's gateway now."""
    b, gateway = layout.b, layout.guest.gateway_address
    return tuple(
        Announce(b.gateway, b.gateway_lan, address, b.gateway_mac, router=address == gateway)
        for address in (gateway, *layout.on_link)
    )
