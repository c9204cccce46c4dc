"""Dynamic DNS: the name follows the guest to an address of B's (RFC 2136, TSIG RFC 8945)."""

from __future__ import annotations

from dataclasses import dataclass

from netcont.approach.base import Context
from netcont.approach.controls import Readdress
from netcont.model.plan import AddAddress, Plan, UpdateRecord
from netcont.model.scenario import Phase


@dataclass(frozen=True)
class Ddns:
    """New connections find the guest once the old record's TTL has passed; old ones are lost,
    unless another approach beside this one keeps the old address alive (alone False)."""

    alone: bool = True
    name: str = "ddns"
    stretches: bool = False

    @property
    def keeps_address(self) -> bool:
        """Not by itself."""
        return False

    def plan(self, phase: Phase, context: Context) -> Plan:
        """The new address first, then the name: a resolver must never hand out a dead one."""
        if phase is not Phase.ANNOUNCE:
            return Plan()
        if self.alone:
            return Readdress().plan(phase, context) + Plan((_update(context),))
        guest, b = context.layout.guest, context.layout.b
        address = AddAddress(guest.node, guest.link, guest.new_address, b.prefixlen)
        return Plan((address, _update(context)))


def _update(context: Context) -> UpdateRecord:
    """The prerequisite (was) keeps a late retry from undoing a newer move."""
    layout = context.layout
    return UpdateRecord(
        layout.b.gateway,
        layout.names.server,
        layout.names.zone,
        layout.names.name,
        layout.names.record,
        value=layout.guest.new_address,
        was=layout.guest.address,
        ttl_s=layout.names.ttl_s,
        key=layout.names.key,
    )
