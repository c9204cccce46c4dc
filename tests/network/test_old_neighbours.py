"""After a move, when what hosts knew of each other has grown old: everybody is still found.

What a host knows of a neighbour is forgotten, or confirmed by asking the neighbour itself; so
whoever stands in for another must answer both kinds of questions, and only those that it should.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netcont.approach import Context, find, guest_bridge
from netcont.kernel.interpreter import Interpreter
from netcont.kernel.namespace import Namespace
from netcont.lab.network import LabNetwork
from netcont.lab.site import set_cable
from netcont.model.numbers import SEGMENT_GATEWAY_MAC
from netcont.model.plan import Plan, SetMaster
from netcont.model.scenario import Family, Network, Phase, Scenario

from .tools import dump_frames, recording, run, shown

pytestmark = pytest.mark.network(lab="ipv6")

FAR: dict[int, str] = {4: "10.3.0.50", 6: "2001:db8:3::50"}
GATEWAY_B_MAC = "02:00:00:00:02:01"
CASES = [(name, family) for name in ("gre", "vlan", "vxlan") for family in (4, 6)]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def moved(request: pytest.FixtureRequest, lab: Path) -> Iterator[tuple[LabNetwork, str]]:
    """A network whose guest was carried to B, and the approach."""
    name: str
    family: Family
    name, family = request.param
    chosen = Scenario(network=Network(family=family))
    with LabNetwork(chosen) as network:
        nodes, layout, approach = network.namespaces, network.layout, find(name)
        for talker in ("guest", "cla"):
            assert reaches(nodes[talker], FAR[family])
        interpreter = Interpreter(nodes)

        def phase(which: Phase) -> None:
            interpreter.apply(approach.plan(which, Context(layout, chosen)))

        phase(Phase.PREPARE)
        bridge = guest_bridge(approach, layout)
        interpreter.apply(Plan((SetMaster(layout.b.hypervisor, layout.b.guest_port, bridge),)))
        set_cable(nodes, layout.a, up=False)
        phase(Phase.SWITCH)
        set_cable(nodes, layout.b, up=True)
        phase(Phase.RESUME)
        phase(Phase.ANNOUNCE)
        yield network, name


def reaches(node: Namespace, address: str) -> bool:
    done = run(node, "ping", "-nqc2", "-W", "9", "-i", "0.2", address, check=False)
    return " 0% packet loss" in done.stdout


def neighbour(node: Namespace, address: str) -> tuple[str | None, list[str]]:
    """The MAC, and the states, that a node knows of an address."""
    (entry,) = shown(node, "ip", "-j", "neigh", "show", "to", address)
    return entry.get("lladdr"), entry["state"]


def expected_mac(name: str) -> str:
    return GATEWAY_B_MAC if name == "gre" else SEGMENT_GATEWAY_MAC


def test_a_guest_that_has_forgotten_its_gateway_finds_it(moved: tuple[LabNetwork, str]) -> None:
    network, name = moved
    guest, layout = network.namespaces["guest"], network.layout
    assert neighbour(guest, layout.guest.gateway_address)[0] == expected_mac(name)
    run(guest, "ip", "neigh", "flush", "dev", layout.guest.link)
    assert reaches(guest, FAR[layout.family])
    assert neighbour(guest, layout.guest.gateway_address)[0] == expected_mac(name)


def test_a_gateway_that_is_asked_itself_confirms_that_it_is_there(
    moved: tuple[LabNetwork, str],
) -> None:
    network, name = moved
    layout = network.layout
    asked = [("guest", layout.guest.gateway_address, expected_mac(name))]
    if name == "gre":
        # A's gateway stands in for the guest, and B's for the guest's neighbours.
        asked += [("cla", layout.guest.address, layout.a.gateway_mac)]
        asked += [("guest", layout.on_link[0], GATEWAY_B_MAC)]
        assert reaches(network.namespaces["guest"], layout.on_link[0])
        assert reaches(network.namespaces["cla"], layout.guest.address)
    for node, address, mac in asked:
        link = {"guest": layout.guest.link, "cla": "cla-eth0"}[node]
        asker = network.namespaces[node]
        run(asker, "ip", "neigh", "change", address, "dev", link, "nud", "probe")
        time.sleep(2)
        assert neighbour(asker, address) == (mac, ["REACHABLE"]), (node, address)


def test_nobody_at_a_hears_of_the_gateway_at_b(
    moved: tuple[LabNetwork, str], tmp_path: Path
) -> None:
    network, name = moved
    nodes, layout = network.namespaces, network.layout
    gateway, guest = layout.guest.gateway_address, nodes["guest"]
    with recording(nodes["cla"], "cla-eth0", tmp_path / "cla.pcap", "--immediate-mode"):
        for node, link in (("cla", "cla-eth0"), ("guest", layout.guest.link)):
            run(nodes[node], "ip", "neigh", "flush", "dev", link)
            assert reaches(nodes[node], gateway)
        time.sleep(0.5)
    assert neighbour(nodes["cla"], gateway)[0] == layout.a.gateway_mac
    assert neighbour(guest, gateway)[0] == expected_mac(name)
    asked = "arp" if layout.family == 4 else "icmp6"
    assert dump_frames(tmp_path / "cla.pcap", asked)
    strange = dump_frames(tmp_path / "cla.pcap", asked, "and", "ether", "src", expected_mac(name))
    assert strange == []
