"""Mobile IP's daemons at work: moves, restarts, cut lines, forgeries, tunnels, time."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

import pytest

from netcont.kernel.agent_control import ask
from netcont.mobileip import ntp
from netcont.mobileip.authentication import SecurityAssociation, sign
from netcont.mobileip.extensions import AuthenticationKind
from netcont.mobileip.messages import (
    Flags,
    RegistrationReply,
    RegistrationRequest,
)
from netcont.mobileip.policy import NodePolicy

from .bench import sh
from .roaming import (
    AGENT_KEY,
    AT_B,
    AT_C,
    CN,
    EV,
    FB,
    FC,
    HA,
    HA_OUTSIDE,
    HN,
    HOME,
    HOME_MAC,
    NODE_KEY,
    ONE_WAY_S,
    Agents,
    Daemon,
    Pinging,
    Pings,
    Session,
    World,
    answers,
    bound,
    datagram,
    forge,
    packet,
    payloads,
    running,
    said_to,
    timeless,
    traces,
    until,
    world,
)
from .tools import dump_frames, recording, run, shown

pytestmark = [pytest.mark.network(lab="mobileip"), pytest.mark.usefixtures("lab")]

Connect = Callable[[], Session]

HA_MAC = "02:00:00:00:01:01"
HANDOVER_S = 0.005
"""For both agents' computing, at a billion instructions a second."""

ERA_ENDS_S = 2_085_978_496
"""2036-02-07 06:28:16 UTC: 2**32 seconds after 1900-01-01."""


@pytest.fixture(scope="module")
def built(lab: Path) -> Iterator[World]:
    with world() as place:
        yield place


@pytest.fixture(scope="module")
def at_first(built: World) -> dict[str, dict[str, str]]:
    return built.traces()


@pytest.fixture
def place(built: World, at_first: dict[str, dict[str, str]]) -> Iterator[World]:
    """Shared; that daemons leave nothing behind in it is part of each test."""
    yield built
    built.plug("home")
    built.lease(None, HA)
    time.sleep(1.1)  # until the kernel has noticed
    left = built.traces()
    changed = {name: left[name].items() ^ was.items() for name, was in at_first.items()}
    assert not any(changed.values()), changed


@pytest.fixture
def filtering(place: World, request: pytest.FixtureRequest) -> Iterator[None]:
    """Reverse paths are filtered on all links of the agents' hosts, as on many a host."""
    for name in ("ha", "fb"):
        place.nodes[name].write_sysctl("net.ipv4.conf.all.rp_filter", request.param)
    yield
    for name in ("ha", "fb"):
        place.nodes[name].write_sysctl("net.ipv4.conf.all.rp_filter", "0")


@pytest.fixture
def connect(place: World) -> Iterator[Connect]:
    """Makes connections from the correspondent to the node."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Session(place)))


@pytest.fixture
def agents(lab: Path) -> Agents:
    # Short: the control sockets' names have 107 bytes at most.
    at = lab / f"agents-{len(list(lab.glob('agents-*')))}"
    at.mkdir()
    return Agents(at)


def tunnels(place: World, name: str) -> list[str]:
    """The agents' devices on a node, by ip."""
    links = shown(place.nodes[name], "ip", "-j", "link")
    return sorted(link["ifname"] for link in links if link["ifname"].startswith("nc"))


def way(place: World, name: str, to: str = HOME) -> str:
    """Through which device a node sends, by ip."""
    return str(shown(place.nodes[name], "ip", "-j", "route", "get", to)[0]["dev"])


def proxied(place: World) -> list[str]:
    """For whom the home agent answers ARP, by ip."""
    return [entry["dst"] for entry in shown(place.ha, "ip", "-j", "neigh", "show", "proxy")]


def known_mac(place: World) -> str:
    """Where the neighbour at home believes the node to be, by ip."""
    return str(shown(place.hn, "ip", "-j", "neigh", "show", HOME)[0]["lladdr"])


def request_for(
    care_of: str,
    flags: Flags = Flags.T,
    *,
    lifetime_s: int = 300,
    key: SecurityAssociation = NODE_KEY,
    home_agent: str = HA,
) -> bytes:
    """What the mobile node, or somebody who would like to be it, asks of its home agent."""
    home, agent, where = map(IPv4Address, (HOME, home_agent, care_of))
    number = ntp.to_ntp(time.time())
    asked = RegistrationRequest(flags, lifetime_s, home, agent, where, number)
    return sign(asked, AuthenticationKind.MOBILE_HOME, key)


