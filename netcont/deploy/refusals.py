"""What this host's kernel cannot do, or must not: said before the first change."""

from __future__ import annotations

import errno
import os
import platform
import signal
from collections.abc import Iterator
from pathlib import Path

from netcont.deploy.half import Half
from netcont.deploy.standing import occupied
from netcont.errors import KernelError
from netcont.kernel.facts import Facts
from netcont.kernel.interpreter import Interpreter
from netcont.kernel.lookup import Way, way_to
from netcont.kernel.namespace import Namespace, create_namespace
from netcont.model import plan as changes
from netcont.model.deployment import (
    OWN_PREFIX,
    Extension,
    ExtensionKind,
    Tunnel,
    link_of,
)
from netcont.model.plan import Plan
from netcont.model.plan.change import is_ipv6

_MODULES = {
    "gre": "ip_gre",
    "ipip": "ipip",
    "ip6gre": "ip6_gre",
    "ip6tnl": "ip6_tunnel",
    "vxlan": "vxlan",
    "vlan": "8021q",
    "bridge": "bridge",
}
_STRICT, _LOOSE = "1", "2"


def refusals(half: Half, goal: Plan, known: Plan, facts: Facts, node: Namespace) -> list[str]:
    """Everything that speaks against the plan on this host; empty: nothing.

    goal: the half's plan; known: what netcont itself made here for this deployment. Reads only.
    """
    found = [*_missing_here(half, facts), *_taken(goal, known, facts)]
    if not found:
        found = [*_ways(half, goal, facts, node), *_forwarding(half, node), *_bridges(half, facts)]
    return list(dict.fromkeys(found))


def missing_kinds(plan: Plan, facts: Facts) -> list[str]:
    """Kinds of links that this kernel does not know: each is tried in a namespace of its own, for
    which root is needed, unless its module is loaded."""
    kinds = {}
    for change in plan:
        kind = _kind(change)
        if kind is not None and not Path("/sys/module", _MODULES[kind]).exists():
            kinds[kind] = change
    already = {link.kind for link in facts.links.values()}
    return [_no_kind(kind) for kind in sorted(kinds.keys() - already) if not _known(kind)]


def _kind(change: changes.Change) -> str | None:
    match change:
        case changes.AddTunnel():
            return change.link_kind
        case changes.AddVxlan():
            return "vxlan"
        case changes.AddVlan():
            return "vlan"
        case changes.AddBridge():
            return "bridge"
        case _:
            return None


def _no_kind(kind: str) -> str:
    module = _MODULES[kind]
    return (
        f"this kernel ({platform.release()}) has no {kind}: `modprobe {module}`, or a kernel"
        f" with that module (Debian: linux-image-amd64, Ubuntu: linux-modules-extra)"
    )


def _known(kind: str) -> bool:
    """Makes a link of that kind where nobody sees it; the kernel loads the module if it has one."""
    pid = create_namespace()
    try:
        with Namespace("trial", pid) as trial:
            name = "nc-trial"
            change: changes.Change = changes.AddBridge("trial", name)
            if kind in ("gre", "ipip"):
                change = changes.AddTunnel("trial", name, kind, "192.0.2.1", "192.0.2.2")
            elif kind in ("ip6gre", "ip6tnl"):
                inner = "gre" if kind == "ip6gre" else "ipip"
                change = changes.AddTunnel("trial", name, inner, "2001:db8::1", "2001:db8::2")
            elif kind == "vxlan":
                change = changes.AddVxlan("trial", name, 1, "192.0.2.1", 4789, 1400)
            elif kind == "vlan":
                change = changes.AddVlan("trial", name, "lo", 1)
            try:
                Interpreter({"trial": trial}, for_good=True).apply(Plan((change,)))
            except KernelError as error:
                # lo carries no VLAN and says so otherwise.
                return error.errno not in (errno.EOPNOTSUPP, errno.ENOENT)
            return True
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _missing_here(half: Half, facts: Facts) -> Iterator[str]:
    side, deployment = half.deployment.at(half.side), half.deployment
    addresses = {address for _, address, _ in facts.addresses}
    if side.address not in addresses:
        has = ", ".join(sorted(addresses)) or "none"
        yield (
            f"side.{half.side.value}.address: this host has no address {side.address}"
            f" (it has {has}): is this the other side? else add it, or mend the file"
        )
    if any(isinstance(deployment.carrier(guest), Tunnel) for guest in deployment.guest):
        yield from _no_link(f"side.{half.side.value}.link", side.link, facts)
    for one in deployment.extension:
        parent, bridge = one.parent.at(half.side), one.bridge.at(half.side)
        yield from _no_link(f"{one.link}: parent", parent, facts)
        if bridge is None or bridge.startswith(OWN_PREFIX):
            continue
        yield from _no_link(f"{one.link}: bridge", bridge, facts)
        link = facts.links.get(bridge)
        if link is not None and link.kind != "bridge":
            yield f"{one.link}: {bridge} is no bridge: name one, or nc-… to have it made"


