"""A gateway in a network namespace of its own, with foreign things in it, looked at by iproute2."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import pytest

from netcont.deploy.here import may_change
from netcont.kernel.namespace import create_namespace, set_namespace
from netcont.lab.cache import find_lab_files, lab_environment

needs_root = pytest.mark.skipif(not may_change(), reason="makes network namespaces: needs root")

WITHOUT_IPV6 = """
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
"""

WITH_IPV6 = """
for each in all default; do
    sysctl -qw net.ipv6.conf.$each.accept_dad=0 net.ipv6.conf.$each.accept_ra=0
done
sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.addr_gen_mode=1
"""

SET_UP = """
sysctl -qw net.ipv4.ip_forward=1
ip link set lo up
ip link add wan0 type veth peer name wan1
ip link add lan0 type veth peer name lan1
ip link add port0 type veth peer name port1
for each in wan0 wan1 lan0 lan1 port0 port1; do ip link set $each up; done
ip addr add 192.0.2.1/24 dev wan0
ip addr add 10.1.0.1/24 dev lan0
ip route add default via 192.0.2.254
ip link add br0 type bridge forward_delay 0 mcast_snooping 0
ip link set port0 master br0
ip link set br0 up
ip link add foreign0 type vxlan id 7 local 192.0.2.1 dstport 4790
ip addr add 10.7.0.1/24 dev foreign0
ip link set foreign0 up
ip route add 10.77.0.0/16 via 10.7.0.2 proto 77
ip rule add pref 700 from 10.77.0.1 lookup 770
ip route add 10.78.0.0/16 via 192.0.2.253 table 770
ip neigh add proxy 10.1.0.200 dev lan0
"""

SET_UP_IPV6 = """
ip addr add 2001:db8:a::1/64 dev wan0
ip addr add 2001:db8:1::1/64 dev lan0
ip -6 route add default via 2001:db8:a::fe
ip -6 route add 2001:db8:70::/48 via 2001:db8:a::70 proto 77
ip -6 rule add pref 700 from 2001:db8:70::/48 lookup 770
ip -6 route add 2001:db8:78::/48 via 2001:db8:a::78 table 770
ip -6 neigh add proxy 2001:db8:1::200 dev lan0
sysctl -qw net.ipv6.conf.default.addr_gen_mode=0
until ip -6 route show table local dev br0 | grep -q ff00; do :; done
"""
"""Only links that are made later have link-local addresses: those would come when they like."""

AT_B = """
ip addr add 198.51.100.1/24 dev wan0
ip addr del 192.0.2.1/24 dev wan0
ip route replace default via 198.51.100.254
"""
"""The gateway is side b's from now on."""

AT_B_IPV6 = """
ip addr add 2001:db8:b::1/64 dev wan0
ip addr del 2001:db8:a::1/64 dev wan0
ip -6 route replace default via 2001:db8:b::fe
ip addr add 2001:db8:2::1/64 dev lan0
ip addr del 2001:db8:1::1/64 dev lan0
"""

_LOOK = """
until test -z "$(ip -6 addr show tentative)"; do :; done
ip -d -j link; echo; ip -d -j addr; echo; ip -d -j route show table all; echo; ip -d -j rule; echo
ip -6 -d -j route show table all; echo; ip -6 -d -j rule; echo
ip -d -j neigh show nud permanent; echo; ip neigh show proxy; ip -6 neigh show proxy
bridge -d -j link; echo; bridge -j fdb; echo; bridge -j vlan; echo
nft -s list ruleset
cd /proc/sys/net; grep -rs . ipv[46]/conf ipv[46]/neigh ipv4/ip_forward | sort
"""

_NOISE = frozenset(
    {
        "operstate",
        "linkmode",
        "ifindex",
        "flags",
        "root_id",
        "designated_root",
    }
)
"""What changes by itself, or must be another each time."""


