"""One site's hands in the lab: what a migration engine does there, applied to Mininet's nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netcont.approach import Approach, Context, guest_bridge
from netcont.kernel.interpreter import Interpreter
from netcont.kernel.journal import FileJournal
from netcont.kernel.link_news import LinkNews
from netcont.kernel.namespace import Namespace
from netcont.migration.guest import NamespaceGuest
from netcont.model.layout import Site
from netcont.model.plan import Plan, SetMaster, SetUp
from netcont.model.scenario import Phase

_CARRIER_LIMIT_S = 5.0


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
        self._side = side
        self._site = layout.a if side == "a" else layout.b
        self._nodes = nodes
        self._guest = guest
        self._plans = {phase: approach.plan(phase, context).on(self._site.nodes) for phase in Phase}
        if side == "b":
            # The cable is ready in the right bridge; only its last inch is missing.
            bridge = guest_bridge(approach, layout)
            plug = SetMaster(self._site.hypervisor, self._site.guest_port, bridge)
            self._plans[Phase.PREPARE] += Plan((plug,))
        pending = FileJournal.pending(journal)
        self._interpreter = Interpreter(nodes, FileJournal(journal), pending)

    def apply(self, phase: Phase) -> None:
        """Applies this site's half of the approach's plan."""
        self._interpreter.apply(self._plans[phase])
        if phase is Phase.PREPARE:
            self._warm()

    def undo(self) -> None:
        """Takes back everything applied so far."""
        if self._side == "b":
            self._set_cable(up=False)
        self._interpreter.undo()

    def attach(self) -> None:
        """The guest's cable is up at this site."""
        self._set_cable(up=True)

    def detach(self) -> None:
        """The guest's cable is down at this site."""
        self._set_cable(up=False)

    def reattach(self) -> None:
        """The guest's cable is up at this site again."""
        self._set_cable(up=True)

    def freeze(self) -> None:
        """Returns once nothing of the guest runs."""
        self._guest.freeze()

    def thaw(self) -> None:
        """Lets the guest run."""
        self._guest.thaw()

    def _set_cable(self, *, up: bool) -> None:
        set_cable(self._nodes, self._site, up=up)

    def _warm(self) -> None:
        """Sockets and indices that the pause will need, asked for while there is time."""
        for phase in (Phase.SWITCH, Phase.RESUME, Phase.ANNOUNCE):
            for change in self._plans[phase]:
                link = getattr(change, "link", None)
                if link is not None:
                    self._nodes[change.node].index(link)
        self._nodes[self._site.hypervisor].index(self._site.guest_port)


def set_cable(nodes: Mapping[str, Namespace], site: Site, *, up: bool) -> None:
    """Plugs the guest's cable in at a site, or pulls it out; returns once frames (don't) pass.

    A kernel makes a bridge's port forward only when a thread of its own has seen the carrier: what
    the guest was told before that would never reach it. It sees both ends of a pair at once.
    """
    node, port = nodes[site.hypervisor], site.guest_port
    with LinkNews(node) as news:
        Interpreter(nodes, for_good=True).apply(Plan((SetUp(site.hypervisor, port, up),)))
        if up:
            news.wait_running(port, _CARRIER_LIMIT_S)
