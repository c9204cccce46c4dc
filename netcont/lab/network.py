"""A running topology: Mininet's nodes, their namespaces, and the layout that plans speak of."""

from __future__ import annotations

import importlib
from types import TracebackType
from typing import Any, Self

from mininet.net import Mininet

from netcont.kernel.namespace import Namespace
from netcont.model.layout import Layout
from netcont.model.plan import SetNetem
from netcont.model.scenario import Place, Scenario


class LabNetwork:
    """A context manager that builds the scenario's topology and takes it down again."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._net: Any = None
        self.namespaces: dict[str, Namespace] = {}
        topology = importlib.import_module(f"topologies.{scenario.network.topology}")
        self._topo = topology.topos[scenario.network.topology]
        self.layout: Layout = topology.layout(scenario)
        self.wan: tuple[SetNetem, ...] = topology.wan_between_sites(scenario)
        self._client_nodes = topology.client_nodes

    def __enter__(self) -> Self:
        # Mininet would raise limits of the whole machine; namespaces need none of that.
        Mininet.inited = True
        topo = self._topo(network=self._scenario.network)
        self._net = Mininet(topo=topo, controller=None, build=False)
        try:
            self._net.build()
            self._net.start()
        except BaseException:
            self._stop()
            raise
        self.namespaces = {node.name: node.namespace for node in self._net.values()}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def client_node(self, place: Place, number: int) -> Namespace:
        """Where the number-th client of that place stands."""
        nodes: tuple[str, ...] = self._client_nodes(place)
        return self.namespaces[nodes[number % len(nodes)]]

    @property
    def mininet(self) -> Any:
        """The Mininet object, for its CLI."""
        return self._net

    def _stop(self) -> None:
        self._net.stop()
