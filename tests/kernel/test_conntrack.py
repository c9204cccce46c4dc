"""The kernel's connection table, in namespaces of these tests; /proc shows the same table."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from namespace_shell import inside

from netcont.deploy.flows import TRACK
from netcont.kernel.conntrack import Tracked, read_conntrack
from netcont.kernel.namespace import Namespace


def needs_table() -> None:
    if not Path("/proc/net/nf_conntrack").exists():
        pytest.skip("this kernel has no connection table in /proc to compare with")


def test_without_a_rule_that_asks_for_it_the_kernel_tracks_nothing(node: Namespace) -> None:
    assert read_conntrack(node) == Tracked((), frozenset())


def test_the_line_that_is_offered_makes_the_kernel_track_both_families(node: Namespace) -> None:
    inside(node, TRACK)
    assert read_conntrack(node) == Tracked((), frozenset({4, 6}))


def test_rules_of_one_family_track_that_one_only(node: Namespace) -> None:
    inside(
        node,
        "nft 'table ip x { chain y { type filter hook forward priority 0; ct state new; } ; }'",
    )
    assert read_conntrack(node).versions == {4}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_connections_are_those_that_proc_shows(node: Namespace, address: str) -> None:
    needs_table()
    inside(node, TRACK)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with node.entered(), socket.socket(family) as server:
        server.bind((address, 0))
        server.listen()
        with socket.create_connection(server.getsockname()[:2]) as client:
            begun = client.getsockname()[1]
            found = read_conntrack(node)
            shown = inside(node, "cat /proc/net/nf_conntrack")
    (flow,) = [each for each in found.flows if each.protocol == "tcp"]
    assert (flow.source, flow.source_port) == (address, begun)
    line = next(each for each in shown.splitlines() if " tcp " in each)
    port = re.search(r"dport=(\d+)", line)
    assert port and flow.destination_port == int(port[1])
    assert flow.state.upper() in line
    assert flow.expires_s is not None
    assert abs(flow.expires_s - int(line.split()[4])) <= 1


def test_addresses_after_nat_are_known_as_well(node: Namespace) -> None:
    inside(
        node,
        "nft 'table ip n { chain out { type nat hook output priority -100;"
        " ip daddr 192.0.2.9 dnat to 127.0.0.1 ; } ; }'; ip route add 192.0.2.9 dev lo",
    )
    send(node, ("192.0.2.9", 9))
    flows = [each for each in read_conntrack(node).flows if each.destination == "192.0.2.9"]
    assert [each.translated for each in flows] == [("127.0.0.1",)]


def send(node: Namespace, to: tuple[str, int]) -> None:
    with node.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", to)


def test_of_a_large_table_only_what_is_wanted_is_told(node: Namespace) -> None:
    inside(node, f"ip route add default dev lo; {TRACK}")
    wanted = socket.inet_aton("10.9.0.7")
    with node.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for host in range(1, 20):
            one.sendto(b"", (f"10.9.0.{host}", 9))
    found = read_conntrack(node, wanted.__eq__)
    assert [each.destination for each in found.flows] == ["10.9.0.7"]
    assert found.versions == frozenset({4, 6})
    everything = {each.destination for each in read_conntrack(node).flows}
    assert {f"10.9.0.{host}" for host in range(1, 20)} <= everything