def code_of(answer: bytes | None) -> int | None:
    """The code of a reply."""
    return None if answer is None else int(RegistrationReply.from_bytes(answer).code)


# ---- moves


def test_a_node_follows_advertisements_from_agent_to_agent_and_home(
    place: World, agents: Agents, connect: Connect, tmp_path: Path
) -> None:
    everybody = {
        "ha": agents.home(),
        "fb": agents.foreign("fb"),
        "fc": agents.foreign("fc"),
        "mn": agents.node(),
    }
    assert answers(place.hn) == 3  # it knows the node, hence hears that it has moved
    arps = tmp_path / "arp.pcap"
    with running(place, agents.at, **everybody) as daemons:
        until(lambda: daemons["mn"].said("deregistered"), 5, "at home")
        time.sleep(1.5)  # it said that it is there, and repeats it
        session = connect()
        session.goes_on()
        with recording(place.hn, "eth0", arps, "arp"):
            for where, care_of in (("b", FB), ("c", FC)):
                place.plug(where)
                took_s = until(lambda at=care_of: bound(daemons["ha"]) == [at], 15, "registered")
                print(f"registered at {where} {took_s:.2f} s after the cable was plugged")
                until(lambda: daemons["mn"].status()["state"] == "held", 1, "the reply is there")
                session.goes_on()
                assert answers(place.mn, CN) == 3
                assert answers(place.hn) == 3
                assert tunnels(place, "ha") == [f"nci-0a0{2 if where == 'b' else 3}0001"]
                assert proxied(place) == [HOME]
            assert known_mac(place) == HA_MAC
            place.plug("home")
            took_s = until(lambda: not bound(daemons["ha"]), 15, "deregistered")
            print(f"home again {took_s:.2f} s after the cable was plugged")
            assert way(place, "ha") == "lan0"
            assert (tunnels(place, "ha"), proxied(place)) == ([], [])
            assert shown(place.ha, "ip", "-j", "route", "show", HOME) == []
            until(lambda: known_mac(place) == HOME_MAC, 1, "the neighbour was told")
            session.goes_on()
            time.sleep(1.5)  # it is said again and again
        assert daemons["mn"].status()["state"] == "home"
    home = hex(int(IPv4Address(HOME)))
    told = dump_frames(arps, f"arp[6:2] = 1 and arp[14:4] = {home} and arp[24:4] = {home}")
    assert [line.text.split(" ")[0] for line in told] == 6 * [HA_MAC] + 6 * [HOME_MAC]


def test_a_node_with_an_address_of_the_foreign_network_needs_no_agent_there(
    place: World, agents: Agents, connect: Connect
) -> None:
    agents.home_agent = HA_OUTSIDE
    with running(place, agents.at, ha=agents.home(), mn=agents.node(colocated=True)) as daemons:
        session = connect()
        session.goes_on()
        for where, address, gateway in (("b", AT_B, FB), ("c", AT_C, FC)):
            place.plug(where)
            place.lease(address, gateway)
            took_s = until(lambda at=address: bound(daemons["ha"]) == [at], 15, "registered")
            print(f"registered as {address} {took_s:.3f} s after it was there")
            until(lambda: daemons["mn"].status()["state"] == "held", 1, "the reply is there")
            session.goes_on()
            assert answers(place.mn, CN) == 3
            assert answers(place.mn, HN) == 3
            assert answers(place.hn) == 3
            assert tunnels(place, "mn") == ["nci-0a090001"]
        place.plug("home")
        place.lease(None, HA)
        until(lambda: not bound(daemons["ha"]), 15, "deregistered")
        session.goes_on()
        assert (tunnels(place, "ha"), proxied(place), tunnels(place, "mn")) == ([], [], [])
        until(lambda: known_mac(place) == HOME_MAC, 1, "the neighbour was told")


def test_a_home_agent_in_the_home_network_is_no_use_with_a_colocated_address(
    place: World, agents: Agents
) -> None:
    with pytest.raises(AssertionError, match="outside of the home network"):
        Daemon(place.mn, agents.node(colocated=True), agents.at).start()


