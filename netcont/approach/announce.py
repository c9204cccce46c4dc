"""A move within one LAN: the guest keeps its address, and B's hypervisor tells the LAN where it is.

As Xen did it (Clark et al., NSDI '05, section 3): the guest's port joins B's bridge, and after the
resume an unsolicited ARP reply (IPv6: Neighbour Advertisement) has everybody send to the new place.
RARP teaches switches that look no deeper than Ethernet. Nothing is redirected: on a wide area
nobody is reached by that.
"""

from __future__ import annotations

from dataclasses import dataclass

from netcont.approach.base import Context, announce_guest
from netcont.model.plan import Plan
from netcont.model.scenario import Phase


@dataclass(frozen=True)
class AnnounceOnLan:
    """Gratuitous ARP, or a Neighbour Advertisement, and RARP on B's LAN, and nothing else."""

    name: str = "announce"
    keeps_address: bool = True
    stretches: bool = False

    def plan(self, phase: Phase, context: Context) -> Plan:
        """One announcement, right after the resume."""
        if phase is not Phase.ANNOUNCE:
            return Plan()
        return Plan((announce_guest(context.layout, context.layout.b.bridge),))
