"""Segments by multicast group, over a switch that sends a group to its members only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from netcont.deploy.segments import port_mac
from netcont.kernel.namespace import create_namespace
from netcont.model.deployment import SideName

from .bench import Gateway, needs_root
from .test_anycast_traffic import frames, reaches, recorded
from .test_up_and_down import right, written

pytestmark = needs_root

GROUP = {4: "239.1.1.1", 6: "ff05::77"}
OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8:a::1", "2001:db8:a::2")}
GROUP_MAC = {4: "01:00:5e:01:01:01", 6: "33:33:00:00:00:77"}

_FILE = """
[side.a]
address = "{a}"
[side.b]
address = "{b}"
[extension]
kind = "vxlan"
vni = 100
group = "{group}"
device = {{ a = "wan0", b = "wan0" }}
addresses = {{ a = "10.255.0.1/29", b = "10.255.0.2/29" }}
"""

_EACH = """
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
sysctl -qw net.ipv6.conf.all.router_solicitations=0 net.ipv6.conf.default.router_solicitations=0
ip link set lo up
"""

# Groups are everybody's until a query could have been answered, for which it gives 0.1 s here.
_SWITCH = """
ip link add sw address 02:00:00:00:00:ff type bridge forward_delay 0
ip link set sw type bridge mcast_snooping 1 mcast_query_response_interval 10
ip link set sw type bridge mcast_querier 1
ip addr add 192.0.2.254/24 dev sw
ip addr add 2001:db8:a::fe/64 dev sw nodad
ip link set sw up
"""


class Switched:
    """Two gateways, another VTEP of the group, and one that is no member, at one switch."""

    def __init__(self, family: int, directory: Path, after: ExitStack) -> None:
        self.family = family
        made = []
        for name in ("switch", "a", "b", "third", "stranger"):
            pid = create_namespace()
            after.callback(os.waitpid, pid, 0)
            after.callback(os.kill, pid, 9)
            made.append(Gateway(pid, directory / name))
            made[-1].sh(_EACH)
        self.switch, self.a, self.b, self.third, self.stranger = made
        self.switch.sh(_SWITCH)
        for number, host in enumerate(made[1:], 1):
            host.sh(f"ip link add wan0 type veth peer name p{number} netns {self.switch.pid}")
            host.sh(f"ip addr add 192.0.2.{number}/24 dev wan0; ip link set wan0 up")
            host.sh(f"ip addr add 2001:db8:a::{number}/64 dev wan0 nodad")
            self.switch.sh(f"ip link set p{number} master sw up")
        local = ("192.0.2.3", "2001:db8:a::3")[family == 6]
        self.third.sh(
            f"ip link add vx type vxlan id 100 local {local} group {GROUP[family]} dev wan0"
            " ttl 4 dstport 4789; ip link set vx up; ip addr add 10.255.0.3/29 dev vx"
        )
        a, b = OUTER[family]
        self.file = written(directory, _FILE.format(a=a, b=b, group=GROUP[family]))

    def members(self) -> set[str]:
        """The switch's ports to members, as it heard from them by IGMP or MLD."""
        (found,) = json.loads(self.switch.sh("bridge -j mdb show"))
        group = GROUP[self.family]
        return {each["port"] for each in found["mdb"] if each["grp"] == group} - {"sw"}

    def groups(self, host: Gateway) -> list[str]:
        """Those that a host has joined on its link."""
        (found,) = json.loads(host.sh(f"ip -{self.family} -j maddr show dev wan0"))
        return [each.get("address", "") for each in found["maddr"]]

    def learned(self, host: Gateway) -> dict[str, Any]:
        """Where a VTEP found MACs, but for the group."""
        entries = json.loads(host.sh("bridge -j fdb show dev nc-vx100"))
        return {e["mac"]: e["dst"] for e in entries if e["state"] != "permanent" and "dst" in e}


@pytest.fixture(params=[4, 6])
def switched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Switched]:
    with ExitStack() as after:
        yield Switched(int(request.param), tmp_path, after)


def test_what_is_for_everybody_goes_to_the_group_and_all_else_to_whom_it_found(
    switched: Switched, tmp_path: Path
) -> None:
    one, family = switched, switched.family
    right(one.a.cli("up", one.file, "--side", "a"))
    right(one.b.cli("up", one.file, "--side", "b"))
    one.switch.sh("sleep 0.3")
    assert one.members() == {"p1", "p2", "p3"}
    assert GROUP[family] in one.groups(one.a)
    pcap, strange = tmp_path / "a.pcap", tmp_path / "stranger.pcap"
    with recorded(one.a, "wan0", pcap), recorded(one.stranger, "wan0", strange):
        assert reaches(one.a, "10.255.0.2")
        assert reaches(one.third, "10.255.0.2")
        assert reaches(one.a, "10.255.0.3")
    there = OUTER[family][1]
    assert one.learned(one.a)[port_mac("web", SideName.B, "nc-vx100")] == there
    assert port_mac("web", SideName.A, "nc-vx100") in one.learned(one.b)
    # VXLAN has UDP port 4789 (RFC 7348 §5).
    own = f"udp port 4789 and ether src {wan_mac(one.a)}"
    to_group = " ".join(frames(one.a, pcap, f"{own} and ether dst {GROUP_MAC[family]}"))
    to_one = " ".join(frames(one.a, pcap, f"{own} and dst host {there}"))
    assert ("who-has 10.255.0.2" in to_group, "ICMP echo" in to_group) == (True, False)
    assert "ICMP echo" in to_one
    assert frames(one.a, strange, "udp port 4789") == []


def test_a_group_that_is_left_gets_nothing_more(switched: Switched, tmp_path: Path) -> None:
    one = switched
    right(one.a.cli("up", one.file, "--side", "a"))
    right(one.b.cli("up", one.file, "--side", "b"))
    assert reaches(one.a, "10.255.0.2")
    right(one.b.cli("down", one.file))
    assert GROUP[one.family] not in one.groups(one.b)
    right(one.a.cli("status"))
    assert "10.255.0.2" not in one.b.sh("ip addr")
    assert not reaches(one.a, "10.255.0.2")
    assert reaches(one.a, "10.255.0.3")


def test_the_other_end_answers_through_the_group(switched: Switched) -> None:
    one = switched
    right(one.b.cli("up", one.file, "--side", "b"))
    said = right(one.a.cli("up", one.file, "--side", "a", probe=True))
    assert f"nc-vx100: {OUTER[one.family][1]} answers" in said


def wan_mac(host: Gateway) -> str:
    (link,) = json.loads(host.sh("ip -j link show wan0"))
    return str(link["address"])
