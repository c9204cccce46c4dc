"""netcont retire under real connections, through real tunnels and VLANs, while hours pass."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from deploy.bench import Gateway
from deploy.files import TUNNEL
from deploy.pair import Pair, pair

from netcont.deploy.flows import TRACK
from netcont.kernel.namespace import Namespace, create_namespace

pytestmark = pytest.mark.network(lab="retire")

CLIENT, GUEST = "203.0.113.5", "10.1.0.10"

VLAN = """
[side.a]
address = "192.0.2.1"
[side.b]
address = "198.51.100.1"
[extension]
kind = "vlan"
vlan_id = 5
parent = { a = "wire", b = "wire" }
bridge = { a = "nc-br", b = "nc-br" }
"""


@pytest.fixture
def two(lab: Path, tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        yield made


def up(two: Pair, directory: Path, text: str, *more: str) -> None:
    file = directory / "web.toml"
    file.write_text(text)
    for host, side in ((two.a, "a"), (two.b, "b")):
        ended = host.cli("up", str(file), "--side", side, *more)
        assert ended.status == 0, ended.said


@pytest.fixture
def moved(two: Pair, tmp_path: Path) -> Iterator[Gateway]:
    """The guest, which serves at b; its client is behind the router, and comes by a."""
    guest = create_namespace()
    try:
        host = Gateway(guest, tmp_path / "guest")
        two.a.sh("ip link add lan0 type veth peer name lan1; ip link set lan1 up")
        two.b.sh(f"ip link add lan0 type veth peer name eth0 netns {guest}")
        for each, address in ((two.a, "10.1.0.1"), (two.b, "10.2.0.1")):
            each.sh(f"ip link set lan0 up; ip addr add {address}/24 dev lan0; {TRACK}")
        host.sh(f"ip link set lo up; ip link set eth0 up; ip addr add {GUEST}/24 dev eth0")
        host.sh("ip route add default via 10.1.0.1")
        two.router.sh(f"ip link set lo up; ip addr add {CLIENT}/32 dev lo")
        two.router.sh("ip route add 10.1.0.0/24 via 192.0.2.1")
        up(two, tmp_path, TUNNEL, "--switch")
        yield host
    finally:
        os.kill(guest, 9)
        os.waitpid(guest, 0)


class Connection:
    """TCP from the client to the guest, with data both ways."""

    def __init__(self, after: ExitStack, router: Gateway, guest: Gateway) -> None:
        with Namespace("guest", guest.pid) as node, node.entered():
            server = after.enter_context(socket.create_server((GUEST, 5001)))
        with Namespace("router", router.pid) as node, node.entered():
            self.client = after.enter_context(
                socket.create_connection((GUEST, 5001), 60, (CLIENT, 0))
            )
        self.accepted = after.enter_context(server.accept()[0])
        self.port = self.client.getsockname()[1]
        self.talk()

    def talk(self) -> None:
        for one, other in ((self.client, self.accepted), (self.accepted, self.client)):
            one.sendall(b"words")
            assert other.recv(5, socket.MSG_WAITALL) == b"words"

    def end(self) -> None:
        # Not by closing: a child that was forked meanwhile has them open as well.
        self.client.shutdown(socket.SHUT_RDWR)
        self.accepted.shutdown(socket.SHUT_RDWR)


def test_a_connection_through_a_tunnel_keeps_it_at_both_ends_until_it_has_ended(
    two: Pair, moved: Gateway
) -> None:
    with ExitStack() as after:
        connection = Connection(after, two.router, moved)
        line = f"tcp {CLIENT}:{connection.port} -> {GUEST}:5001 established (conntrack, idle for"
        for host in (two.a, two.b):
            for more in ((), ("--idle-timeout", "3600")):
                refused = host.cli("retire", "web", *more)
                assert refused.status == 1, refused.said
                assert line in refused.said
        said = json.loads(two.a.cli("retire", "web", "--format", "json").said)
        (listed,) = said["connections"]["listed"]
        assert (listed["source_port"], listed["destination_port"]) == (connection.port, 5001)
        assert (said["state"], said["connections"]["unseen"]) == ("in-use", [])
        connection.talk()

        drained = two.a.start_cli("retire", "web", "--drain", "600")
        drained.until("web: 1 connection left")
        connection.talk()
        connection.end()
        ended = drained.ended()
    assert ended.status == 0, ended.said
    assert ended.said.endswith("web: down\n")
    assert "nc-tun" not in two.a.sh("ip -o link")
    assert two.b.cli("retire", "web").status == 0


def test_a_connection_whose_client_vanished_hours_ago_can_be_left_out(
    two: Pair, moved: Gateway
) -> None:
    with ExitStack() as after:
        connection = Connection(after, two.router, moved)
        two.router.sh("ip link set to-a down")
        silent_since_s = time.monotonic()
        time.sleep(7200)
        at_least_s = time.monotonic() - silent_since_s
        for more in ((), ("--idle-timeout", "36000"), ("--drain", "60")):
            refused = two.a.cli("retire", "web", "--format", "json", *more)
            assert refused.status == 1, refused.said
            said = json.loads(refused.said[refused.said.index("{") :])
            (listed,) = said["connections"]["listed"]
            assert listed["source_port"] == connection.port
            assert at_least_s - 2 <= listed["idle_s"] <= time.monotonic() - silent_since_s + 2
        ended = two.a.cli("retire", "web", "--idle-timeout", "7200")
    assert ended.status == 0, ended.said
    assert "left out as idle: 1 connection:" in ended.said
    assert f"tcp {CLIENT}:{connection.port} -> {GUEST}:5001 established" in ended.said
    assert "nc-tun" not in two.a.sh("ip -o link")


def test_a_client_with_keep_alives_is_not_idle(two: Pair, moved: Gateway) -> None:
    with ExitStack() as after:
        connection = Connection(after, two.router, moved)
        connection.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 600)
        time.sleep(7200)
        refused = two.a.cli("retire", "web", "--idle-timeout", "900")
        assert refused.status == 1, refused.said
        connection.talk()


def test_a_vlan_is_kept_by_a_station_that_was_heard_beyond_it(two: Pair, tmp_path: Path) -> None:
    two.a.sh(f"ip link add wire type veth peer name wire netns {two.b.pid}")
    for host in (two.a, two.b):
        host.sh("ip link set wire up; sysctl -qw net.ipv6.conf.default.disable_ipv6=1")
    up(two, tmp_path, VLAN)
    # Long: the lab's clock jumps while programs are read.
    two.a.sh("ip link set nc-br type bridge vlan_filtering 1 ageing_time 360000")
    two.b.sh("ip link set nc-br address 02:00:00:00:0b:02; ip addr add 10.9.0.2/24 dev nc-br")
    two.a.sh("ip addr add 10.9.0.1/24 dev nc-br")
    two.a.sh("ping -c 1 -W 5 10.9.0.2")
    refused = two.a.cli("retire", "web", "--idle-timeout", "1800")
    assert refused.status == 1, refused.said
    assert "in use by 1 station beyond nc-vlan5:" in refused.said
    assert "02:00:00:00:0b:02 in VLAN 1 spoke" in refused.said
    time.sleep(1900)
    ended = two.a.cli("retire", "web", "--idle-timeout", "1800")
    assert ended.status == 0, ended.said
