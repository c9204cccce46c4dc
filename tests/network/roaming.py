"""A home network, two foreign ones and a WAN between; a host whose cable is moved; daemons on them.

    cn   ev                      correspondent and a stranger, on the WAN
     |    |
    ------------ WAN 10.9.0.0/24, 10 ms to each of its hosts
     |     |     |
    ha    fb    fc               routers: home agent, foreign agents at B and C
     |     |     |
    10.1  10.2  10.3             links; hn lives on the home link, mn's cable is moved

All bridges are in one more namespace, sw.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from netcont.agent.daemon import run_agent
from netcont.agent.settings import (
    ForeignSettings,
    Guest,
    HomeSettings,
    NodeSettings,
    Peer,
    Settings,
)
from netcont.kernel.agent_control import ask
from netcont.kernel.namespace import Namespace
from netcont.lab.clients.forked import Forked, fork
from netcont.lab.nodes import _root
from netcont.mobileip.authentication import Algorithm, SecurityAssociation
from netcont.mobileip.policy import ForeignPolicy, HomePolicy, NodePolicy

from .bench import _node, sh

HOME, HOME_MAC = "10.1.0.10", "02:00:00:00:01:0a"
"""The mobile node's."""
HA_OUTSIDE = "10.9.0.1"
HA, FB, FC, CN, EV, HN = "10.1.0.1", "10.2.0.1", "10.3.0.1", "10.9.0.4", "10.9.0.5", "10.1.0.77"
AT_B, AT_C = "10.2.0.50", "10.3.0.50"
"""Addresses that the node may get of the foreign networks."""
ONE_WAY_S = 0.010

NODE_KEY = SecurityAssociation(1000, Algorithm.HMAC_SHA256, bytes(range(32)))
AGENT_KEY = SecurityAssociation(2000, Algorithm.HMAC_SHA256, bytes(range(32, 64)))

_LINKS = {"home": "brh", "b": "brb", "c": "brc"}
_SWITCHES = "ip link set lo up\n" + "".join(
    f"ip link add {name} type bridge forward_delay 0 mcast_snooping 0\nip link set {name} up\n"
    for name in (*_LINKS.values(), "brw")
)


def _cable(node: str, bridge: str) -> str:
    return f"{'w' if bridge == 'brw' else 'l'}-{node}"


@dataclass
class World:
    """nodes: by their names in the module's head."""

    nodes: dict[str, Namespace]

    def __getattr__(self, name: str) -> Namespace:
        return self.nodes[name]

    def plug(self, where: str | None) -> None:
        """The mobile node's cable into the link there; None: into nothing."""
        if where is None:
            sh(self.sw, "ip link set l-mn down; ip link set l-mn nomaster")
        else:
            sh(
                self.sw,
                f"ip link set l-mn down; ip link set l-mn master {_LINKS[where]}; "
                "ip link set l-mn up",
            )

    def cut(self, node: str, *, cut: bool = True) -> None:
        """The WAN's port of a node forwards nothing; or does again."""
        sh(self.sw, f"bridge link set dev w-{node} state {0 if cut else 3}")

    def lease(self, address: str | None, gateway: str) -> None:
        """What a DHCP client does where the node is plugged; None: nothing but home is left."""
        lines = [f"ip addr del {old}/24 dev eth0 2>/dev/null || true" for old in (AT_B, AT_C)]
        if address:
            lines.append(f"ip addr add {address}/24 dev eth0")
        source = f" src {address}" if address else ""
        lines.append(f"ip route replace default via {gateway} dev eth0{source}")
        sh(self.mn, "\n".join(lines))

    def traces(self) -> dict[str, Any]:
        """Everything that agents could leave behind on the routers and on the node."""
        return {name: traces(self.nodes[name]) for name in ("ha", "fb", "fc", "mn")}


_SHOWN = ("addr", "route show table all", "rule", "neigh show proxy", "netconf")
_STATES = ("operstate", "flags")


