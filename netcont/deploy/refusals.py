"""What this host's kernel cannot do, or must not: said before the first change."""

from __future__ import annotations

from collections.abc import Iterator

from netcont.deploy.address import is_link_local
from netcont.deploy.forwarding import not_forwarding
from netcont.deploy.half import Half
from netcont.deploy.segments import remotes
from netcont.deploy.standing import occupied, traffic_of
from netcont.kernel.facts import Facts
from netcont.kernel.lookup import Way, way_to
from netcont.kernel.namespace import Namespace
from netcont.model import plan as changes
from netcont.model.deployment import (
    Extension,
    ExtensionKind,
    Tunnel,
    family_of,
    link_of,
)
from netcont.model.own import OWN_PREFIX
from netcont.model.plan import Plan


def refusals(half: Half, goal: Plan, known: Plan, facts: Facts, node: Namespace) -> list[str]:
    """Everything that speaks against the plan on this host; empty: nothing.

    goal: the half's plan; known: what netcont itself made here for this deployment. Reads only.
    """
    found = [*_missing_here(half, facts), *_taken(goal, known, facts)]
    if not found:
        found = [
            *_ways(half, goal, facts, node),
            *not_forwarding(half, facts, node),
            *_not_answering(half, node),
            *_bridges(half, facts),
            *_below(half, facts),
            *_guarded(half, facts),
        ]
    return list(dict.fromkeys(found))


def _missing_here(half: Half, facts: Facts) -> Iterator[str]:
    side, deployment = half.deployment.at(half.side), half.deployment
    addresses = {address for _, address, _ in facts.addresses}
    if side.address not in addresses:
        family = family_of(side.address)
        alike = [a for a in addresses if family_of(a) == family and not is_link_local(a)]
        has = ", ".join(sorted(alike)) or "none"
        yield (
            f"side.{half.side.value}.address: this host has no address {side.address}"
            f" (it has {has}): is this the other side? else add it, or mend the file"
        )
    tunnelled = any(isinstance(deployment.carrier(guest), Tunnel) for guest in deployment.guest)
    if tunnelled or deployment.mobile:
        yield from _no_link(f"side.{half.side.value}.link", side.link, facts)
    for one in deployment.extension:
        parent, bridge = one.parent.at(half.side), one.bridge.at(half.side)
        yield from _no_link(f"{one.link}: parent", parent, facts)
        yield from _no_link(f"{one.link}: device", one.device.at(half.side), facts)
        if bridge is None or bridge.startswith(OWN_PREFIX):
            continue
        yield from _no_link(f"{one.link}: bridge", bridge, facts)
        link = facts.links.get(bridge)
        if link is not None and link.kind != "bridge":
            yield f"{one.link}: {bridge} is no bridge: name one, or nc-… to have it made"
        yield from _no_gateway(one, bridge, facts)


def _no_gateway(one: Extension, bridge: str, facts: Facts) -> Iterator[str]:
    has = {address for link, address, _ in facts.addresses if link == bridge}
    for gateway in one.anycast_gateway:
        if gateway not in has:
            yield (
                f"{one.link}: {bridge} has no address {gateway}, and would be cut off from the"
                f" gateway at the other side: `ip addr add {gateway}/LENGTH dev {bridge}`"
            )


def _no_link(what: str, link: str | None, facts: Facts) -> Iterator[str]:
    if link is not None and link not in facts.links:
        yield f"{what}: this host has no link {link!r}: `ip link` shows what it has"


def _taken(goal: Plan, known: Plan, facts: Facts) -> Iterator[str]:
    ours, traffic = set(known), traffic_of(facts)
    names = {each.name for each in known if isinstance(each, changes.AddLink)}
    for change in goal:
        if ours and (change in ours or getattr(change, "name", None) in names):
            continue
        found = occupied(change, facts, traffic)
        if found is not None:
            yield f"{found}: netcont did not make it, and leaves it alone: remove or rename it"


def _remotes(half: Half, one: Tunnel | Extension) -> tuple[str, ...]:
    if isinstance(one, Tunnel):
        return (half.there.address,)
    return () if one.kind is ExtensionKind.VLAN else remotes(half, one)


def _ways(half: Half, goal: Plan, facts: Facts, node: Namespace) -> Iterator[str]:
    """The remote end is reached, not through the tunnel, and the path is wide enough."""
    own = {change.name for change in goal if isinstance(change, changes.AddLink)}
    by_index = {link.ifindex: link for link in facts.links.values()}
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


def _not_answering(half: Half, node: Namespace) -> Iterator[str]:
    """A question that is sent to the address itself, as hosts confirm their neighbours, is answered
    by a proxy only if there is a route for it (the kernel's ip6_forward)."""
    for guest in half.deployment.guest:
        if guest.source is half.side or family_of(guest.address) == 4:
            continue
        if not isinstance(half.deployment.carrier(guest), Tunnel):
            continue
        for known in filter(None, (guest.gateway, *guest.neighbours)):
            if not is_link_local(known) and way_to(node, known) is None:
                yield (
                    f"there is no route to {known}, for which this host is to answer while"
                    f" {guest.address} is here: `ip -6 route add default via …`"
                )


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


def _below(half: Half, facts: Facts) -> Iterator[str]:
    """A VTEP with a link below it has an MTU that fits into that link's."""
    for one in half.deployment.extension:
        device = facts.links.get(one.device.at(half.side) or "")
        if device is not None:
            yield from _too_wide(half, one, device.name, device.mtu_bytes)


def _guarded(half: Half, facts: Facts) -> Iterator[str]:
    """Bridges that both speak STP would shut the port between them."""
    for one in half.deployment.extension:
        bridge = facts.links.get(one.bridge.at(half.side) or "")
        far = one.bridge.at(half.side.other) or OWN_PREFIX
        spoken = bridge is not None and bridge.details.get("stp")
        if one.loop_guard and bridge is not None and spoken and not far.startswith(OWN_PREFIX):
            yield (
                f"{one.link}: {bridge.name} speaks STP, and if {far} at the other side does too,"
                " the guard shuts the segment: write loop_guard = false, or"
                f" `ip link set {bridge.name} type bridge stp_state 0`"
            )


def _bridges(half: Half, facts: Facts) -> Iterator[str]:
    """A bridge takes over the least MTU of its ports: that of somebody else's must not sink."""
    for one in half.deployment.extension:
        bridge = facts.links.get(one.bridge.at(half.side) or "")
        if bridge is None or bridge.name.startswith(OWN_PREFIX):
            continue
        mtu = half.deployment.mtu_of(one)
        if mtu is not None and mtu < bridge.mtu_bytes:
            yield (
                f"{one.link}: MTU {mtu} would lower that of {bridge.name}, which is"
                f" {bridge.mtu_bytes}: write fragment = true, or lower the bridge's yourself"
            )
