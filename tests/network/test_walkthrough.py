"""docs/deploy.md, typed into two gateways while a client's iperf3 runs through them.

The gateways, the guest and the client are Mininet's hosts (topologies.two_site); the guest's cable
is pulled out at one site and put in at the other, its TCP connections with it. Gateways filter
packets as a firewall does, statefully.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from deploy.bench import Ended, Gateway, difference

from netcont.kernel.interpreter import Interpreter
from netcont.kernel.namespace import Namespace
from netcont.lab.network import LabNetwork
from netcont.lab.site import set_cable
from netcont.model.layout import Site
from netcont.model.plan import Plan, SetMaster
from netcont.model.scenario import Network, Scenario
from netcont.model.scenario import Path as WanPath

from .bench import sh
from .guide import Guide, Typed
from .tools import run

pytestmark = [pytest.mark.network(lab="walkthrough"), pytest.mark.usefixtures("lab")]

GUEST = "10.1.0.10"
OUTSIDE = {"a": "192.0.2.1", "b": "198.51.100.1"}
"""Where the page's tunnels end."""
TRANSFER_BYTES = 2_500_000
IPERF3 = f"iperf3 -J -c {GUEST} --bidir -b 500K -l 8K -n {TRANSFER_BYTES} --rcv-timeout 60000"
LIMIT_S = 3600.0
"""Of the lab's time, which jumps while a program is read from the host."""

FIREWALL = """
table inet filter {
  chain input { type filter hook input priority 0; policy drop;
    ct state established,related accept
    iifname { "lo", "eth1" } accept
    meta l4proto icmp accept
  }
  chain forward { type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "eth1" oifname "eth0" accept
    iifname "eth0" oifname "eth1" tcp dport 5201 accept
    iifname "eth0" oifname "eth1" meta l4proto icmp accept
  }
}
"""


class Site2:
    """The page's two gateways; what is behind and between them."""

    def __init__(self, network: LabNetwork, at: Path) -> None:
        self.nodes = network.namespaces
        self.layout = network.layout
        self.gateways = {
            side: Gateway(self.nodes[f"gw{side}"].pid, at / side) for side in ("a", "b")
        }

    def type(self, steps: Sequence[Typed]) -> None:
        """As an engineer would; each must succeed and print what the page says."""
        for step in steps:
            ended = self.say(step.host, step.command)
            print(f"{step.host}# {step.command}\n{ended.said}")
            assert ended.status == 0, (step, ended.said)
            assert step.misses(ended.said) is None, (step, ended.said)

    def say(self, host: str, command: str) -> Ended:
        """netcont in a process forked from this one, which has imported it; others by a shell."""
        gateway = self.gateways[host]
        words = shlex.split(command)
        if words[0] == "netcont":
            return gateway.cli(*words[1:], probe=True)
        done = run(self.nodes[f"gw{host}"], "sh", "-c", f"{command} 2>&1", check=False)
        return Ended(done.returncode, done.stdout)

    def pull_out(self, site: Site) -> None:
        """The guest is frozen for all that its site can see."""
        set_cable(self.nodes, site, up=False)

    def put_in(self, site: Site) -> None:
        """The guest goes on there."""
        plug = SetMaster(site.hypervisor, site.guest_port, site.bridge)
        Interpreter(self.nodes, for_good=True).apply(Plan((plug,)))
        set_cable(self.nodes, site, up=True)

    def traces(self) -> dict[str, list[str]]:
        """Everything on both gateways that netcont could leave behind."""
        time.sleep(1.1)  # until the kernel has noticed
        return {side: gateway.snapshot() for side, gateway in self.gateways.items()}


def renamed(nodes: dict[str, Namespace], side: str, layout_site: Site) -> None:
    """The gateway as the page draws it: eth0 to the provider, with the page's address; eth1."""
    gateway, provider = nodes[f"gw{side}"], nodes[f"pe{side}"]
    (default,) = json.loads(sh(gateway, "ip -j route show default"))
    for old, new in ((layout_site.gateway_wan, "eth0"), (layout_site.gateway_lan, "eth1")):
        sh(gateway, f"ip link set {old} down; ip link set {old} name {new}; ip link set {new} up")
    sh(
        gateway,
        f"ip addr add {OUTSIDE[side]}/32 dev eth0; ip route add default via {default['gateway']}",
    )
    sh(provider, f"ip route add {OUTSIDE[side]} via {layout_site.wan_address}")
    words = ["nsenter", f"--net=/proc/{gateway.pid}/ns/net", "nft", "-f", "-"]
    subprocess.run(words, input=FIREWALL, text=True, check=True)


@pytest.fixture(scope="module")
def guide() -> Guide:
    return Guide.read()


@pytest.fixture(scope="module")
def built(lab: Path, guide: Guide, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site2]:
    """Both gateways after "Settings and firewall", with the page's file in its place."""
    for path, text in guide.quoted().items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    path = WanPath(delay_s=0.01)
    with LabNetwork(Scenario(network=Network(a_b=path, clients_a=path, clients_b=path))) as network:
        layout = network.layout
        for side, site, other in (("a", layout.a, "b"), ("b", layout.b, "a")):
            renamed(network.namespaces, side, site)
            provider = network.namespaces[f"pe{side}"]
            far = layout.b if side == "a" else layout.a
            (way,) = json.loads(sh(provider, f"ip -j route show {far.prefix}"))
            sh(provider, f"ip route add {OUTSIDE[other]} via {way['gateway']}")
        site2 = Site2(network, tmp_path_factory.mktemp("state"))
        for block in guide.steps("Settings and firewall"):
            site2.type(block)
        # The kernel's own devices come with the first tunnel, and stay.
        for gateway in site2.gateways.values():
            gateway.sh("ip link add t0 type gre local 192.0.2.9; ip link del t0")
        yield site2


