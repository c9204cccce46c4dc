"""The two controls: what becomes of connections if nobody helps them."""

from __future__ import annotations

from dataclasses import dataclass

from netcont.approach.base import Context
from netcont.model.plan import (
    AddAddress,
    AddRoute,
    Change,
    DelAddress,
    DelRoute,
    Plan,
    SetSysctl,
    default_route,
)
from netcont.model.scenario import Phase


@dataclass(frozen=True)
class Blackhole:
    """The guest keeps its address at B, and nothing else is done."""

    name: str = "blackhole"
    keeps_address: bool = True
    stretches: bool = False

    def plan(self, phase: Phase, context: Context) -> Plan:
        """Nothing, in every phase."""
        return Plan()


@dataclass(frozen=True)
class Readdress:
    """The guest takes an address of B's and gives up its own; no client is told.

    (On one LAN: another address of the same prefix, and its gateway stays.)
    """

    name: str = "readdress"
    keeps_address: bool = False
    stretches: bool = False

    def plan(self, phase: Phase, context: Context) -> Plan:
        """After the resume the guest is configured anew."""
        return Plan(_readdress(context)) if phase is Phase.ANNOUNCE else Plan()


def _readdress(context: Context) -> tuple[Change, ...]:
    guest, b = context.layout.guest, context.layout.b
    arrive = AddAddress(guest.node, guest.link, guest.new_address, b.prefixlen)
    leave = DelAddress(guest.node, guest.link, guest.address, guest.prefixlen)
    if context.layout.a.prefix == b.prefix:
        if context.layout.family == 6:
            return (arrive, leave)
        # The second address of a prefix hangs on the first one, and would be removed with it.
        promote = f"net.ipv4.conf.{guest.link}.promote_secondaries"
        return (SetSysctl(guest.node, promote, "1"), arrive, leave)
    everywhere = default_route(guest.address)
    return (
        arrive,
        DelRoute(guest.node, everywhere, via=guest.gateway_address),
        AddRoute(guest.node, everywhere, via=b.gateway_address),
        leave,
    )