def traces(node: Namespace) -> dict[str, str]:
    """Links, addresses, routes, rules, proxied neighbours and settings; no caches, no states."""
    asked = "\\n".join(_SHOWN)
    found = {}
    for line in sh(node, f"printf '{asked}\\n' | ip -j -batch -").splitlines():
        for entry in json.loads(line or "[]"):
            kept = {key: value for key, value in entry.items() if key not in _STATES}
            found[json.dumps(kept, sort_keys=True)] = "there"
    for key in ("conf.{}.send_redirects", "conf.{}.proxy_arp", "neigh.{}.proxy_delay"):
        setting = f"net.ipv4.{key.format('eth0' if node.name == 'mn' else 'lan0')}"
        found[setting] = node.read_sysctl(setting)
    return found


@contextmanager
def world() -> Iterator[World]:
    """Built, the node at home; it goes with the block."""
    with ExitStack() as stack:
        names = ("sw", "ha", "fb", "fc", "cn", "ev", "hn", "mn")
        nodes = {name: stack.enter_context(_node(name)) for name in names}
        built = World(nodes)
        sh(built.sw, _SWITCHES)
        for node, link, bridge, mac in (
            ("ha", "lan0", "brh", "02:00:00:00:01:01"),
            ("fb", "lan0", "brb", "02:00:00:00:02:01"),
            ("fc", "lan0", "brc", "02:00:00:00:03:01"),
            ("hn", "eth0", "brh", "02:00:00:00:01:4d"),
            ("mn", "eth0", "brh", HOME_MAC),
            ("ha", "wan0", "brw", "02:00:00:00:09:01"),
            ("fb", "wan0", "brw", "02:00:00:00:09:02"),
            ("fc", "wan0", "brw", "02:00:00:00:09:03"),
            ("cn", "wan0", "brw", "02:00:00:00:09:04"),
            ("ev", "wan0", "brw", "02:00:00:00:09:05"),
        ):
            port = _cable(node, bridge)
            _root().link(
                "add",
                ifname=link,
                address=mac,
                net_ns_pid=nodes[node].pid,
                kind="veth",
                peer={"ifname": port, "net_ns_pid": built.sw.pid},
            )
            sh(built.sw, f"ip link set {port} master {bridge} up")
            if bridge == "brw":
                delay_ms = round(ONE_WAY_S * 1000)
                sh(built.sw, f"tc qdisc add dev {port} root netem delay {delay_ms}ms limit 100000")
        routes = [(f"10.{via}.0.0/24", via) for via in (1, 2, 3)]
        for node, number in (("ha", 1), ("fb", 2), ("fc", 3), ("cn", 4), ("ev", 5)):
            lines = ["ip link set lo up", "ip link set wan0 up"]
            lines.append(f"ip addr add 10.9.0.{number}/24 dev wan0")
            if number < 4:
                lines += ["ip link set lan0 up", f"ip addr add 10.{number}.0.1/24 dev lan0"]
                lines.append("echo 1 > /proc/sys/net/ipv4/ip_forward")
            lines += [
                f"ip route add {net} via 10.9.0.{via}" for net, via in routes if via != number
            ]
            sh(nodes[node], "\n".join(lines))
        for node, address in (("hn", HN), ("mn", HOME)):
            sh(
                nodes[node],
                f"ip link set lo up; ip link set eth0 up; ip addr add {address}/24 dev eth0; "
                f"ip route add default via {HA} dev eth0",
            )
        yield built


# ---- settings


