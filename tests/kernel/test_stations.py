"""Who was heard through a port of a bridge, beside what `bridge -s fdb` says."""

from __future__ import annotations

import json
import socket

import pytest
from namespace_shell import inside

from netcont.kernel.namespace import Namespace
from netcont.kernel.stations import Port, Station, read_ports

BEYOND = "02:00:00:00:00:0b"
HERE = "02:00:00:00:00:0a"


@pytest.fixture
def bridged(node: Namespace) -> Namespace:
    """A bridge with two ports; what is sent into a port's peer comes in through the port."""
    inside(
        node,
        "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1;"
        " ip link add br0 type bridge forward_delay 0; ip link set br0 up;"
        " for each in far near; do ip link add $each type veth peer name $each-peer;"
        " ip link set $each master br0; ip link set $each up; ip link set $each-peer up; done",
    )
    return node


def send(node: Namespace, link: str, source: str, destination: str) -> None:
    frame = bytes.fromhex((destination + source).replace(":", "")) + b"\x88\xb5" + bytes(46)
    with node.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as one:
        one.bind((link, 0))
        one.send(frame)


def port(node: Namespace, link: str = "far") -> Port:
    return read_ports(node, [link])[link]


def test_a_station_is_known_by_its_frames_with_the_ages_that_bridge_shows(
    bridged: Namespace,
) -> None:
    assert port(bridged).stations == ()
    send(bridged, "far-peer", BEYOND, "ff:ff:ff:ff:ff:ff")
    inside(bridged, "sleep 1.2")
    (found,) = port(bridged).stations
    shown = json.loads(inside(bridged, "bridge -s -j fdb show br br0"))
    (entry,) = [each for each in shown if each["mac"] == BEYOND]
    assert (found.mac, found.vlan, entry["ifname"]) == (BEYOND, None, "far")
    assert found.heard_s >= 1
    assert abs(found.heard_s - entry["updated"]) <= 1
    assert abs(found.sent_s - entry["used"]) <= 1
    assert port(bridged, "near").stations == ()


def test_what_is_forwarded_to_a_station_is_seen_though_it_says_nothing(bridged: Namespace) -> None:
    send(bridged, "far-peer", BEYOND, "ff:ff:ff:ff:ff:ff")
    inside(bridged, "sleep 1.2")
    send(bridged, "near-peer", HERE, BEYOND)
    (found,) = port(bridged).stations
    assert found.heard_s >= found.sent_s + 1
    assert found.idle_s == found.sent_s


def test_a_port_is_silent_no_longer_than_it_is_one(bridged: Namespace) -> None:
    inside(bridged, "ip link set far nomaster; ip link set far master br0")
    found = port(bridged)
    assert found.bridge == "br0"
    assert found.silent_s == found.since_s < 60
    inside(bridged, "sleep 0.5")
    assert port(bridged).since_s >= 0.5


@pytest.mark.parametrize(
    ("setting", "remembers_s"),
    [
        ("true", 300),
        ("ip link set br0 type bridge ageing_time 12000", 120),
        ("ip link set br0 type bridge stp_state 1 forward_delay 1500", 15),
        ("bridge link set dev far learning off", None),
    ],
)
def test_a_bridge_remembers_for_its_ageing_time_or_less(
    bridged: Namespace, setting: str, remembers_s: float | None
) -> None:
    inside(bridged, setting)
    assert port(bridged).remembers_s == remembers_s


def test_with_vlans_a_station_is_known_in_each(bridged: Namespace) -> None:
    if "no" in inside(bridged, "ip link set br0 type bridge vlan_filtering 1 2>&1 || echo no"):
        pytest.skip("this kernel's bridges know no VLANs")
    send(bridged, "far-peer", BEYOND, "ff:ff:ff:ff:ff:ff")
    (found,) = port(bridged).stations
    assert (found.mac, found.vlan) == (BEYOND, 1)
    assert "in VLAN 1 spoke " in str(found)


def test_what_is_no_port_is_left_out(bridged: Namespace) -> None:
    assert read_ports(bridged, ["far-peer", "br0", "none"]) == {}


def test_a_port_was_silent_since_its_last_used_station() -> None:
    stations = (Station(BEYOND, None, 7, 5), Station(HERE, None, 20, 30))
    assert Port("far", "br0", stations, 1000, 300).silent_s == 5
    assert Port("far", "br0", stations, 3, 300).silent_s == 3
    assert Port("far", "br0", (), 1000, 300).silent_s == 300
