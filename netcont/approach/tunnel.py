"""IP tunnels between the gateways: IP-in-IP (RFC 2003) and GRE (RFC 2784, key RFC 2890).

Make before break (Bradford et al., VEE'07). Prepare: both ends of the tunnel stand, and B's
gateway knows the way back for what the guest will send, while the guest still serves at A.
Switch: A's gateway turns packets for the guest into the tunnel, answers ARP for it on A's LAN and
says so, B's gateway delivers to its LAN; what comes while the guest is frozen waits in the
neighbour queue of B's gateway. Resume: before it runs, the guest's ARP cache learns who its
gateway is now. Announce: the guest's MAC is told, which releases that queue.
"""

from __future__ import annotations

from dataclasses import dataclass

from netcont.approach.base import Context, announce_guest
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
                # What comes out of the tunnel has a source that this gateway routes elsewhere.
                SetSysctl(here.gateway, f"net.ipv4.conf.{LINK}.rp_filter", "0"),
                SetUp(here.gateway, LINK),
            ]
        return tuple(changes)


def _way_at_b(context: Context) -> tuple[Change, ...]:
    layout = context.layout
    a, b, guest = layout.a, layout.b, layout.guest
    host, proxy = f"{guest.address}/32", f"net.ipv4.conf.{b.gateway_lan}.proxy_arp"
    changes: list[Change] = [
        # B's own hosts reach the guest without leaving the site, and the other way round.
        AddRule(
            b.gateway, TUNNEL_PRIORITY, f"{guest.address}/32", MAIN_TABLE, destination=b.prefix
        ),
        # The guest asks B's LAN for its old gateway and neighbours: B's gateway answers, at once.
        SetSysctl(b.gateway, f"net.ipv4.neigh.{b.gateway_lan}.proxy_delay", "0"),
        SetSysctl(b.gateway, proxy, "1"),
        SetSysctl(b.gateway, f"net.ipv4.conf.{b.gateway_lan}.send_redirects", "0"),
    ]
    rule = AddRule(b.gateway, TUNNEL_PRIORITY + 1, host, TUNNEL_TABLE)
    if context.scenario.tunnel.reverse:
        return (*changes, AddRoute(b.gateway, "default", link=LINK, table=TUNNEL_TABLE), rule)
    # Direct return: only A's own LAN is reached through the tunnel.
    return (*changes, AddRoute(b.gateway, a.prefix, link=LINK, table=TUNNEL_TABLE), rule)


def _redirect_at_a(layout: Layout) -> tuple[Change, ...]:
    a, guest = layout.a, layout.guest
    return (
        AddRoute(a.gateway, f"{guest.address}/32", link=LINK),
        SetSysctl(a.gateway, f"net.ipv4.neigh.{a.gateway_lan}.proxy_delay", "0"),
        AddNeighbour(a.gateway, a.gateway_lan, guest.address),
        Announce(a.gateway, a.gateway_lan, guest.address, a.gateway_mac),
    )


def _deliver_at_b(layout: Layout) -> tuple[Change, ...]:
    """Not earlier: B's own hosts would be sent to a guest that is still at A."""
    b, guest = layout.b, layout.guest
    return (AddRoute(b.gateway, f"{guest.address}/32", link=b.gateway_lan),)


def _tell_guest(layout: Layout) -> tuple[Change, ...]:
    """Its gateway and its neighbours are behind B's gateway now."""
    b, guest = layout.b, layout.guest
    return tuple(
        Announce(b.gateway, b.gateway_lan, address, b.gateway_mac)
        for address in (guest.gateway_address, *layout.on_link)
    )