@pytest.fixture
def place(built: Site2) -> Iterator[Site2]:
    """Shared; the guest is at home before and after each test, and nothing is deployed."""
    yield built
    for side in ("a", "b"):
        built.say(side, "netcont down web")
    built.pull_out(built.layout.b)
    built.put_in(built.layout.a)


def until(condition: Callable[[], bool], what: str) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < LIMIT_S, what
        time.sleep(1)


def reached(place: Site2) -> bool:
    """Whether the client gets an answer: bridges and caches have learned where the guest is."""
    done = run(place.nodes["clc"], "ping", "-n", "-c", "1", "-W", "2", GUEST, check=False)
    return done.returncode == 0


@contextmanager
def serving(place: Site2) -> Iterator[None]:
    """iperf3 on the guest."""
    entered = ["nsenter", f"--net=/proc/{place.nodes['guest'].pid}/ns/net", "--"]
    words = [*entered, "iperf3", "-s", "-1", "--forceflush"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            while "listening" not in server.stdout.readline():
                assert server.poll() is None
            until(lambda: reached(place), "the guest is reached")
            yield
        finally:
            server.kill()


class Session:
    """A client's iperf3 outside of both sites: two TCP connections with data, one to control."""

    def __init__(self, place: Site2) -> None:
        words = ["nsenter", f"--net=/proc/{place.nodes['clc'].pid}/ns/net", *shlex.split(IPERF3)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> dict[str, Any]:
        """Its report. (It ends with 0 whatever happened, since it has reported that.)"""
        said, _ = self._process.communicate(timeout=LIMIT_S)
        assert self._process.returncode == 0, said
        report: dict[str, Any] = json.loads(said)
        return report


def test_a_session_survives_the_way_there_and_back_and_nothing_remains(
    place: Site2, guide: Guide
) -> None:
    before = place.traces()
    place.type(guide.steps("The file")[0])
    for block in guide.steps("1. Prepare"):
        place.type(block)
    there, arrived = guide.steps("2. Switch")
    back, at_home, done = guide.steps("3. Back")
    with serving(place):
        session = Session(place)
        time.sleep(3)
        place.pull_out(place.layout.a)
        place.type(there)
        place.put_in(place.layout.b)
        place.type(arrived)
        time.sleep(5)
        assert session.running
        carried = counted(place.say("b", "netcont status").said)
        place.pull_out(place.layout.b)
        place.type(back)
        place.put_in(place.layout.a)
        place.type(at_home)
        assert session.running
        report = session.end()
    assert "error" not in report, report["error"]
    end = report["end"]
    ways = ("sum_received", "sum_received_bidir_reverse")
    received_bytes = sorted(end[way]["bytes"] for way in ways)
    # It ends when one way is through; the other one's retransmissions took other times.
    assert received_bytes[1] >= TRANSFER_BYTES, end
    assert received_bytes[0] >= 0.5 * TRANSFER_BYTES, end
    # Both ways through the tunnel, for some seconds at 500 kbit/s.
    assert min(carried) > 100, carried
    place.type(done)
    after = place.traces()
    assert {side: difference(before[side], after[side]) for side in before} == {"a": [], "b": []}


def counted(said: str) -> tuple[int, int]:
    """Packets received and sent by the tunnel."""
    found = re.search(r"nc-tun: received (\d+) packets, \d+ bytes, sent (\d+) packets", said)
    assert found, said
    return int(found[1]), int(found[2])


def test_without_the_switch_the_same_session_stands_still(place: Site2, guide: Guide) -> None:
    ups = [step for block in guide.steps("1. Prepare") for step in block if " up " in step.command]
    for step in ups:
        command = step.command.partition(" --confirm")[0]
        assert place.say(step.host, command).status == 0
    with serving(place):
        session = Session(place)
        time.sleep(3)
        place.pull_out(place.layout.a)
        place.put_in(place.layout.b)
        assert "idle timeout" in session.end()["error"]


def test_a_lost_session_takes_its_change_along_unless_it_was_confirmed(
    place: Site2, guide: Guide
) -> None:
    before = place.traces()
    (command,) = [
        step.command
        for block in guide.steps("1. Prepare")
        for step in block
        if step.host == "a" and "--confirm-within" in step.command
    ]

    def session() -> int:
        from netcont.cli.main import main

        os.setsid()
        status = main(shlex.split(command)[1:])
        # The line is cut: every process of the session gets what it cannot catch.
        os.killpg(0, signal.SIGKILL if status == 0 else signal.SIGTERM)
        return status

    os.environ["NETCONT_STATE_DIR"] = str(place.gateways["a"].state)
    assert place.gateways["a"].run(session).status == -signal.SIGKILL
    assert "unless confirmed" in place.say("a", "netcont status").said
    until(lambda: "nothing is deployed" in place.say("a", "netcont status").said, "reverted")
    after = place.traces()
    assert {side: difference(before[side], after[side]) for side in before} == {"a": [], "b": []}