@cache
def environment() -> dict[str, str]:
    """In which nft, ping and tcpdump are found: in the lab's cache, if the host has none."""
    if shutil.which("nft") is not None:
        return dict(os.environ)
    return {**os.environ, **lab_environment(find_lab_files())}


@dataclass(frozen=True)
class Ended:
    """How a child process ended. status: its exit code, negative for a signal."""

    status: int
    said: str


@dataclass
class Started:
    """A child process at work."""

    pid: int
    pipe: TextIO
    said: str = ""

    def until(self, words: str) -> None:
        """Waits until it has said that."""
        while words not in self.said:
            line = self.pipe.readline()
            assert line, self.said
            self.said += line

    def ended(self) -> Ended:
        """Waits for its end."""
        with self.pipe:
            self.said += self.pipe.read()
        _, status = os.waitpid(self.pid, 0)
        return Ended(os.waitstatus_to_exitcode(status), self.said)


class Gateway:
    """pid: what holds the namespace. state: where records are kept."""

    def __init__(self, pid: int, state: Path) -> None:
        self.pid = pid
        self.state = state

    def sh(self, script: str) -> str:
        """What a shell script prints; it must not fail."""
        words = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "sh", "-ec", script]
        done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def snapshot(self) -> list[str]:
        """Everything that is there, by iproute2 and sysctl, without what changes by itself."""
        return [still for line in self.sh(_LOOK).splitlines() for still in _still(line)]

    def run(self, act: Callable[[], Any]) -> Ended:
        """Does something in a process of its own, inside; it may kill itself."""
        return self.start(act).ended()

    def start(self, act: Callable[[], Any]) -> Started:
        """The same, and does not wait for its end."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            self._inside(write, act)
        os.close(write)
        return Started(child, os.fdopen(read))

    def _inside(self, write: int, act: Callable[[], Any]) -> None:
        status = 1
        try:
            os.dup2(write, 1)
            os.dup2(write, 2)
            descriptor = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            set_namespace(descriptor)
            sys.stdout = sys.stderr = os.fdopen(1, "w", closefd=False)
            status = int(act() or 0)
        except BaseException:  # noqa: BLE001 - a child tells its parent, and ends
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)

    def cli(self, *words: str, probe: bool = False) -> Ended:
        """A netcont command inside. probe: it asks the other side, where nobody may be."""
        return self.start_cli(*words, probe=probe).ended()

    def start_cli(self, *words: str, probe: bool = False) -> Started:
        """The same, and does not wait for its end."""
        from netcont.cli.main import main

        if words[0] in ("up", "status") and not probe:
            words = (*words, "--no-probe")
        os.environ["NETCONT_STATE_DIR"] = str(self.state)
        return self.start(lambda: main(list(words)))


def _still(line: str) -> list[str]:
    """One line for each object."""
    if not line.startswith("["):
        return [line]
    found = [each for each in json.loads(line) if not _learned(each)]
    return [json.dumps(_without_noise(each), sort_keys=True) for each in found]


def _learned(entry: dict[str, Any]) -> bool:
    """Whether a bridge has it from a frame that it saw."""
    return "mac" in entry and entry.get("state") == ""


def difference(one: list[str], other: list[str]) -> list[str]:
    """What is only in one of two snapshots."""
    gone = [f"- {line}" for line in one if line not in other]
    return gone + [f"+ {line}" for line in other if line not in one]


def _without_noise(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_noise(v) for k, v in value.items() if _tells(k)}
    if isinstance(value, list):
        return [_without_noise(each) for each in value]
    return value


def _tells(key: str) -> bool:
    return key not in _NOISE and not key.endswith("_timer")


@contextmanager
def gateway(state: Path, *, ipv6: bool = False) -> Iterator[Gateway]:
    """One gateway; its namespace ends with the block. ipv6: it has addresses of both families."""
    pid = create_namespace()
    try:
        one = Gateway(pid, state)
        one.sh(WITH_IPV6 + SET_UP + SET_UP_IPV6 if ipv6 else WITHOUT_IPV6 + SET_UP)
        yield one
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