def test_before_the_guest_comes_its_tunnel_stands_and_one_message_moves_its_packets(
    place: World, agents: Agents, tmp_path: Path
) -> None:
    with running(
        place, agents.at, ha=agents.home(), fb=agents.foreign("fb", guest=True)
    ) as daemons:
        assert answers(place.cn) == 3
        assert daemons["fb"].ask("prepare", home_address=HOME, wait=True)["done"] == "registered"
        assert [one["flags"] for one in daemons["ha"].status()["bindings"]] == [
            ["SIMULTANEOUS_BINDINGS", "REVERSE_TUNNELING"]
        ]
        assert tunnels(place, "ha") == ["nci-0a020001"]
        assert tunnels(place, "fb") == ["nci-0a010001"]
        assert (way(place, "ha"), proxied(place)) == ("lan0", [])
        assert answers(place.cn) == 3

        # Once to and fro: processes just forked still share their memory, and copy it as they go.
        for do in ("register", "leave", "prepare"):
            daemons["fb"].ask(do, home_address=HOME, wait=True)
        new, probes = tmp_path / "new.pcap", "udp port 9"
        with place.cn.entered():
            outlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with recording(place.ha, "nci-0a020001", new, probes, at_least=1), outlet:
            place.plug("b")
            time.sleep(0.1)
            asked_at = time.time()
            daemons["fb"].ask("register", home_address=HOME)
            # Few: whatever looks after the agents takes the computer away from them.
            while time.time() < asked_at + 0.02:
                outlet.sendto(b"", (HOME, 9))
                time.sleep(0.0005)
        took_s = dump_frames(new)[0].at_s - asked_at
        print(f"first packet on the new path {took_s * 1000:.2f} ms after `register`")
        assert took_s <= ONE_WAY_S + HANDOVER_S
        assert way(place, "ha") == "nci-0a020001"
        assert answers(place.cn) == 3
        assert answers(place.hn) == 3
        assert answers(place.mn, HN) == 3

        place.plug("home")
        assert daemons["fb"].ask("leave", home_address=HOME, wait=True)["done"] == "deregistered"
        assert (bound(daemons["ha"]), tunnels(place, "ha"), proxied(place)) == ([], [], [])
        assert answers(place.cn) == 3


# ---- the guide


def test_what_the_guide_says_works(place: World, lab: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs/mobile-ip.md").read_text()
    etc = lab / "etc"
    (made,) = (block for block in re.findall(r"```sh\n(.*?)```", guide, re.S) if "openssl" in block)
    sh(place.ha, made.replace("/etc/netcont", str(etc)))
    for role, body in re.findall(r"```toml\n# /etc/netcont/(\w+)\.toml\n(.*?)```", guide, re.S):
        (etc / f"{role}.toml").write_text(body)
    commands = re.findall(r"^(netcont agent \w+ --config \S+)", guide, re.M)
    assert len(commands) == 3

    subprocess.run(["mount", "-t", "tmpfs", "state", "/var/lib"], check=True)  # only this one's
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(lab / "notify"))
    told.settimeout(3600)  # importing takes long where files are read from another world
    environment = {**os.environ, "NOTIFY_SOCKET": str(lab / "notify")}
    program = str(Path(sys.executable).with_name("netcont"))
    running = []
    try:
        for node, command in zip(("ha", "fb", "mn"), commands, strict=True):
            words = [program, *command.replace("/etc/netcont", str(etc)).split()[1:]]
            entered = ["nsenter", f"--net=/proc/{place.nodes[node].pid}/ns/net", "--", *words]
            with (lab / f"{node}.log").open("w") as log:
                running.append(subprocess.Popen(entered, stderr=log, env=environment))
            assert told.recv(100) == b"READY=1", (lab / f"{node}.log").read_text()
        place.plug("b")
        node_status = {"do": "status"}
        until(
            lambda: ask("/run/netcont/node.sock", node_status, 70)["registered"], 60, "registered"
        )
        assert answers(place.cn) == 3
        shown = run(place.ha, program, "agent", "status", "home", "--format", "json").stdout
        (binding,) = json.loads(shown)["bindings"]
        assert binding["home_address"] == HOME
        assert binding["care_of_address"] == binding["foreign_agent"] == FB
        assert binding["flags"] == ["REVERSE_TUNNELING"]
        running[0].send_signal(signal.SIGHUP)
        assert [told.recv(100), told.recv(100)] == [b"RELOADING=1", b"READY=1"]
        assert answers(place.cn) == 3
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    finally:
        for process in running:
            process.kill()
            process.wait()
        told.close()
        subprocess.run(["umount", "/var/lib"], check=True)


