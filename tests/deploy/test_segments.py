"""Segments: multicast instead of a list, and the guard of their ports; judged by ip and bridge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netcont.deploy.half import Half
from netcont.deploy.problems import DeploymentError
from netcont.model.deployment import SideName
from netcont.model.plan import AddFdb, AddVxlan, SetBridgePort

from .bench import Gateway, difference, needs_root
from .files import SEGMENT, SEGMENT6, deployment
from .pair import pair
from .test_up_and_down import refused, right, written

GROUP = """
[side.a]
address = "192.0.2.1"
[side.b]
address = "198.51.100.1"
[extension]
kind = "vxlan"
vni = 100
group = "239.1.1.1"
device = { a = "wan0", b = "eth0" }
addresses = { a = "10.255.0.1/30", b = "10.255.0.2/30" }
"""

BAD = {
    "no group": (GROUP, "239.1.1.1", "10.0.0.1", "extension.group", "no multicast group"),
    "a link's group": (GROUP, "239.1.1.1", "224.0.0.5", "extension.group", "that is routed"),
    "the other family": (GROUP, "239.1.1.1", "ff05::1", "extension.group", "an IPv4 one"),
    "a link's IPv6 group": (
        SEGMENT6.replace(
            'head_end = "2001:db8:c::1"',
            'group = "ff05::1"\ndevice = { a = "wan0", b = "wan0" }',
        ),
        "ff05::1",
        "ff02::1",
        "extension.group",
        "that is routed",
    ),
    "no device": (GROUP, ', b = "eth0"', "", "extension.device.b", "missing"),
    "no link": (GROUP, '"eth0"', '"a/b"', "extension.device.b", "no name of a link"),
    "a device without a group": (
        GROUP,
        'group = "239.1.1.1"\n',
        "",
        "extension.device.a",
        "without a group",
    ),
    "a list as well": (
        GROUP,
        "vni = 100",
        'vni = 100\nhead_end = "203.0.113.9"',
        "extension.head_end",
        "one of the two",
    ),
    "fragments": (GROUP, "vni = 100", "vni = 100\nfragment = true", "extension.fragment", "remove"),
    "a VLAN": (
        GROUP,
        'kind = "vxlan"\nvni = 100',
        'kind = "vlan"\nvlan_id = 7\nparent = { a = "e0", b = "e0" }',
        "extension.group",
        "means nothing to vlan",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_group_that_cannot_be_is_refused(case: str) -> None:
    text, old, new, key, said = BAD[case]
    assert deployment(text)
    assert old in text
    with pytest.raises(DeploymentError) as caught:
        deployment(text.replace(old, new))
    assert any(
        str(each).startswith(f"{key}:") and said in str(each) for each in caught.value.problems
    ), caught.value


@pytest.mark.parametrize(("side", "device"), [(SideName.A, "wan0"), (SideName.B, "eth0")])
def test_with_a_group_nobody_is_listed(side: SideName, device: str) -> None:
    plan = Half(deployment(GROUP), side, "web").plan()
    vtep = next(each for each in plan if isinstance(each, AddVxlan))
    assert (vtep.group, vtep.device) == ("239.1.1.1", device)
    assert not any(isinstance(each, AddFdb) for each in plan)


def test_a_port_is_guarded_unless_the_file_says_no() -> None:
    def ports(text: str) -> list[tuple[bool | None, bool | None]]:
        plan = Half(deployment(text), SideName.A, "web").plan()
        found = (each for each in plan if isinstance(each, SetBridgePort))
        return [(each.neigh_suppress, each.guard) for each in found]

    assert ports(SEGMENT) == [(True, True)]
    assert ports(SEGMENT.replace("arp_suppression = true\n", "")) == [(None, True)]
    assert ports(SEGMENT + "loop_guard = false\n") == [(True, None)]
    assert ports(GROUP) == []


@needs_root
def test_a_group_is_joined_typed_and_left(host: Gateway, tmp_path: Path) -> None:
    before = host.snapshot()
    file = written(tmp_path, GROUP)
    right(host.cli("up", file, "--side", "a"))
    applied = host.snapshot()
    (link,) = json.loads(host.sh("ip -d -j link show nc-vx100"))
    data = link["linkinfo"]["info_data"]
    assert (data["group"], data["link"], data["ttl"]) == ("239.1.1.1", "wan0", 64)
    assert "239.1.1.1" in host.sh("ip maddr show dev wan0")
    assert "was up already" in right(host.cli("up", file, "--side", "a"))
    right(host.cli("down", file))
    assert "239.1.1.1" not in host.sh("ip maddr show dev wan0")
    assert difference(before, host.snapshot()) == []
    lines = right(host.cli("plan", file, "--side", "a")).splitlines()
    host.sh("\n".join(line[2:] for line in lines if line.startswith("+ ")))
    assert difference(applied, host.snapshot()) == []


@needs_root
def test_a_device_that_is_missing_or_too_narrow_is_refused(host: Gateway, tmp_path: Path) -> None:
    elsewhere = written(tmp_path, GROUP.replace('"wan0"', '"wan7"'), "elsewhere")
    refused(host.cli("up", elsewhere, "--side", "a"), "no link 'wan7'")
    host.sh("ip link set lan0 mtu 1400")
    narrow = written(tmp_path, GROUP.replace('"wan0"', '"lan0"'), "narrow")
    refused(host.cli("up", narrow, "--side", "a"), "lan0 takes 1400", "mtu_bytes = 1350")


@needs_root
def test_the_guard_is_on_and_goes_with_the_port(host: Gateway, tmp_path: Path) -> None:
    file = written(tmp_path, SEGMENT, "seg")
    right(host.cli("up", file, "--side", "a"))
    ports = json.loads(host.sh("bridge -d -j link show dev nc-vx100"))
    assert [(each["guard"], each["neigh_suppress"]) for each in ports] == [(True, True)]
    host.sh("bridge link set dev nc-vx100 guard off")
    assert "guard off" in host.cli("status").said
    right(host.cli("up", file, "--side", "a"))
    assert "guard on" in host.sh("bridge -d link show dev nc-vx100")


@needs_root
def test_two_bridges_that_may_both_speak_stp_are_refused_a_guard(
    host: Gateway, tmp_path: Path
) -> None:
    host.sh("ip link set br0 type bridge stp_state 1")
    both = SEGMENT.replace('"nc-stretch"', '"br1"')
    said = ("br0 speaks STP", "loop_guard = false")
    refused(host.cli("plan", written(tmp_path, both), "--side", "a"), *said)
    right(host.cli("plan", written(tmp_path, both + "loop_guard = false\n"), "--side", "a"))
    right(host.cli("plan", written(tmp_path, SEGMENT), "--side", "a"))


_FOREIGN = """
ip link add out0 type veth peer name out1
ip link add other type bridge stp_state 1 hello_time 100 forward_delay 200
ip link set out1 master other
ip link set out0 master nc-stretch
for each in out0 out1 other; do ip link set $each up; done
"""


def port_state(host: Gateway) -> str:
    (port,) = json.loads(host.sh("bridge -j link show dev nc-vx100"))
    return str(port["state"])


@needs_root
@pytest.mark.parametrize("guarded", [True, False])
def test_a_port_that_hears_another_bridge_is_shut_if_it_is_guarded(
    tmp_path: Path, guarded: bool
) -> None:
    text = SEGMENT.replace('head_end = ["203.0.113.9"]\n', "")
    text += f"loop_guard = {str(guarded).lower()}\n"
    with pair(tmp_path) as two:
        file = written(tmp_path, text)
        two.a.sh("ip link add br0 type bridge forward_delay 200 hello_time 100; ip link set br0 up")
        right(two.b.cli("up", file, "--side", "b"))
        right(two.a.cli("up", file, "--side", "a"))
        two.a.sh("ip link set br0 type bridge stp_state 1")
        two.b.sh(_FOREIGN)
        heard = "tcpdump -Z root -nc1 -i nc-vx100 -Q in stp"
        two.a.sh(f"timeout 20 {heard}; sleep 0.2")
        assert (port_state(two.a) == "disabled") is guarded
        status = two.a.cli("status", "--no-probe")
        assert ("shut     nc-vx100: a bridge that speaks STP" in status.said) is guarded
        assert status.status == int(guarded)
        if guarded:
            # Once the other bridge is gone, it is opened by hand.
            two.b.sh("ip link del other")
            two.a.sh("ip link set nc-vx100 down; ip link set nc-vx100 up; sleep 0.2")
            assert port_state(two.a) != "disabled"
            assert "shut" not in right(two.a.cli("status", "--no-probe"))