@dataclass
class Agents:
    """What daemons are told: each test varies it; files and sockets lie in the directory at."""

    at: Path
    home_agent: str = HA
    policy: NodePolicy = field(default_factory=lambda: NodePolicy(reverse_tunnel=True))
    keyed: bool = True
    home_policy: HomePolicy = field(default_factory=HomePolicy)
    foreign_policy: ForeignPolicy = field(default_factory=ForeignPolicy)

    def _files(self, name: str) -> dict[str, Any]:
        return {"control": str(self.at / f"{name}.sock"), "state": self.at / f"{name}.sqlite"}

    def home(self) -> HomeSettings:
        peers = tuple(Peer(IPv4Address(one), (AGENT_KEY,)) for one in ("10.2.0.1", "10.3.0.1"))
        return HomeSettings(
            **self._files("ha"),
            address=IPv4Address(self.home_agent),
            link="lan0",
            nodes=(Peer(IPv4Address(HOME), (NODE_KEY,)),),
            foreign_agents=peers if self.keyed else (),
            policy=self.home_policy,
        )

    def foreign(self, name: str, *, guest: bool = False) -> ForeignSettings:
        guests = (
            Guest(
                home_address=IPv4Address(HOME),
                home_agent=IPv4Address(self.home_agent),
                key=NODE_KEY,
                gateway=IPv4Address(HA),
                neighbours=(IPv4Address(HN),),
                home_network="10.1.0.0/24",
                policy=self.policy,
            ),
        )
        return ForeignSettings(
            **self._files(name),
            address=IPv4Address({"fb": FB, "fc": FC}[name]),
            link="lan0",
            home_agents=(Peer(IPv4Address(self.home_agent), (AGENT_KEY,)),) if self.keyed else (),
            guests=guests if guest else (),
            policy=self.foreign_policy,
        )

    def node(self, *, colocated: bool = False) -> NodeSettings:
        return NodeSettings(
            **self._files("mn"),
            address=IPv4Address(HOME),
            link="eth0",
            home_agent=IPv4Address(self.home_agent),
            prefixlen=24,
            key=NODE_KEY,
            colocated=colocated,
            policy=self.policy,
        )


# ---- daemons


class Daemon:
    """An agent in a forked process on a node."""

    def __init__(self, node: Namespace, settings: Settings, at: Path) -> None:
        self.node = node
        self.settings = settings
        self.log = at / f"{node.name}.log"
        self._process: Forked[None] | None = None

    def start(self) -> Daemon:
        """Returns when it is ready."""
        ready, tell = os.pipe()

        def serve() -> None:
            with self.log.open("a", buffering=1) as lines:

                def say(level: str, line: str) -> None:
                    lines.write(f"{level} {line}\n")
                    if line.startswith("ready "):
                        os.write(tell, b"1")

                with Namespace(self.node.name, os.getpid()) as here:
                    run_agent(self.settings, here, say)

        process: Forked[None] = fork(serve, self.node.enter, f"agent-{self.node.name}")
        os.close(tell)
        with os.fdopen(ready, "rb", buffering=0) as pipe:
            assert pipe.read(1), process.collect(20).failure
        self._process = process
        return self

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        assert self._process is not None
        self._process.kill()

    def stop(self) -> None:
        """SIGTERM, and its end."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)
            ended = self._process.collect(20)
            assert ended.failure is None or "SIGKILL" in ended.failure, ended.failure
            self._process = None

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """What `netcont agent` asks."""
        return ask(self.settings.control, {"do": do, **more}, 70)

    def status(self) -> dict[str, Any]:
        """Without what counts time."""
        return self.ask("status")

    def said(self, words: str) -> list[str]:
        """The log's lines with these words."""
        return [line for line in self.log.read_text().splitlines() if words in line]


@contextmanager
def running(world: World, at: Path, **settings: Settings) -> Iterator[dict[str, Daemon]]:
    """Daemons by the names of their nodes; ended in the reverse order."""
    daemons = {name: Daemon(world.nodes[name], one, at) for name, one in settings.items()}
    try:
        for daemon in daemons.values():
            daemon.start()
        yield daemons
    finally:
        for daemon in reversed(daemons.values()):
            daemon.stop()