# ---- restarts and cut lines


def test_a_killed_home_agent_comes_back_with_what_it_knew_and_no_packet_is_lost(
    place: World, agents: Agents, tmp_path: Path
) -> None:
    agents.keyed = False  # else the stranger would be refused for what it cannot sign, with 132
    daemons_of = {"ha": agents.home(), "fb": agents.foreign("fb"), "mn": agents.node()}
    with running(place, agents.at, **daemons_of) as daemons:
        with recording(place.ha, "wan0", tmp_path / "asked.pcap", "udp dst port 434", at_least=1):
            place.plug("b")
            until(lambda: bound(daemons["ha"]) == [FB], 15, "registered")
        until(lambda: daemons["mn"].status()["registered"], 5, "the reply is there")
        asked = payloads(tmp_path / "asked.pcap")[0][1]
        assert code_of(said_to(place.ev, HA, asked)) == 133
        before = timeless(daemons["ha"].status()), traces(place.ha)

        pings = Pinging(place.cn, 300, 0.01)
        time.sleep(0.5)
        daemons["ha"].kill()
        time.sleep(0.5)
        began = time.monotonic()
        daemons["ha"].start()
        after = timeless(daemons["ha"].status()), traces(place.ha)
        print(f"the home agent was back after {time.monotonic() - began:.3f} s")
        assert time.monotonic() - began < 2
        assert after == before
        assert pings.running
        assert pings.end() == Pings(300, 300)

        assert code_of(said_to(place.ev, HA, asked)) == 133
        assert timeless(daemons["ha"].status()) == before[0]
        assert daemons["mn"].ask("register", home_address=HOME, wait=True)["done"] == "registered"


def test_nodes_register_again_with_a_foreign_agent_that_was_killed(
    place: World, agents: Agents, connect: Connect
) -> None:
    daemons_of = {"ha": agents.home(), "fb": agents.foreign("fb"), "mn": agents.node()}
    with running(place, agents.at, **daemons_of) as daemons:
        place.plug("b")
        until(lambda: daemons["mn"].status()["registered"], 15, "registered")
        session = connect()
        session.goes_on()
        time.sleep(3)  # the node dwells; and sequence numbers grow
        daemons["fb"].kill()
        session.goes_on()  # by what is in the kernel
        daemons["fb"].start()
        took_s = until(lambda: daemons["fb"].status()["visitors"], 10, "registered again")
        print(f"registered again {took_s:.2f} s after the foreign agent's restart")
        assert daemons["mn"].said("agent-restarted")
        session.goes_on()


