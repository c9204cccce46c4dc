"""A topology as a graph: what Mininet would build, read from the Topo without building it."""

from __future__ import annotations

import heapq
import importlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from netcont.approach import APPROACHES, Context, find, require_suited
from netcont.errors import ConfigurationError
from netcont.model.layout import Layout
from netcont.model.plan import AddAddress, AddLink, Change, Plan, SetNetem
from netcont.model.scenario import Network, Path, Place, Scenario

TOPOLOGIES = ("two_site", "lan", "three_site")
COMPOSITIONS = ("ddns+ipip", "ddns+gre", "ddns+vlan", "ddns+vxlan", "ddns+announce")

ODD = Network(
    clients_a=Path(delay_s=0.011, reverse_delay_s=0.012),
    clients_b=Path(delay_s=0.021, reverse_delay_s=0.022),
    a_b=Path(delay_s=0.005, reverse_delay_s=0.006, loss=0.01, reverse_loss=0.02),
    circuit=Path(delay_s=0.003, reverse_delay_s=0.004),
    clients2_a=Path(delay_s=0.041, reverse_delay_s=0.042),
    clients2_b=Path(delay_s=0.031, reverse_delay_s=0.032),
    client_prefix="172.16.0.0/16",
    client2_prefix="198.51.100.0/24",
    a_prefix="10.0.0.0/8",
    b_prefix="203.0.113.0/24",
)
"""Every delay is another one, and prefixes are of several lengths."""

ODD_IPV6 = replace(
    ODD,
    family=6,
    client_prefix="fd00:3::/48",
    client2_prefix="2001:db8:4000::/36",
    a_prefix="2001:db8:0:100::/56",
    b_prefix="2001:db8:0:200::/64",
)
NETWORKS = {"default": Network(), "odd": ODD, "ipv6": Network(family=6), "odd-ipv6": ODD_IPV6}


@dataclass(frozen=True)
class Cable:
    """One link, with the interface and the MAC at each end."""

    node1: str
    link1: str
    mac1: str
    node2: str
    link2: str
    mac2: str


class Model:
    """A topology, its nodes, cables and set-up."""

    def __init__(self, topology: str, network: Network | None = None) -> None:
        self.module: Any = importlib.import_module(f"topologies.{topology}")
        plain = network if network is not None else Network()
        self.scenario = Scenario(network=_of(plain, topology))
        self.topo: Any = self.module.topos[topology](network=self.scenario.network)
        self.layout: Layout = self.module.layout(self.scenario)
        self.nodes: tuple[str, ...] = tuple(self.topo.nodes())
        self.cables = tuple(
            Cable(
                node1,
                info["intfName1"],
                info["addr1"],
                node2,
                info["intfName2"],
                info["addr2"],
            )
            for node1, node2, info in self.topo.links(withInfo=True)
        )

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change of every node's set-up."""
        setups = (self.topo.nodeInfo(node).get("setup", Plan()) for node in self.nodes)
        return tuple(change for setup in setups for change in setup)

    @property
    def addresses(self) -> list[str]:
        """Every address that a node has."""
        return [change.address for change in self.changes if isinstance(change, AddAddress)]

    def links(self) -> set[tuple[str, str]]:
        """Every (node, link): the cables' ends, and what the set-ups and switches add."""
        ends = {(c.node1, c.link1) for c in self.cables} | {(c.node2, c.link2) for c in self.cables}
        added = {(c.node, c.name) for c in self.changes if isinstance(c, AddLink)}
        bridges = {(switch, f"{switch}-br") for switch in self.topo.switches()}
        return ends | added | bridges | {(node, "lo") for node in self.nodes}

    def delays(self) -> dict[tuple[str, str], float]:
        """Seconds that an egress holds packets, by (node, link); others hold none."""
        queues = [change for change in self.changes if isinstance(change, SetNetem)]
        found = {(queue.node, queue.link): queue.delay_s for queue in queues}
        for switch in self.topo.switches():
            path = self.topo.nodeInfo(switch).get("path")
            if path is not None:
                near, far = [link for node, link in self._ends() if node == switch]
                found[switch, far] = path.delay_s
                found[switch, near] = path.reversed().delay_s
        return found

    def delay_s(self, source: str, target: str, without: Collection[str] = ()) -> float:
        """The shortest delay between two nodes that avoids some others."""
        delays = self.delays()
        best = {source: 0.0}
        waiting = [(0.0, source)]
        while waiting:
            so_far, node = heapq.heappop(waiting)
            if node == target:
                return so_far
            for link, neighbour in self._neighbours(node):
                if neighbour in without:
                    continue
                total = so_far + delays.get((node, link), 0.0)
                if total < best.get(neighbour, float("inf")):
                    best[neighbour] = total
                    heapq.heappush(waiting, (total, neighbour))
        raise AssertionError(f"no way from {source} to {target}")

    def _ends(self) -> Iterator[tuple[str, str]]:
        for cable in self.cables:
            yield cable.node1, cable.link1
            yield cable.node2, cable.link2

    def _neighbours(self, node: str) -> Iterator[tuple[str, str]]:
        for cable in self.cables:
            if cable.node1 == node:
                yield cable.link1, cable.node2
            if cable.node2 == node:
                yield cable.link2, cable.node1

    def context(self) -> Context:
        """What approaches plan with."""
        return Context(self.layout, self.scenario)

    def clients(self, place: Place) -> tuple[str, ...]:
        """Where clients of that place stand."""
        nodes: tuple[str, ...] = self.module.client_nodes(place)
        return nodes


def _of(network: Network, topology: str) -> Network:
    return replace(network, topology=topology)


def suited(topology: str, family: int = 4) -> list[str]:
    """Every approach, and every composition, that a network allows."""
    network = Network(topology=topology, family=6 if family == 6 else 4)
    names = []
    for name in (*APPROACHES, *COMPOSITIONS):
        find(name)
        try:
            require_suited(name, network)
        except ConfigurationError:
            continue
        names.append(name)
    return names


CASES = [
    (topology, name, family)
    for topology in TOPOLOGIES
    for family in (4, 6)
    for name in suited(topology, family)
]
