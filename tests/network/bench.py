"""Two nodes on a cable, fresh for each test, and dumps of all that the kernel tells of one."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from netcont.kernel.interpreter import Interpreter
from netcont.kernel.namespace import Namespace, create_namespace
from netcont.lab.nodes import _root
from netcont.model.plan import Change, Plan

from .tools import run

OWN_MAC, OTHER_MAC = "02:00:00:00:00:aa", "02:00:00:00:00:bb"
OWN, OTHER = "10.9.0.1", "10.9.0.2"
OWN6, OTHER6 = "2001:db8:9::1", "2001:db8:9::2"
"""Addresses of the two nodes on their cable (a0 to b0)."""

# Nothing that comes or becomes otherwise by itself: no link-local addresses, no advertisements.
_STILL = {"addr_gen_mode": "1", "accept_dad": "0", "accept_ra": "0", "router_solicitations": "0"}

# p1 was up once: the queue that a link gets then stays.
_OWN_SETUP = f"""
ip link set lo up
ip link set a0 up
ip addr add {OWN}/24 dev a0
ip link add br0 type bridge forward_delay 0 mcast_snooping 0
ip link add p0 address 02:00:00:00:00:01 type dummy
ip link add p1 address 02:00:00:00:00:02 type dummy
ip link set p0 master br0 up
ip link set p1 up
ip link set p1 down
ip link set br0 up
"""
_OWN_SIX = f"ip addr add {OWN6}/64 dev a0 nodad"
_OTHER_SETUP = f"ip link set lo up; ip link set b0 up; ip addr add {OTHER}/24 dev b0"
_DUMPS = (
    "ip -d -j link",
    "ip -d -j addr",
    "ip -d -j route show table all",
    "ip -d -j rule",
    "ip -6 -d -j route show table all",
    "ip -6 -d -j rule",
    "ip -j neigh",
    "ip -j neigh show proxy",
    "ip -6 -j neigh show proxy",
    "bridge -d -j link",
    "bridge -j fdb",
    "bridge -j vlan",
    "tc -j qdisc",
)
_MARK = "==="
_MAC_CHARACTERS = 17


@dataclass
class Bench:
    """own: the node that is changed; other: what lies at the far end of its cable."""

    own: Namespace
    other: Namespace

    def interpreter(self) -> Interpreter:
        """One that knows both."""
        return Interpreter({"own": self.own, "other": self.other})

    def apply(self, *changes: Change) -> Interpreter:
        """Applies the changes; the interpreter can undo them."""
        interpreter = self.interpreter()
        interpreter.apply(Plan(changes))
        return interpreter


@contextmanager
def bench(*, ipv6: bool = False) -> Iterator[Bench]:
    """A bench of two new namespaces, which go with it. ipv6: as well; else it is switched off."""
    with ExitStack() as stack:
        own, other = (stack.enter_context(_node(name, ipv6=ipv6)) for name in ("own", "other"))
        _root().link(
            "add",
            ifname="a0",
            address=OWN_MAC,
            net_ns_pid=own.pid,
            kind="veth",
            peer={"ifname": "b0", "address": OTHER_MAC, "net_ns_pid": other.pid},
        )
        sh(own, _OWN_SETUP + (_OWN_SIX if ipv6 else ""))
        sh(other, _OTHER_SETUP)
        yield Bench(own, other)


@contextmanager
def _node(name: str, *, ipv6: bool = False) -> Iterator[Namespace]:
    pid = create_namespace()
    try:
        with Namespace(name, pid) as node:
            for scope in ("all", "default"):
                for key, value in (_STILL if ipv6 else {"disable_ipv6": "1"}).items():
                    node.write_sysctl(f"net.ipv6.conf.{scope}.{key}", value)
            yield node
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def sh(node: Namespace, script: str) -> str:
    """What a shell script prints, run in node; it ends at the first command that fails."""
    return run(node, "/bin/sh", "-ec", script).stdout


def dump(node: Namespace) -> dict[str, str]:
    """Links, addresses, routes, rules, neighbours, bridges and queues, and every setting."""
    # The kernel brings links' operational states up to date once a second (linkwatch).
    time.sleep(1.1)
    script = "".join(f"{command}; echo; echo {_MARK}\n" for command in _DUMPS)
    script += f"nft -s list ruleset; echo {_MARK}\n"
    # Not all can be read: a stable secret that nobody has set.
    script += "cd /proc/sys/net; "
    script += "grep -s . ipv4/ip_forward ipv[46]/conf/*/* ipv[46]/neigh/*/* || true"
    *parts, rules, settings = sh(node, script).split(f"{_MARK}\n")
    shown = dict(line.partition(":")[::2] for line in settings.splitlines())
    shown |= {f"nft, line {number}": line for number, line in enumerate(rules.splitlines())}
    for command, part in zip(_DUMPS, parts, strict=True):
        for entry in json.loads(part.strip() or "[]"):
            shown |= _leaves(entry, f"{command}: {_name(entry)}")
    return shown


def _name(entry: dict[str, Any]) -> str:
    """What tells an entry from the others of its kind: a link's name, or all of it."""
    # A link has several entries in a forwarding database.
    whole = "ifname" not in entry or "mac" in entry
    return json.dumps(entry, sort_keys=True) if whole else str(entry["ifname"])


def _leaves(value: Any, name: str) -> dict[str, str]:
    """Every value within, by its way there; without what counts time."""
    if not isinstance(value, dict | list) or not value:
        return {name: str(value)}
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    found = {}
    for key, part in steps:
        if not str(key).endswith("_timer"):
            found |= _leaves(part, f"{name} {key}")
    return found


def comparable(shown: dict[str, str]) -> dict[str, str]:
    """Without what no two links share: their numbers, and the MACs that the kernel drew."""
    drawn = (" ifindex", " permaddr")
    shown = {where: value for where, value in shown.items() if not where.endswith(drawn)}
    text = json.dumps(shown)
    for where, mac in shown.items():
        link = where.removeprefix("ip -d -j link: ").removesuffix(" address")
        own = where == f"ip -d -j link: {link} address" and len(mac) == _MAC_CHARACTERS
        if own and not mac.startswith(("00:00:", "02:00:")):
            # A bridge's identifier is written without leading zeros.
            short = ":".join(part.lstrip("0") or "0" for part in mac.split(":"))
            text = text.replace(mac, f"mac of {link}").replace(short, f"mac of {link}")
    replaced: dict[str, str] = json.loads(text)
    return replaced


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str, str]]:
    """What is not the same: by its name, the value here and there."""
    return {
        key: (before.get(key, "-"), after.get(key, "-"))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }
