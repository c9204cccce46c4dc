"""Which connections still need what a deployment made here: only when there are none, it can go.

A connection uses the path if one of its ends is in a prefix that the deployment routes. Before the
switch a guest's home routes nothing of it, so there is nothing to wait for.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from socket import AF_INET, AF_INET6, inet_pton

from netcont.deploy.quiet import Quiet
from netcont.deploy.segments import is_port_mac
from netcont.deploy.usage import Segment, Usage
from netcont.errors import KernelError
from netcont.kernel.conntrack import Tracked, read_conntrack
from netcont.kernel.flow import Flow
from netcont.kernel.namespace import Namespace
from netcont.kernel.sockets import own_flows
from netcont.kernel.stations import Port, Station, read_ports
from netcont.model import plan as changes
from netcont.model.plan import MAIN_TABLE, Change, Plan

_OVER = frozenset({"time-wait", "close", "last-ack"})
"""TCP states in which nothing more is to be said."""

_ICMP = frozenset({"icmp", "icmpv6"})
_DEFAULTS = frozenset({("default", MAIN_TABLE), ("::/0", MAIN_TABLE)})

TRACK = (
    "nft 'table inet nc-flows { chain seen { type filter hook forward priority 0;"
    " ct state new counter ; } ; }'"
)
"""Makes the kernel track connections of both families, and changes nothing else."""


class Prefixes:
    """Networks of both families, asked many times for one address: a look for each length."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._found: dict[tuple[int, int], set[int]] = {}
        for each in networks:
            shift = each.max_prefixlen - each.prefixlen
            values = self._found.setdefault((each.version, shift), set())
            values.add(int(each.network_address) >> shift)
        self._known: dict[bytes, bool] = {}

    @property
    def versions(self) -> frozenset[int]:
        """The IP versions that occur."""
        return frozenset(version for version, _ in self._found)

    def __contains__(self, address: str) -> bool:
        return self.hold(inet_pton(AF_INET6 if ":" in address else AF_INET, address))

    def hold(self, address: bytes) -> bool:
        """The same for an address in network order."""
        known = self._known.get(address)
        if known is None:
            number, own = int.from_bytes(address, "big"), 4 if len(address) == 4 else 6
            known = any(
                version == own and number >> shift in values
                for (version, shift), values in self._found.items()
            )
            self._known[address] = known
        return known


def routed(plan: Iterable[Change]) -> Prefixes:
    """What a plan turns onto its path. Whole families, and tables that only rules lead to, are
    left out: the rules name who is meant."""
    found = (each for each in _routed(plan) if not each.endswith("/0"))
    return Prefixes(ip_network(each) for each in found)


def _routed(plan: Iterable[Change]) -> Iterator[str]:
    for change in plan:
        if isinstance(change, changes.AddRule):
            yield change.source
        elif isinstance(change, changes.AddRoute) and change.table == MAIN_TABLE:
            yield "0.0.0.0/0" if change.destination == "default" else change.destination


def within(plan: Iterable[Change]) -> Prefixes:
    """The networks of a plan's own links: what the gateways say to each other through them."""
    plan = tuple(plan)
    links = {each.name for each in plan if isinstance(each, changes.AddLink)}
    return Prefixes(
        ip_network((each.address, each.prefixlen), strict=False)
        for each in plan
        if isinstance(each, changes.AddAddress) and each.link in links
    )


@dataclass(frozen=True)
class Seen:
    """All connections at one time, and who is beyond bridged links. tracked None: why says that the
    table cannot be read. ports: by the link's name, without netcont's own stations; silent_s: for
    how long at least nobody used them, by their names, as far as earlier looks tell."""

    own: tuple[Flow, ...]
    tracked: Tracked | None
    why: str = ""
    ports: Mapping[str, Port] = field(default_factory=dict)
    silent_s: Mapping[str, float] = field(default_factory=dict)


def look(node: Namespace, plan: Iterable[Change]) -> Seen:
    """Asks the kernel for connections of the addresses that plans turn onto their paths.

    Raises KernelError if not even this host's own sockets can be read.
    """
    plan = tuple(plan)
    passing, inner, own = routed(plan), within(plan), tuple(own_flows(node))
    ports = _ports(node, plan)
    try:
        tracked = read_conntrack(node, lambda each: passing.hold(each) or inner.hold(each))
    except KernelError as error:
        return Seen(own, None, _unreadable(error), ports)
    return Seen(own, tracked, ports=ports)


def _ports(node: Namespace, plan: Iterable[Change]) -> dict[str, Port]:
    links = _bridged(plan)
    return {
        name: replace(port, stations=_foreign(port))
        for name, port in (read_ports(node, links) if links else {}).items()
    }


