"""A network of IPv6 alone: who is reached, who is turned away, and what becomes of connections."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from netcont.lab.network import LabNetwork
from netcont.model.outcome import Fate
from netcont.model.scenario import Client, ClientKind, Network, Scenario

from .moves import DATAGRAMS, STREAMS, assert_sound, make, of, scenario
from .tools import dump_frames, recording, run, shown

pytestmark = [pytest.mark.network(lab="ipv6"), pytest.mark.usefixtures("nothing_is_left")]

NAMED = (Client(ClientKind.REQUEST),)
TUNNELS = {"ipip": 40, "gre": 48, "ddns+ipip": 40}
EXTENSIONS = {"vlan": 4, "vxlan": 70}
OVERHEAD_BYTES = TUNNELS | EXTENSIONS
MARGIN_S = dict.fromkeys(TUNNELS, 0.025) | dict.fromkeys(EXTENSIONS, 0.075)


@pytest.fixture(scope="module", autouse=True)
def names_over_ipv6(lab: Path) -> Iterator[None]:
    """This process and its children ask the resolver of a network of IPv6."""
    settings = Path("/etc/resolv.conf")
    before = settings.read_text()
    resolver = LabNetwork(Scenario(network=Network(family=6))).layout.names.resolver
    settings.write_text(f"nameserver {resolver}\noptions timeout:1 attempts:1\n")
    yield
    settings.write_text(before)


@pytest.mark.parametrize("approach", OVERHEAD_BYTES)
def test_no_connection_breaks(approach: str, lab: Path) -> None:
    _, run = make(scenario((*STREAMS, *DATAGRAMS), family=6), approach, lab)
    assert_sound(run, approach)
    assert {c.name: c.fate for c in run.clients} == {c.name: Fate.SURVIVED for c in run.clients}
    assert len({client.place for client in of(run, STREAMS)}) == 3
    late = {
        client.name: (client.longest_gap_s, client.floor_s)
        for client in of(run, DATAGRAMS)
        if client.longest_gap_s > client.floor_s + MARGIN_S[approach]
    }
    assert not late, "UDP gaps over the floor by more than the approach may cost"
    assert run.overhead_bytes_per_packet == OVERHEAD_BYTES[approach]


@pytest.mark.parametrize("approach", ["readdress", "blackhole"])
def test_without_help_every_established_connection_breaks(approach: str, lab: Path) -> None:
    _, run = make(scenario(more=NAMED, family=6), approach, lab)
    assert_sound(run, approach)
    broken = {Fate.TIMED_OUT, Fate.RESET}
    assert {c.name: c.fate for c in of(run, STREAMS) if c.fate not in broken} == {}
    assert {c.fate for c in of(run, DATAGRAMS)} == {Fate.STALLED}
    assert run.new_connections is not None
    assert run.new_connections.unreachable_s is None, "nobody was told where the guest is now"


def test_dns_brings_new_connections_only(lab: Path) -> None:
    chosen = scenario((ClientKind.TCP_ECHO,), more=NAMED, family=6)
    raw, run = make(chosen, "ddns", lab)
    assert_sound(run, "ddns")
    assert {c.fate for c in of(run, STREAMS)} <= {Fate.TIMED_OUT, Fate.RESET}
    assert run.new_connections is not None
    assert run.new_connections.unreachable_s is not None
    assert run.new_connections.unreachable_s <= chosen.dns.ttl_s + 1
    record = raw.record()
    assert record is not None
    asked = {a.address for client in record.clients for a in client.attempts}
    assert asked == {"2001:db8:1::10", "2001:db8:2::10"}


@pytest.fixture(params=["two_site", "lan", "three_site"])
def network(request: pytest.FixtureRequest, lab: Path) -> Iterator[LabNetwork]:
    with LabNetwork(Scenario(network=Network(topology=request.param, family=6))) as built:
        yield built


def addresses(network: LabNetwork, name: str, *options: str) -> list[str]:
    """A node's addresses that are valid everywhere, by ip."""
    found = shown(network.namespaces[name], "ip", "-j", *options, "addr", "show", "scope", "global")
    # Links without such an address are in the list too, as empty tables.
    return [info["local"] for link in found for info in link.get("addr_info", []) if info]


def test_everybody_reaches_the_guest_its_new_host_and_the_resolver(network: LabNetwork) -> None:
    nodes = network.namespaces
    hosts = [name for name in nodes if name in ("guest", "ns2") or name[:2] in ("cl", "hv")]
    silent = [
        (name, other)
        for name, other in product(hosts, ("guest", "hvb", "ns2"))
        if " 0% packet loss"
        not in run(
            nodes[name], "ping", "-nqc1", "-W", "9", addresses(network, other)[0], check=False
        ).stdout
    ]
    assert silent == []


def test_no_node_has_anything_of_ipv4_or_that_came_by_itself(network: LabNetwork) -> None:
    for name, node in network.namespaces.items():
        assert addresses(network, name, "-4") == []
        for link in shown(node, "ip", "-j", "-6", "addr"):
            for info in link["addr_info"]:
                assert not {"tentative", "temporary", "dynamic", "mngtmpaddr"} & set(info), info
        # A port of a bridge, or a cable in the carrier's hands, has nothing to say.
        speaking = {
            link["ifname"]
            for link in shown(node, "ip", "-j", "-6", "addr")
            if link["addr_info"] and link["ifname"] != "lo"
        }
        ports = {link["ifname"] for link in shown(node, "bridge", "-j", "link")}
        assert not speaking & ports
        assert bool(speaking) == (name[:2] not in ("sw", "ca", "pa"))


@pytest.mark.parametrize("network", ["two_site"], indirect=True)
def test_mininet_knows_the_address_of_a_host_and_of_a_bridge(network: LabNetwork) -> None:
    net = network.mininet
    assert net["guest"].IP() == "2001:db8:1::10"
    assert net["hvb"].IP() == "2001:db8:2::2"
    assert net["gwa"].IP("gwa-lan") == "2001:db8:1::1"
    assert net["swa"].IP() is None


def test_b_drops_sources_of_a_where_providers_filter(lab: Path, tmp_path: Path) -> None:
    arrived = {}
    source, gateway = "2001:db8:1::77", "2001:db8:ffff::9"
    for filtering in (True, False):
        chosen = Scenario(network=Network(family=6, source_filtering=filtering))
        with LabNetwork(chosen) as network:
            gwb, clc = network.namespaces["gwb"], network.namespaces["clc"]
            run(gwb, "ip", "addr", "add", f"{source}/128", "dev", "lo")
            pcap = tmp_path / f"{filtering}.pcap"
            to = addresses(network, "clc")[0]
            with recording(clc, "clc-eth0", pcap, "--immediate-mode"):
                for of in (source, gateway):
                    run(gwb, "ping", "-nqc2", "-W1", "-i0.2", "-I", of, to, check=False)
                time.sleep(0.2)
            for of in (source, gateway):
                arrived[filtering, of] = len(dump_frames(pcap, "icmp6", "and", "src", of))
    assert arrived == {
        (True, source): 0,
        (True, gateway): 2,
        (False, source): 2,
        (False, gateway): 2,
    }
