"""Topologies as graphs: what Mininet would build, looked at without building it."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from collections import Counter

import pytest
from graphs import NETWORKS, ODD, ODD_IPV6, TOPOLOGIES, Model

from netcont.measure.floors import longer_way_s
from netcont.measure.paths import (
    a_to_b_s,
    a_to_client_s,
    b_to_a_s,
    b_to_client_s,
    round_trip_to_b_s,
)
from netcont.model.plan import (
    AddAddress,
    AddNeighbour,
    AddRoute,
    AddRule,
    DelLink,
    SetNetem,
    SetSysctl,
    is_ipv6,
)
from netcont.model.scenario import SECOND_CLIENTS_NODE, Network, Path, Place
from topologies.sites import queue_packets

LONGEST_NAME = 15

every_topology = pytest.mark.parametrize("topology", TOPOLOGIES)
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())


@every_topology
def test_importing_a_topology_has_no_side_effects(topology: str) -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os; before = sorted(os.listdir('/proc/self/fd')), sorted(os.environ.items())\n"
            f"import topologies.{topology} as t\n"
            "assert (sorted(os.listdir('/proc/self/fd')), sorted(os.environ.items())) == before\n"
            "import threading; assert threading.active_count() == 1\n"
            f"assert list(t.topos) == ['{topology}']",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@every_topology
@every_network
def test_addresses_and_macs_belong_to_one_interface_each(topology: str, network: Network) -> None:
    model = Model(topology, network)
    macs = [mac for cable in model.cables for mac in (cable.mac1, cable.mac2)]
    for values in (model.addresses, macs):
        assert [value for value, count in Counter(values).items() if count > 1] == []


@every_topology
def test_the_guests_new_address_is_nobodys(topology: str) -> None:
    model = Model(topology)
    assert model.layout.guest.new_address not in model.addresses
    assert model.layout.guest.address in model.addresses


@every_topology
def test_names_of_links_fit_the_kernel_and_are_unique_on_their_node(topology: str) -> None:
    model = Model(topology)
    ends = [(c.node1, c.link1) for c in model.cables] + [(c.node2, c.link2) for c in model.cables]
    assert len(ends) == len(set(ends))
    assert [link for _, link in model.links() if len(link) > LONGEST_NAME] == []


@every_topology
def test_every_set_up_speaks_of_its_own_node_and_of_links_that_it_has(topology: str) -> None:
    model = Model(topology)
    links = model.links()
    for node in model.nodes:
        for change in model.topo.nodeInfo(node).get("setup", ()):
            assert change.node == node
            link = getattr(change, "link", None)
            assert link is None or (node, link) in links


@every_topology
@every_network
def test_every_next_hop_is_a_neighbours_address(topology: str, network: Network) -> None:
    model = Model(topology, network)
    hops = {c.via for c in model.changes if isinstance(c, AddRoute) and c.kind == "unicast"}
    assert hops <= set(model.addresses)


@every_topology
def test_what_a_router_knows_of_its_neighbours_is_true(topology: str) -> None:
    model = Model(topology, ODD)
    has = {(c.node, c.link): c.address for c in model.changes if isinstance(c, AddAddress)}
    ends = {}
    for c in model.cables:
        ends[c.node1, c.link1] = (has.get((c.node2, c.link2)), c.mac2)
        ends[c.node2, c.link2] = (has.get((c.node1, c.link1)), c.mac1)
    known = [c for c in model.changes if isinstance(c, AddNeighbour)]
    assert known
    for neighbour in known:
        assert ends[neighbour.node, neighbour.link] == (neighbour.address, neighbour.mac)


@every_topology
def test_delays_are_on_routers_and_on_the_carriers_switches_only(topology: str) -> None:
    model = Model(topology)
    slow = {node for node, _ in model.delays()}
    assert {node for node in slow if not node.startswith("pe")} <= set(model.topo.switches())


@every_topology
@every_network
def test_the_layout_speaks_of_what_is_there(topology: str, network: Network) -> None:
    model = Model(topology, network)
    links, layout = model.links(), model.layout
    for site in (layout.a, layout.b):
        assert {
            (site.gateway, site.gateway_lan),
            (site.gateway, site.gateway_wan),
            (site.hypervisor, site.bridge),
            (site.hypervisor, site.guest_port),
        } <= links
        assert site.circuit is None or (site.hypervisor, site.circuit) in links
        assert set(site.nodes) <= set(model.nodes)
        assert {site.gateway_address, site.hypervisor_address, site.wan_address} <= set(
            model.addresses
        )
        prefix = ipaddress.ip_network(site.prefix)
        assert ipaddress.ip_address(site.hypervisor_address) in prefix
    assert (layout.guest.node, layout.guest.link) in links
    macs = {c.link1: c.mac1 for c in model.cables}
    assert macs[layout.a.gateway_lan] == layout.a.gateway_mac
    assert macs[layout.guest.link] == layout.guest.mac
    assert {layout.names.server_node, layout.names.resolver_node} <= set(model.nodes)
    assert {layout.names.server, layout.names.resolver, *layout.on_link} <= set(model.addresses)


@every_topology
def test_only_one_family_is_spoken(topology: str) -> None:
    for network in (Network(), ODD):
        assert not [c for c in Model(topology, network).changes if "ipv6" in repr(c)]
    for network in (Network(family=6), ODD_IPV6):
        model = Model(topology, network)
        assert model.layout.family == 6
        assert all(map(is_ipv6, model.addresses))
        keys = {c.key for c in model.changes if isinstance(c, SetSysctl)}
        # This one is of TCP over both.
        assert [k for k in keys if "ipv4" in k] == ["net.ipv4.tcp_slow_start_after_idle"]
        hosts = [n for n in model.nodes if n not in model.topo.switches()]
        assert {model.topo.nodeInfo(node)["family"] for node in hosts} == {6}


@every_topology
def test_a_link_speaks_ipv6_before_it_gets_an_address_and_no_other_does(topology: str) -> None:
    model = Model(topology, Network(family=6))
    speaking: set[tuple[str, str]] = set()
    for change in model.changes:
        if isinstance(change, SetSysctl) and change.key.endswith(".disable_ipv6"):
            assert change.value == "0"
            speaking.add((change.node, change.key.split(".")[3]))
        if isinstance(change, AddAddress):
            assert (change.node, change.link) in speaking
    assert speaking == {(c.node, c.link) for c in model.changes if isinstance(c, AddAddress)}


@every_topology
def test_hosts_of_ipv6_are_called_by_the_same_numbers(topology: str) -> None:
    layout = Model(topology, Network(family=6)).layout
    assert layout.guest.address == "2001:db8:1::10"
    assert layout.guest.gateway_address == "2001:db8:1::1"
    assert layout.names.resolver == "2001:db8:3::54"


@pytest.mark.parametrize("node", ["pea", "peb", "pec"])
def test_a_provider_lets_in_what_the_site_or_its_gateway_sends(node: str) -> None:
    changes = Model("two_site", ODD_IPV6).changes
    rules = [c for c in changes if isinstance(c, AddRule) and c.node == node]
    *own, rest = sorted(rules, key=lambda rule: rule.priority)
    site = {"pea": "a", "peb": "b", "pec": "client"}[node]
    uplink = f"{node}-site"
    number = "abc".index(node[-1]) + 1
    link = f"2001:db8:ffff::{4 * number:x}/126"
    assert {rule.source for rule in own} == {getattr(ODD_IPV6, f"{site}_prefix"), link}
    assert {rule.table for rule in own} == {254}
    assert {rule.incoming for rule in rules} == {uplink}
    assert rest.source == "::/0" and rest.priority > max(rule.priority for rule in own)
    (nowhere,) = (
        c for c in changes if isinstance(c, AddRoute) and c.kind == "blackhole" and c.node == node
    )
    assert (nowhere.destination, nowhere.table) == ("::/0", rest.table)


def test_without_source_filtering_no_rule_stands() -> None:
    open_ = Model("three_site", Network(family=6, source_filtering=False))
    assert not [c for c in open_.changes if isinstance(c, AddRule)]


@every_topology
def test_the_two_engines_never_change_the_same_node(topology: str) -> None:
    layout = Model(topology).layout
    assert set(layout.a.nodes) & set(layout.b.nodes) == set()


@every_topology
def test_clients_stand_on_hosts_of_their_own(topology: str) -> None:
    model = Model(topology)
    nodes = [node for place in Place for node in model.clients(place)]
    assert len(nodes) == len(set(nodes))
    assert set(nodes) <= set(model.nodes)


def test_remote_clients_are_on_two_continents_of_three_site_only() -> None:
    remote = {topology: Model(topology).clients(Place.REMOTE) for topology in TOPOLOGIES}
    assert remote == {"two_site": ("clc",), "lan": ("clc",), "three_site": ("clc", "cld")}


@every_topology
def test_a_cut_changes_the_queues_that_the_topology_set(topology: str) -> None:
    model = Model(topology, ODD)
    delays = model.delays()
    cut: tuple[SetNetem, ...] = model.module.wan_between_sites(model.scenario)
    assert [queue.delay_s for queue in cut] == [ODD.a_b.delay_s, ODD.a_b.reversed().delay_s]
    assert [delays[queue.node, queue.link] for queue in cut] == [q.delay_s for q in cut]
    assert [queue.loss for queue in cut] == [0.01, 0.02]


def test_a_lan_is_one_prefix_with_one_gateway_and_no_circuit() -> None:
    layout = Model("lan").layout
    a, b = layout.a, layout.b
    assert (a.prefix, a.gateway, a.gateway_address) == (b.prefix, b.gateway, b.gateway_address)
    assert a.hypervisor != b.hypervisor
    assert a.circuit is None and b.circuit is None
    assert layout.guest.new_address == "10.1.0.11"


@every_network
def test_three_site_is_two_site_and_a_second_clients_site(network: Network) -> None:
    small, large = Model("two_site", network), Model("three_site", network)
    assert set(small.nodes) < set(large.nodes)
    assert set(small.cables) < set(large.cables)
    assert set(small.changes) < set(large.changes)
    new = set(large.nodes) - set(small.nodes)
    assert new == {"cld", "swd", "gwd", "ped"}
    both = [topology.layout for topology in (small, large)]
    assert both[0] == both[1]


@every_topology
@every_network
@pytest.mark.parametrize("place", Place)
def test_the_measures_know_the_delays_that_the_topology_has(
    topology: str, network: Network, place: Place
) -> None:
    model = Model(topology, network)
    net = model.scenario.network
    wan = frozenset({"carrier", "patch"})
    a, b = model.layout.a.hypervisor, model.layout.b.hypervisor
    # Packets of remote clients take the direct path, also where a detour would be shorter; from B
    # to A the carrier's circuit is a way as well.
    for node in model.clients(place):
        remote = place is Place.REMOTE
        to_a = wan | ({"peb"} if remote else set())
        to_b = wan | ({"pea"} if topology != "lan" else set()) if remote else {"patch"}
        assert a_to_client_s(net, place, node) == pytest.approx(model.delay_s(a, node, to_a))
        assert b_to_client_s(net, place, node) == pytest.approx(model.delay_s(b, node, to_b))
        if remote:
            there_and_back = model.delay_s(node, b, to_b) + model.delay_s(b, node, to_b)
            assert round_trip_to_b_s(net, node) == pytest.approx(there_and_back)
    assert a_to_b_s(net) == pytest.approx(model.delay_s(a, b, wan))
    assert b_to_a_s(net) == pytest.approx(model.delay_s(b, a, frozenset({"patch"})))


def test_on_a_lan_the_way_from_b_is_the_cable_longer_for_everybody() -> None:
    lan = Model("lan", ODD).scenario.network
    assert [longer_way_s(lan, place) for place in Place] == pytest.approx([0.006] * 3)


def test_the_second_continent_has_the_delays_of_the_first_unless_it_has_its_own() -> None:
    shared = Network(topology="three_site", clients_a=Path(delay_s=0.070))
    own = Network(topology="three_site", clients2_a=Path(delay_s=0.090))
    assert a_to_client_s(shared, Place.REMOTE, SECOND_CLIENTS_NODE) == 0.070
    assert a_to_client_s(own, Place.REMOTE, SECOND_CLIENTS_NODE) == 0.090
    assert a_to_client_s(own, Place.REMOTE, "clc") == 0.025


@pytest.mark.parametrize(
    ("path", "packets"),
    [
        (Path(delay_s=0.025, rate_bps=200e6), 3750),
        (Path(delay_s=0.0, rate_bps=200e6), 1000),
        (Path(delay_s=0.1, rate_bps=10e6), 750),
    ],
)
def test_a_queue_holds_what_is_in_flight_and_what_waits_for_a_round_trip(
    path: Path, packets: int
) -> None:
    assert queue_packets(path) == pytest.approx(packets, abs=1)


def test_nothing_is_removed_while_a_topology_is_set_up() -> None:
    for topology in TOPOLOGIES:
        assert not [c for c in Model(topology).changes if isinstance(c, DelLink)]