def test_requests_are_repeated_with_back_off_until_the_line_is_mended(
    place: World, agents: Agents, tmp_path: Path
) -> None:
    daemons_of = {"ha": agents.home(), "fb": agents.foreign("fb"), "mn": agents.node()}
    asked = tmp_path / "asked.pcap"
    with running(place, agents.at, **daemons_of) as daemons:
        until(lambda: daemons["mn"].said("deregistered"), 5, "at home")
        place.cut("ha")
        with recording(place.fb, "lan0", asked, "udp dst port 434 and dst host", FB, at_least=4):
            place.plug("b")
        assert bound(daemons["ha"]) == []
        place.cut("ha", cut=False)
        took_s = until(lambda: bound(daemons["ha"]) == [FB], 15, "registered")
        print(f"registered {took_s:.2f} s after the line was mended")
        until(lambda: daemons["mn"].status()["registered"], 1, "the reply is there")
        assert answers(place.cn) == 3
        # The foreign agent gives up waiting after 7 s and says so; that is no reason to hurry.
        assert "denied home=10.1.0.10 care-of=10.2.0.1 code=78" in daemons["fb"].log.read_text()
    times = [at for at, _ in payloads(asked)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[:3] == pytest.approx([1, 2, 4], abs=0.1)


# ---- forgeries


def test_forged_and_replayed_messages_change_nothing(
    place: World, agents: Agents, tmp_path: Path
) -> None:
    wrong = replace(NODE_KEY, key=bytes(32))
    unknown = replace(NODE_KEY, spi=4711)
    daemons_of = {"ha": agents.home(), "fb": agents.foreign("fb"), "mn": agents.node()}
    with running(place, agents.at, **daemons_of) as daemons:
        place.plug("b")
        until(lambda: daemons["mn"].status()["registered"], 15, "registered")
        old = request_for(EV, Flags.D, home_agent="10.1.0.99")
        assert code_of(said_to(place.ev, HA, old)) == 136  # its number is used up all the same

        def state() -> object:
            statuses = [timeless(one.status()) for one in daemons.values()]
            return statuses, place.traces()

        before = state()
        for forged in (
            request_for(EV, key=wrong),
            request_for(EV, key=unknown),
            request_for(HOME, lifetime_s=0, key=wrong),
            request_for(EV)[:-38],  # without authenticator
        ):
            assert code_of(said_to(place.ev, HA, forged)) == 131
        for _ in range(20):
            assert code_of(said_to(place.ev, HA, old)) == 133
        assert said_to(place.ev, HA, b"\x01" * 11, 0.2) is None
        signed_by_node_only = sign(request_for(EV), AuthenticationKind.FOREIGN_HOME, AGENT_KEY)
        assert code_of(said_to(place.ev, HA, signed_by_node_only)) == 132
        assert state() == before
        assert len(daemons["ha"].said("security-violation source=10.9.0.5")) == 1

        # A request waits for its reply, and the stranger knows its number and the agent's address.
        place.cut("ha")
        with recording(place.fb, "wan0", tmp_path / "asked.pcap", "udp dst port 434", at_least=1):
            daemons["mn"].ask("register", home_address=HOME)
        waiting = RegistrationRequest.from_bytes(payloads(tmp_path / "asked.pcap")[0][1])
        granted = RegistrationReply(
            0, 60000, waiting.home_address, waiting.home_agent, waiting.identification
        )
        lies = [granted.to_bytes(), sign(granted, AuthenticationKind.MOBILE_HOME, wrong)]
        signed = sign(granted, AuthenticationKind.MOBILE_HOME, NODE_KEY)
        not_the_agents = replace(AGENT_KEY, key=bytes(32))
        lies.append(sign(signed, AuthenticationKind.FOREIGN_HOME, not_the_agents))
        pending = timeless(daemons["mn"].status())
        for lie in lies:
            forge(place.ev, HA, FB, 17, datagram(434, 434, lie))  # in the home agent's name
            forge(place.ev, EV, FB, 17, datagram(434, 434, lie))  # in its own
            forge(place.ev, HA, HOME, 17, datagram(434, 434, lie))  # to the node, by any way
        time.sleep(0.2)
        visitor = daemons["fb"].status()["visitors"][0]
        assert visitor["remaining_s"] <= 300
        assert timeless(daemons["mn"].status()) == pending
        assert len(daemons["fb"].said("security-violation source=10.1.0.1")) == 1
        place.cut("ha", cut=False)
        until(lambda: daemons["mn"].status()["state"] == "held", 10, "the true reply")
        assert [place.traces(), timeless(daemons["ha"].status())] == [before[1], before[0][0]]


@pytest.mark.parametrize("filtering", ["0", "2"], indirect=True, ids=["unfiltered", "loose"])
@pytest.mark.usefixtures("filtering")
def test_what_is_not_registered_from_there_does_not_come_out_of_a_tunnel(
    place: World, agents: Agents, tmp_path: Path
) -> None:
    daemons_of = {"ha": agents.home(), "fb": agents.foreign("fb"), "mn": agents.node()}
    with running(place, agents.at, **daemons_of) as daemons:
        place.plug("b")
        until(lambda: daemons["mn"].status()["registered"], 15, "registered")
        heard = tmp_path / "heard.pcap"
        with recording(place.cn, "wan0", heard, "udp port 7777", at_least=1):
            for source in ("10.1.0.99", HN, EV, HA, FB, HOME):
                inner = packet(source, CN, 17, datagram(7777, 7777, source.encode()))
                forge(place.fb, FB, HA, 4, inner)
                if source == HOME:  # from elsewhere, not even that
                    forge(place.fc, FC, HA, 4, inner)
            time.sleep(0.2)
        assert [data.decode() for _, data in payloads(heard)] == [HOME]

        # Minimal encapsulation: refused by whoever would have to do it.
        assert code_of(said_to(place.mn, FB, request_for(FB, Flags.M))) == 72
        assert code_of(said_to(place.ev, HA, request_for(EV, Flags.M | Flags.D))) == 139
        assert bound(daemons["ha"]) == [FB]


def test_a_tunnel_can_be_gre(place: World, agents: Agents, tmp_path: Path) -> None:
    agents.policy = NodePolicy(reverse_tunnel=True, gre=True)
    daemons_of = {"ha": agents.home(), "fb": agents.foreign("fb"), "mn": agents.node()}
    with running(place, agents.at, **daemons_of) as daemons:
        place.plug("b")
        until(lambda: daemons["mn"].status()["registered"], 15, "registered")
        assert tunnels(place, "ha") == ["ncg-0a020001"]
        with recording(place.fb, "wan0", tmp_path / "gre.pcap", "ip proto 47", at_least=6):
            assert answers(place.cn) == 3
        assert len(dump_frames(tmp_path / "gre.pcap", "ip proto 47")) == 6


def test_a_node_may_hand_its_agent_everything_in_a_tunnel(
    place: World, agents: Agents, tmp_path: Path
) -> None:
    agents.policy = NodePolicy(reverse_tunnel=True, encapsulating=True)
    daemons_of = {"ha": agents.home(), "fb": agents.foreign("fb"), "mn": agents.node()}
    with running(place, agents.at, **daemons_of) as daemons:
        place.plug("b")
        until(lambda: daemons["mn"].status()["registered"], 15, "registered")
        handed = f"ip proto 4 and src {HOME} and dst {FB}"
        with recording(place.fb, "lan0", tmp_path / "inner.pcap", handed, at_least=3):
            assert answers(place.cn) == 3
        assert len(dump_frames(tmp_path / "inner.pcap", handed)) == 3
        assert way(place, "fb", CN) == "wan0", "the agent's own packets go as they did"


@pytest.mark.parametrize("filtering", ["1"], indirect=True, ids=["strict"])
@pytest.mark.usefixtures("filtering")
def test_a_node_without_reverse_tunnel_answers_straight_from_where_it_is(
    place: World, agents: Agents, tmp_path: Path
) -> None:
    agents.policy = NodePolicy(reverse_tunnel=False)
    daemons_of = {"ha": agents.home(), "fb": agents.foreign("fb"), "mn": agents.node()}
    with running(place, agents.at, **daemons_of) as daemons:
        place.plug("b")
        until(lambda: daemons["mn"].status()["registered"], 15, "registered")
        with recording(place.fb, "wan0", tmp_path / "straight.pcap", "icmp[0] = 0", at_least=3):
            assert answers(place.cn) == 3
        place.plug("home")
        until(lambda: not bound(daemons["ha"]), 15, "deregistered")
        assert len(dump_frames(tmp_path / "straight.pcap", f"src {HOME} and dst {CN}")) == 3


# ---- time


def test_registrations_are_renewed_across_the_end_of_the_ntp_era(
    place: World, agents: Agents, connect: Connect
) -> None:
    agents.policy = NodePolicy(reverse_tunnel=True, lifetime_s=10)
    daemons_of = {"ha": agents.home(), "fb": agents.foreign("fb"), "mn": agents.node()}
    real_s, steady_s = time.time(), time.monotonic()
    place.plug("b")
    time.clock_settime(time.CLOCK_REALTIME, ERA_ENDS_S - 12.0)
    try:
        with running(place, agents.at, **daemons_of) as daemons:
            until(lambda: daemons["mn"].status()["registered"], 8, "registered in the old era")
            assert time.time() < ERA_ENDS_S
            session = connect()
            while time.time() < ERA_ENDS_S + 20:
                session.goes_on()
                time.sleep(1)
            assert bound(daemons["ha"]) == [FB]
            assert not daemons["mn"].said("registration-lost")
            assert not daemons["mn"].said("resynchronised")
            assert len(daemons["ha"].said("registered home")) >= 5
            assert daemons["ha"].status()["denials"] == {}
            daemons["ha"].kill()
            daemons["ha"].start()
            assert bound(daemons["ha"]) == [FB]
            done = daemons["mn"].ask("register", home_address=HOME, wait=True)["done"]
            assert done == "registered"
    finally:
        time.clock_settime(time.CLOCK_REALTIME, real_s + time.monotonic() - steady_s)