def _foreign(port: Port) -> tuple[Station, ...]:
    return tuple(each for each in port.stations if not is_port_mac(each.mac))


def _bridged(plan: Iterable[Change]) -> list[str]:
    return [each.link for each in plan if isinstance(each, changes.SetMaster) and each.master]


def watched(seen: Seen, quiet: Quiet, now_s: float) -> Seen:
    """The same with what earlier looks tell. now_s: see Quiet.told."""
    seen = replace(seen, silent_s=quiet.silent(seen.ports, now_s))
    if seen.tracked is None:
        return seen
    tracked = replace(seen.tracked, flows=quiet.told(seen.tracked.flows, now_s))
    return replace(seen, tracked=tracked)


def usage(seen: Seen, plan: Plan, idle_timeout_s: float = math.inf) -> Usage:
    """What uses a plan's path. idle_timeout_s: connections that have been idle for so long do not
    count, nor do segments over which nobody was heard."""
    passing, inner = routed(plan), within(plan)
    unseen = [text for change in plan for text in _untold(change)]
    unseen += [_unheard(each) for each in _bridged(plan) if not _learns(seen, each)]
    found = [each for each in seen.own if _uses(each, passing, inner)]
    versions = passing.versions | inner.versions
    if versions and seen.tracked is None:
        unseen.append(seen.why)
    elif versions and seen.tracked is not None:
        tracked = [each for each in seen.tracked.flows if _uses(each, passing, inner)]
        found = _together(found, tracked)
        unseen += [_untracked(version) for version in sorted(versions - seen.tracked.versions)]
    idle = tuple(each for each in found if (each.idle_s or 0) >= idle_timeout_s)
    left = tuple(each for each in found if (each.idle_s or 0) < idle_timeout_s)
    segments = tuple(_segments(seen, plan, idle_timeout_s))
    unseen += [_untold_of(each.link) for each in segments if math.isinf(each.timeout_s)]
    return Usage(left, tuple(dict.fromkeys(unseen)), idle, segments)


def _segments(seen: Seen, plan: Plan, idle_timeout_s: float) -> Iterator[Segment]:
    for link in _bridged(plan):
        port = seen.ports.get(link)
        if port is None or not _learns(seen, link):
            continue
        silent_s = max(port.silent_s, seen.silent_s.get(link, 0.0))
        yield Segment(link, port.bridge, port.stations, silent_s, idle_timeout_s)


def _together(own: Sequence[Flow], tracked: Iterable[Flow]) -> list[Flow]:
    """Both, but a connection of this host's once, and used when either of them saw it last."""
    found = {_ends(each): each for each in own}
    others = []
    for each in tracked:
        ends = _ends(each) if _ends(each) in found else _ends(each)[::-1]
        if ends not in found:
            others.append(each)
            continue
        known = [idle for idle in (found[ends].idle_s, each.idle_s) if idle is not None]
        found[ends] = replace(found[ends], idle_s=min(known, default=None))
    return [*found.values(), *others]


def _uses(flow: Flow, passing: Prefixes, inner: Prefixes) -> bool:
    if flow.state in _OVER:
        return False
    ends = (flow.source, flow.destination, *flow.translated)
    if any(each in passing for each in ends):
        return True
    # An echo request from one gateway to the other asks whether the path is there.
    return flow.protocol not in _ICMP and any(each in inner for each in ends)


def _ends(flow: Flow) -> tuple[tuple[str, int | None], tuple[str, int | None]]:
    return ((flow.source, flow.source_port), (flow.destination, flow.destination_port))


def _untold(change: Change) -> Iterator[str]:
    """Why it cannot be told by addresses what uses a change."""
    if isinstance(change, changes.AddRoute) and (change.destination, change.table) in _DEFAULTS:
        yield f"any connection may take the default route through {change.link}"


def _learns(seen: Seen, link: str) -> bool:
    port = seen.ports.get(link)
    return port is not None and port.remembers_s is not None


def _unheard(link: str) -> str:
    return f"what is bridged over {link} is not tracked, and no bridge learns who is beyond it"


def _untold_of(link: str) -> str:
    return (
        f"what is bridged over {link} is not tracked: only who was heard beyond it is known, and"
        " --idle-timeout SECONDS says how long they must have been silent"
    )


def _unreadable(error: KernelError) -> str:
    if error.errno == errno.EPERM:
        return "the kernel's connection table is for root only"
    return f"the kernel's connection table cannot be read: {error.message}"


def _untracked(version: int) -> str:
    return f"no rule here makes the kernel track connections of IPv{version}: `{TRACK}` would"
