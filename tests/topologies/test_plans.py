"""Every approach on every topology: its plans speak of nodes and links that are there."""

from __future__ import annotations

import pytest
from graphs import CASES, TOPOLOGIES, Model, suited

from netcont.approach import APPROACHES, DEFAULT_APPROACHES, find, guest_bridge
from netcont.approach.suited import (
    IPV4_ONLY,
    WITHIN_A_LAN,
    default_approaches,
    left_out_approaches,
)
from netcont.model.numbers import SEGMENT_NEXT_HOP, SEGMENT_NEXT_HOP_IPV6
from netcont.model.plan import (
    AddLink,
    AddNeighbour,
    AddVlan,
    Announce,
    Change,
    Plan,
    SetMaster,
    SetSysctl,
    UpdateRecord,
    is_ipv6,
)
from netcont.model.scenario import Family, Network, Phase

HOPS = (SEGMENT_NEXT_HOP, SEGMENT_NEXT_HOP_IPV6)

every_case = pytest.mark.parametrize(("topology", "name", "family"), CASES)


def plans(model: Model, name: str) -> Plan:
    """All phases of an approach, one after the other."""
    approach, context = find(name), model.context()
    return sum((approach.plan(phase, context) for phase in Phase), Plan())


def links_of(change: Change) -> list[str]:
    """The links that a change needs to be there."""
    named = [getattr(change, "link", None)]
    if isinstance(change, SetMaster):
        named.append(change.master)
    if isinstance(change, AddVlan):
        named.append(change.parent)
    if isinstance(change, SetSysctl):
        parts = change.key.split(".")
        named += parts[3:-1] if parts[2] in ("conf", "neigh") else []
        named = [link for link in named if link != "all"]
    return [link for link in named if link is not None]


@every_case
def test_a_plan_speaks_of_nodes_and_links_that_are_there(
    topology: str, name: str, family: Family
) -> None:
    model = Model(topology, Network(family=family))
    links = model.links()
    for change in plans(model, name):
        assert change.node in model.nodes
        assert [link for link in links_of(change) if (change.node, link) not in links] == []
        if isinstance(change, AddLink):
            assert (change.node, change.name) not in links
            links.add((change.node, change.name))


@every_case
def test_every_change_is_made_by_exactly_one_of_the_engines(
    topology: str, name: str, family: Family
) -> None:
    model = Model(topology, Network(family=family))
    a, b = model.layout.a, model.layout.b
    for phase in Phase:
        plan = find(name).plan(phase, model.context())
        shared = plan.on(a.nodes).changes + plan.on(b.nodes).changes
        assert sorted(map(repr, shared)) == sorted(map(repr, plan))


@every_case
def test_the_guests_port_joins_a_bridge_that_is_there_once_all_is_prepared(
    topology: str, name: str, family: Family
) -> None:
    model = Model(topology, Network(family=family))
    b = model.layout.b
    prepared = find(name).plan(Phase.PREPARE, model.context())
    links = model.links() | {(c.node, c.name) for c in prepared if isinstance(c, AddLink)}
    assert (b.hypervisor, guest_bridge(find(name), model.layout)) in links


@every_case
def test_addresses_that_are_announced_are_the_guests_or_the_lans(
    topology: str, name: str, family: Family
) -> None:
    model = Model(topology, Network(family=family))
    for change in plans(model, name):
        if isinstance(change, Announce | AddNeighbour) and change.address not in HOPS:
            assert change.address in model.addresses
        if isinstance(change, UpdateRecord):
            assert change.server in model.addresses


@every_case
def test_a_plan_speaks_of_one_family_only(topology: str, name: str, family: Family) -> None:
    model = Model(topology, Network(family=family))
    other = "ipv4" if family == 6 else "ipv6"
    for change in plans(model, name):
        assert not (isinstance(change, SetSysctl) and f"net.{other}." in change.key)
        for text in ("address", "destination", "source", "via", "local", "remote", "value"):
            said = getattr(change, text, None)
            if isinstance(said, str) and (":" in said or "." in said or said == "default"):
                assert is_ipv6(said) is (family == 6), change
        if isinstance(change, UpdateRecord):
            assert change.kind == {4: "A", 6: "AAAA"}[family]


def test_on_a_lan_only_approaches_for_one_lan_are_suited() -> None:
    for family in (4, 6):
        assert set(suited("lan", family)) == {*WITHIN_A_LAN, "ddns+announce"}
    for wide in ("two_site", "three_site"):
        assert set(APPROACHES) <= set(suited(wide))
        assert set(APPROACHES) - set(suited(wide, 6)) == set(IPV4_ONLY)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_the_approaches_run_by_default_are_suited(topology: str, family: Family) -> None:
    network = Network(topology=topology, family=family)
    default = default_approaches(network)
    assert set(default) <= set(suited(topology, family))
    if topology != "lan":
        assert (*default, *left_out_approaches(network)) == DEFAULT_APPROACHES
