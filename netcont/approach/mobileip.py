"""Mobile IP (RFC 5944): clients keep talking to the home address, and a home agent at A tunnels to
wherever the guest is.

The guest runs no Mobile IP of its own: the foreign agent on B's hypervisor holds its key and
registers it. Prepare: registered beside its present place (S bit), so that both ends of the tunnel
stand before the pause. Resume: one message, sent before the guest runs, has the home agent switch
over. Plain: the same without the preparation, for comparison. Co-located: the guest gets an address
of B's for care-of address and registers itself; it can do so only once it runs there.

Reverse tunnelling (RFC 3024) is the scenario's tunnel.reverse; without it what the guest sends
leaves B directly, and the path is a triangle. B's gateway then has a route to the guest, without
which it would take its packets for forged.
"""

from __future__ import annotations

from dataclasses import dataclass

from netcont.approach.base import Context, announce_guest
from netcont.model.plan import AddAddress, AddNeighbour, AddRoute, Change, Plan, Register, SetSysctl
from netcont.model.scenario import Phase

FOREIGN_CONTROL = "@netcont-foreign"


@dataclass(frozen=True)
class MobileIp:
    """prepared: registered ahead. colocated: by the guest itself, with an address of its own."""

    name: str
    prepared: bool = True
    colocated: bool = False
    keeps_address: bool = True
    stretches: bool = False

    def plan(self, phase: Phase, context: Context) -> Plan:
        """See the module's head."""
        layout = context.layout
        if phase is Phase.ANNOUNCE:
            return Plan((announce_guest(layout, layout.b.bridge),))
        if self.colocated:
            return Plan(_new_address(context)) if phase is Phase.RESUME else Plan()
        if phase is Phase.SWITCH and not context.scenario.tunnel.reverse:
            return Plan(_admit(context))
        if phase is Phase.PREPARE and self.prepared:
            return Plan((self._register(context, ahead=True),))
        if phase is Phase.RESUME:
            b, guest = layout.b, layout.guest
            # What has come for the guest already waits here, and no frame of this host's own
            # announcement would tell its own ARP cache.
            known = AddNeighbour(b.hypervisor, b.bridge, guest.address, guest.mac)
            return Plan((known, self._register(context, ahead=False)))
        return Plan()

    def _register(self, context: Context, *, ahead: bool) -> Change:
        """Ahead there is time to hear that it is granted; later the guest waits for nobody."""
        layout = context.layout
        return Register(
            layout.b.hypervisor,
            FOREIGN_CONTROL,
            layout.guest.address,
            ahead=ahead,
            wait=ahead,
        )


def _admit(context: Context) -> tuple[Change, ...]:
    b, guest = context.layout.b, context.layout.guest
    return (
        SetSysctl(b.gateway, f"net.ipv4.conf.{b.gateway_lan}.send_redirects", "0"),
        AddRoute(b.gateway, f"{guest.address}/32", via=b.hypervisor_address),
    )


def _new_address(context: Context) -> tuple[Change, ...]:
    """What a DHCP client would do: a care-of address, and the way to the home agent from there."""
    a, b, guest = context.layout.a, context.layout.b, context.layout.guest
    return (
        AddAddress(guest.node, guest.link, guest.new_address, b.prefixlen),
        AddRoute(guest.node, f"{a.wan_address}/32", via=b.gateway_address, link=guest.link),
    )
