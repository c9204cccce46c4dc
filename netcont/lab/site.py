"""One site's hands in the lab: what a migration engine does there, applied to Mininet's nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netcont.approach import Approach, Context, guest_bridge
from netcont.errors import KernelError
from netcont.kernel.interpreter import Interpreter
from netcont.kernel.journal import FileJournal
from netcont.kernel.namespace import Namespace
from netcont.migration.guest import NamespaceGuest
from netcont.model.plan import MoveLink, Plan, SetMaster, SetUp
from netcont.model.scenario import Phase


class LabSite:
    """SiteActions for one side ("a" or "b") of a move.

    Each engine process makes its own: plans are computed and sockets opened before the guest is
    paused. journal: where undos go, so that a killed engine's work can be undone by another.
    """

    def __init__(
        self,
        side: str,
        approach: Approach,
        context: Context,
        nodes: Mapping[str, Namespace],
        guest: NamespaceGuest,
        journal: Path,
    ) -> None:
        layout = context.layout
        self._site = layout.a if side == "a" else layout.b
        self._here = self._site.hypervisor
        self._other = (layout.b if side == "a" else layout.a).hypervisor
        self._bridge = self._site.bridge if side == "a" else guest_bridge(approach, layout)
        self._port = layout.guest.port
        self._nodes = nodes
        self._guest = guest
        self._plans = {phase: approach.plan(phase, context).on(self._site.nodes) for phase in Phase}
        pending = FileJournal.pending(journal)
        self._interpreter = Interpreter(nodes, FileJournal(journal), pending)
        self._cable = Interpreter(nodes)

    def apply(self, phase: Phase) -> None:
        """Applies this site's half of the approach's plan."""
        self._interpreter.apply(self._plans[phase])
        if phase is Phase.PREPARE:
            self._warm()

    def undo(self) -> None:
        """Takes back everything applied so far."""
        self._interpreter.undo()

    def attach(self) -> None:
        """Plugs the guest into this site's bridge, link up."""
        self._cable.apply(
            Plan(
                (
                    SetMaster(self._here, self._port, self._bridge),
                    SetUp(self._here, self._port),
                )
            )
        )

    def detach(self) -> None:
        """Pulls the guest's cable out here; it will be plugged in at the other site."""
        if self._has_port(self._here):
            self._cable.apply(Plan((MoveLink(self._here, self._port, self._other),)))

    def reattach(self) -> None:
        """The guest's cable is back in this site's bridge, wherever it was."""
        if not self._has_port(self._here):
            self._cable.apply(Plan((MoveLink(self._other, self._port, self._here),)))
        self.attach()

    def freeze(self) -> None:
        """Returns once nothing of the guest runs."""
        self._guest.freeze()

    def thaw(self) -> None:
        """Lets the guest run."""
        self._guest.thaw()

    def _has_port(self, node: str) -> bool:
        self._nodes[node].forget(self._port)
        try:
            self._nodes[node].index(self._port)
        except KernelError:
            return False
        return True

    def _warm(self) -> None:
        """Sockets and indices that the pause will need, asked for while there is time."""
        for plan in self._plans.values():
            for change in plan:
                link = getattr(change, "link", None)
                if link is not None:
                    self._nodes[change.node].index(link)
        self._nodes[self._here].index(self._bridge)


def take_link_down(nodes: Mapping[str, Namespace], hypervisor: str, port: str) -> None:
    """The guest's cable at A carries nothing from now on."""
    node = nodes[hypervisor]
    node.forget(port)
    Interpreter(nodes).apply(Plan((SetUp(hypervisor, port, up=False),)))
