"""From a Deployment to the Plan of one side. Pure.

The changes are those that the lab's approaches make on gateways. Like there, preparing stands
beside the guest's old path, and switching turns its traffic: at home into the tunnel, on the other
side to its new link.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from netcont.deploy import segments, tunnels
from netcont.deploy.agents import agents
from netcont.deploy.end import End
from netcont.deploy.names import moves
from netcont.model.deployment import Extension, Tunnel
from netcont.model.plan import Change, Plan


@dataclass(frozen=True)
class Half(End):
    """One side of a deployment, with its plan."""

    def plan(self) -> Plan:
        """All that is to stand here, in the order in which it is made; nothing twice."""
        return self._plan

    @cached_property
    def _plan(self) -> Plan:
        changes: list[Change] = []
        for tunnel in self.deployment.tunnel:
            changes += self._tunnel(tunnel)
        for extension in self.deployment.extension:
            changes += segments.segment(self, extension)
        for guest in self.deployment.guest:
            carrier = self.deployment.carrier(guest)
            if isinstance(carrier, Tunnel):
                changes += tunnels.guest(self, guest, carrier)
            elif isinstance(carrier, Extension):
                changes += segments.guest(self, guest, carrier)
        stem = f"{self.directory}/{self.name}"
        changes += agents(self.deployment, self.side, self.node, stem, switched=self.switched)
        if self.switched:
            changes += moves(self.deployment, self.side, self.node)
        return Plan(tuple(dict.fromkeys(changes)))

    def announcements(self) -> Plan:
        """What is to be said on the LAN once the plan stands; mac "" is the link's own."""
        if not self.switched:
            return Plan()
        found: list[Change] = []
        for guest in self.deployment.guest:
            carrier = self.deployment.carrier(guest)
            if isinstance(carrier, Tunnel):
                found += tunnels.announcements(self, guest)
            elif isinstance(carrier, Extension):
                found += segments.announcements(self, guest, carrier)
        return Plan(tuple(dict.fromkeys(found)))

    def _tunnel(self, tunnel: Tunnel) -> Iterator[Change]:
        return tunnels.tunnel(self, tunnel)