def until(condition: Callable[[], Any], limit_s: float, what: str) -> float:
    """How long it took until the condition held, in seconds of the lab's time."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit_s, f"not within {limit_s} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


def bound(home: Daemon) -> list[str]:
    """The care-of addresses that the home agent has."""
    return [binding["care_of_address"] for binding in home.status()["bindings"]]


def timeless(value: Any) -> Any:
    """A status without what counts time or messages."""
    if isinstance(value, dict):
        left = ("remaining_s", "uptime_s", "counters", "denials")
        return {key: timeless(one) for key, one in value.items() if key not in left}
    if isinstance(value, list):
        return [timeless(one) for one in value]
    return value


# ---- traffic


class Session:
    """A TCP connection from the correspondent to the home address, both ends held here."""

    def __init__(self, world: World) -> None:
        with world.mn.entered():
            self._server = socket.create_server(("0.0.0.0", 0))
        with world.cn.entered():
            port = self._server.getsockname()[1]
            self._client = socket.create_connection((HOME, port), timeout=10)
        self._far, _ = self._server.accept()
        self._number = 0

    def goes_on(self, limit_s: float = 30.0) -> float:
        """A word there and back; returns how long it took."""
        self._number += 1
        word = b"%8d" % self._number
        began = time.monotonic()
        for outlet, inlet in ((self._client, self._far), (self._far, self._client)):
            outlet.sendall(word)
            got = b""
            while len(got) < len(word):
                wait_s = began + limit_s - time.monotonic()
                assert select.select([inlet], [], [], max(0.0, wait_s))[0], "the session stands"
                got += inlet.recv(64)
            assert got == word
        return time.monotonic() - began

    def close(self) -> None:
        for one in (self._client, self._far, self._server):
            one.close()


@dataclass(frozen=True)
class Pings:
    """What ping said: sent and received."""

    sent: int
    received: int


class Pinging:
    """ping from the correspondent to the home address, so many times."""

    def __init__(self, node: Namespace, count: int, every_s: float) -> None:
        command = ["nsenter", f"--net=/proc/{node.pid}/ns/net", "--"]
        command += ["ping", "-n", "-i", str(every_s), "-c", str(count), "-W", "1", HOME]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._said = self._process.stdout.readline() + self._process.stdout.readline()

    @property
    def running(self) -> bool:
        """Whether it has not sent and waited for all."""
        return self._process.poll() is None

    def end(self) -> Pings:
        """Waits for the last one."""
        said, _ = self._process.communicate(timeout=600)
        found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
        assert found, said
        return Pings(int(found[1]), int(found[2]))


def answers(node: Namespace, to: str = HOME) -> int:
    """How many of three pings are answered."""
    command = ["nsenter", f"--net=/proc/{node.pid}/ns/net", "--", "ping", "-n", "-i", "0.1"]
    command += ["-c", "3", "-W", "1", to]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"(\d+) received", done.stdout)
    assert found, done
    return int(found[1])


def said_to(node: Namespace, to: str, data: bytes, limit_s: float = 2.0) -> bytes | None:
    """The answer to a datagram for an agent, from a port of its own; None if there is none."""
    with node.entered():
        outlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with outlet:
        outlet.settimeout(limit_s)
        outlet.sendto(data, (to, 434))
        try:
            return outlet.recv(2048)
        except TimeoutError:
            return None


def forge(node: Namespace, source: str, to: str, protocol: int, body: bytes) -> None:
    """Sends an IP packet with a source of one's choice."""
    with node.entered():
        outlet = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with outlet:
        outlet.sendto(packet(source, to, protocol, body), (to, 0))


def packet(source: str, to: str, protocol: int, body: bytes) -> bytes:
    """An IP packet; as an inner one it needs its checksum."""
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0) + ends
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return head[:10] + struct.pack("!H", checksum) + head[12:] + body


def datagram(from_port: int, to_port: int, data: bytes) -> bytes:
    """A UDP datagram without checksum."""
    return struct.pack("!HHHH", from_port, to_port, 8 + len(data), 0) + data


def payloads(pcap: Path) -> list[tuple[float, bytes]]:
    """When each UDP datagram of a recording on Ethernet came, and what was in it."""
    data, at, found = pcap.read_bytes(), 24, []
    while at + 16 <= len(data):
        seconds, micros, size, _ = struct.unpack_from("<IIII", data, at)
        found.append((seconds + micros / 1e6, data[at + 16 + 14 + 20 + 8 : at + 16 + size]))
        at += 16 + size
    return found