def _no_link(what: str, link: str | None, facts: Facts) -> Iterator[str]:
    if link is not None and link not in facts.links:
        yield f"{what}: this host has no link {link!r}: `ip link` shows what it has"


def _taken(goal: Plan, known: Plan, facts: Facts) -> Iterator[str]:
    ours = set(known)
    names = {each.name for each in known if isinstance(each, changes.AddLink)}
    for change in goal:
        if change in ours or getattr(change, "name", None) in names:
            continue
        found = occupied(change, facts)
        if found is not None:
            yield f"{found}: netcont did not make it, and leaves it alone: remove or rename it"


def _remotes(half: Half, one: Tunnel | Extension) -> tuple[str, ...]:
    far = half.deployment.at(half.side.other).address
    if isinstance(one, Tunnel):
        return (far,)
    if one.kind is ExtensionKind.VLAN:
        return ()
    own = half.deployment.at(half.side).address
    return (far, *(each for each in one.head_end if each != own))


def _ways(half: Half, goal: Plan, facts: Facts, node: Namespace) -> Iterator[str]:
    """The remote end is reached, not through the tunnel, and the path is wide enough."""
    own = {change.name for change in goal if isinstance(change, changes.AddLink)}
    by_index = {link.index: link for link in facts.links.values()}
    asked: dict[str, Way | None] = {}
    every: list[Tunnel | Extension] = [*half.deployment.tunnel, *half.deployment.extension]
    for one in every:
        for remote in _remotes(half, one):
            if remote not in asked:
                asked[remote] = way_to(node, remote)
            way = asked[remote]
            link = by_index.get(way.link) if way else None
            if link is None:
                yield f"{link_of(one)}: there is no route to {remote}: `ip route get {remote}`"
            elif link.name == "lo":
                yield (
                    f"{link_of(one)}: {remote} is this host's own: write the address of the other"
                )
            elif link.name in own:
                yield (
                    f"{link_of(one)}: {remote} is reached through {link.name} itself: give it a"
                    " route of its own outside of the tunnel"
                )
            else:
                yield from _too_wide(half, one, link.name, link.mtu_bytes)


def _too_wide(half: Half, one: Tunnel | Extension, link: str, limit: int) -> Iterator[str]:
    mtu = half.deployment.mtu_of(one)
    if mtu is None:
        return
    overhead = half.deployment.overhead_bytes(one)
    needed = mtu + (0 if isinstance(one, Extension) and one.fragment else overhead)
    if needed > limit:
        yield (
            f"{link_of(one)}: mtu_bytes {mtu} needs packets of {needed} bytes, but {link} takes"
            f" {limit}: write mtu_bytes = {limit - overhead}"
        )


def _forwarding(half: Half, node: Namespace) -> Iterator[str]:
    deployment = half.deployment
    if not any(isinstance(deployment.carrier(guest), Tunnel) for guest in deployment.guest):
        return
    if node.read_sysctl("net.ipv4.ip_forward") == "0":
        yield (
            "net.ipv4.ip_forward is 0: this host passes on nothing of a guest's:"
            " `sysctl -w net.ipv4.ip_forward=1`"
        )
    strictness = node.read_sysctl("net.ipv4.conf.all.rp_filter")
    if strictness == _STRICT:
        yield (
            "net.ipv4.conf.all.rp_filter is 1 (strict): what comes out of the tunnel would be"
            " dropped: `sysctl -w net.ipv4.conf.all.rp_filter=0`"
        )
    elif strictness == _LOOSE:
        yield from _filtered(half)


def _filtered(half: Half) -> Iterator[str]:
    """What comes out of a link without an address passes a loose filter only if its source is
    reached through that link (the kernel's fib_validate_source)."""
    for guest in half.deployment.guest:
        tunnel = half.deployment.carrier(guest)
        if not isinstance(tunnel, Tunnel) or guest.reverse or guest.source is half.side:
            continue
        if all(is_ipv6(each) for each in tunnel.addresses.at(half.side)):
            yield (
                "net.ipv4.conf.all.rp_filter is 2 (loose): the kernel would drop what clients"
                f" send to {guest.address} through {tunnel.name}, as it has no address: give it"
                " addresses, or `sysctl -w net.ipv4.conf.all.rp_filter=0`"
            )


def _bridges(half: Half, facts: Facts) -> Iterator[str]:
    """A bridge takes over the least MTU of its ports: that of somebody else's must not sink."""
    for one in half.deployment.extension:
        bridge, mtu = facts.links.get(one.bridge.at(half.side) or ""), half.deployment.mtu_of(one)
        if bridge is None or mtu is None or bridge.name.startswith(OWN_PREFIX):
            continue
        if mtu < bridge.mtu_bytes:
            yield (
                f"{one.link}: MTU {mtu} would lower that of {bridge.name}, which is"
                f" {bridge.mtu_bytes}: write fragment = true, or lower the bridge's yourself"
            )
