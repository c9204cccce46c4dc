"""Single questions to a kernel, judged by iproute2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netcont.errors import KernelError
from netcont.kernel.lookup import Way, addresses_of, is_running, link_mac, link_state, way_to
from netcont.kernel.namespace import Namespace, create_namespace

SET_UP = """
ip link set lo up
ip link add br0 type bridge
ip link add eth0 type veth peer name eth1
ip link set eth0 master br0
ip link set eth1 up
ip addr add 192.0.2.1/24 dev eth1
ip addr add 2001:db8::1/64 dev eth1 nodad
ip route add 198.51.100.0/24 via 192.0.2.254 mtu 1400
ip route add unreachable 203.0.113.0/24
ip -6 route add 2001:db8:1::/48 via 2001:db8::2
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root")


@pytest.fixture
def node() -> Iterator[Namespace]:
    pid = create_namespace()
    try:
        with Namespace("n", pid) as one:
            sh(one, SET_UP)
            yield one
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def sh(node: Namespace, script: str) -> str:
    words = ["nsenter", f"--net=/proc/{node.pid}/ns/net", "sh", "-ec", script]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def link(node: Namespace, name: str) -> dict[str, Any]:
    (found,) = json.loads(sh(node, f"ip -j link show {name}"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", ["br0", "eth0", "eth1"])
def test_a_link_is_as_iproute2_says(node: Namespace, name: str) -> None:
    judged, found = link(node, name), link_state(node, name)
    assert (found.name, found.mac) == (name, judged["address"])
    assert found.up == ("UP" in judged["flags"])
    assert is_running(node, name) == (judged["operstate"] == "UP")
    assert found.master == judged.get("master")


def test_a_link_that_is_not_there_is_named(node: Namespace) -> None:
    with pytest.raises(KernelError, match="no link 'eth7'"):
        link_state(node, "eth7")
    with pytest.raises(KernelError, match="no link 'eth7'"):
        addresses_of(node, "eth7")


def test_a_link_without_a_mac_is_named(node: Namespace) -> None:
    assert link_mac(node, "eth1") == link(node, "eth1")["address"]
    if not Path("/dev/net/tun").exists():
        pytest.skip("no link without a MAC address can be made here")
    sh(node, "ip tuntap add mode tun name tun8")
    with pytest.raises(KernelError, match="tun8 has no MAC address"):
        link_mac(node, "tun8")


def test_addresses_of_both_families_are_found(node: Namespace) -> None:
    found = [each for each in addresses_of(node, "eth1") if not each.startswith("fe80:")]
    assert sorted(found) == ["192.0.2.1", "2001:db8::1"]
    assert addresses_of(node, "br0") == []


def test_ways_are_those_of_ip_route_get(node: Namespace) -> None:
    index = node.index("eth1")
    assert way_to(node, "192.0.2.9") == Way(index, "192.0.2.1", None, None)
    assert way_to(node, "198.51.100.1") == Way(index, "192.0.2.1", "192.0.2.254", 1400)
    six = way_to(node, "2001:db8:1::1")
    assert six is not None
    assert (six.link, six.source, six.via) == (index, "2001:db8::1", "2001:db8::2")


def test_an_own_address_is_reached_through_lo(node: Namespace) -> None:
    way = way_to(node, "192.0.2.1")
    assert way is not None
    assert way.link == node.index("lo")


@pytest.mark.parametrize("target", ["203.0.113.1", "8.8.8.8", "2001:db8:2::1"])
def test_where_there_is_no_way_there_is_none(node: Namespace, target: str) -> None:
    assert way_to(node, target) is None
