"""What must hold between the values of a deployment. Pure: no kernel is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcont.deploy.address import NAMES, is_link_local, prefix_of
from netcont.deploy.agents import wrong_agents
from netcont.deploy.anycast import wrong_gateways
from netcont.deploy.carriers import Carrier, carriers, key_of, keyed
from netcont.deploy.families import wrong_families
from netcont.deploy.forms import wrong_forms
from netcont.deploy.names import wrong_names
from netcont.deploy.prefixes import colliding
from netcont.deploy.problems import Problem
from netcont.deploy.twins import twins
from netcont.model.deployment import (
    Deployment,
    Extension,
    ExtensionKind,
    Guest,
    SideName,
    Tunnel,
    TunnelKind,
    family_of,
    link_of,
    of_family,
)
from netcont.model.own import OWN_PREFIX

_RESERVED_TABLES = frozenset({253, 254, 255})


def broken_rules(deployment: Deployment) -> list[Problem]:
    """Everything that cannot be; values of a wrong form hide what rests on them."""
    formal = [*wrong_forms(deployment)]
    if formal:
        return formal
    every = carriers(deployment)
    mixed = [*wrong_families(deployment, every)]
    if mixed:
        return mixed
    return [
        *_sides(deployment),
        *_links(every),
        *twins(deployment, every),
        *_bridges(deployment, every),
        *_mtus(deployment, every),
        *colliding(deployment, every),
        *_guests(deployment),
        *wrong_gateways(deployment, every),
        *wrong_agents(deployment),
        *wrong_names(deployment),
    ]


def _sides(deployment: Deployment) -> Iterator[Problem]:
    a, b = deployment.side.a, deployment.side.b
    if not (deployment.links or deployment.home_agent or deployment.dns):
        yield Problem("tunnel", "missing", "add [tunnel], [extension], [home_agent] or [dns]")
    if a.address == b.address:
        yield Problem(
            "side.b.address", f"{b.address} is side a's as well", "write the other host's address"
        )
    for place, prefix in keyed("side.b.prefix", b.prefix):
        for other in a.prefix:
            if prefix_of(prefix).overlaps(prefix_of(other)):
                yield Problem(
                    place, f"{prefix} overlaps side a's {other}", "each site needs its own prefixes"
                )


def _links(every: Sequence[Carrier]) -> Iterator[Problem]:
    for carrier in every:
        if isinstance(carrier.link, Tunnel):
            yield from _tunnel(carrier.key, carrier.link)
        elif carrier.link.kind is ExtensionKind.VXLAN:
            yield from _vxlan(carrier.key, carrier.link)
        else:
            yield from _vlan(carrier.key, carrier.link)


def _tunnel(key: str, tunnel: Tunnel) -> Iterator[Problem]:
    if tunnel.key is not None and tunnel.kind is TunnelKind.IPIP:
        yield Problem(
            f"{key}.key", f"{tunnel.key}: ipip has no key", 'remove it, or write kind = "gre"'
        )
    if not tunnel.pmtudisc and tunnel.ttl != 0:
        yield Problem(
            f"{key}.pmtudisc",
            f"false together with ttl = {tunnel.ttl} is refused by the kernel",
            "write ttl = 0 (the inner packet's), or pmtudisc = true",
        )
    if tunnel.table in _RESERVED_TABLES:
        yield Problem(f"{key}.table", f"{tunnel.table} is the kernel's own table", "choose another")


def _vxlan(key: str, one: Extension) -> Iterator[Problem]:
    if one.vni is None:
        yield Problem(f"{key}.vni", "missing", "add it: 1 to 16777215")
    if one.vlan_id is not None:
        yield _meaningless(f"{key}.vlan_id", one.vlan_id, one)
    if one.parent.a or one.parent.b:
        yield _meaningless(f"{key}.parent", one.parent.a or one.parent.b, one)
    if one.group is not None or any(one.device):
        yield from _group(key, one)
    yield from _suppression(key, one)


def _group(key: str, one: Extension) -> Iterator[Problem]:
    """With a link below, the kernel wants whole packets to pass there."""
    for side in SideName:
        device = one.device.at(side)
        if one.group is not None and device is None:
            remedy = "add the link that leads to the other side: the group is joined there"
            yield Problem(f"{key}.device.{side}", "missing", remedy)
        elif one.group is None and device is not None:
            yield Problem(f"{key}.device.{side}", f"{device} without a group", "add group")
    if one.group is not None and one.head_end:
        what = f"{one.head_end[0]} beside the group {one.group}"
        yield Problem(f"{key}.head_end", what, "write one of the two")
    if one.group is not None and one.fragment:
        yield Problem(f"{key}.fragment", "true with a group", "remove it: the kernel refuses that")


def _vlan(key: str, one: Extension) -> Iterator[Problem]:
    if one.vlan_id is None:
        yield Problem(f"{key}.vlan_id", "missing", "add it: 1 to 4094")
    for side in SideName:
        if one.parent.at(side) is None:
            remedy = "add the link to the carrier's circuit"
            yield Problem(f"{key}.parent.{side}", "missing", remedy)
    if one.vni is not None:
        yield _meaningless(f"{key}.vni", one.vni, one)
    if one.head_end:
        yield _meaningless(f"{key}.head_end", one.head_end[0], one)
    for name, given in (("group", one.group), ("device", one.device.a or one.device.b)):
        if given is not None:
            yield _meaningless(f"{key}.{name}", given, one)
    yield from _suppression(key, one)


def _suppression(key: str, one: Extension) -> Iterator[Problem]:
    if one.arp_suppression and not (one.bridge.a and one.bridge.b):
        yield Problem(
            f"{key}.arp_suppression", "true without a bridge", f"add {key}.bridge, or remove it"
        )


def _meaningless(key: str, value: object, one: Extension) -> Problem:
    return Problem(key, f"{value!r} means nothing to {one.kind}", "remove it")


def _bridges(deployment: Deployment, every: Sequence[Carrier]) -> Iterator[Problem]:
    """All ports of a bridge of netcont's have its MTU."""
    made: dict[str, int | None] = {}
    for key, link, *_ in every:
        if not isinstance(link, Extension):
            continue
        for bridge in (link.bridge.a, link.bridge.b):
            if bridge is None or not bridge.startswith(OWN_PREFIX):
                continue
            mtu = deployment.mtu_of(link)
            if made.setdefault(bridge, mtu) != mtu:
                yield Problem(
                    f"{key}.mtu_bytes",
                    f"{mtu} is not that of the others on bridge {bridge}, {made[bridge]}",
                    "give all of them one MTU",
                )


def _mtus(deployment: Deployment, every: Sequence[Carrier]) -> Iterator[Problem]:
    path = deployment.path_mtu_bytes
    for key, link, *_ in every:
        if link.mtu_bytes is None:
            continue
        may_fragment = isinstance(link, Extension) and link.fragment
        limit = path if may_fragment else path - deployment.overhead_bytes(link)
        if link.mtu_bytes > limit:
            why = f"with {path - limit} bytes of overhead is" if limit < path else "is"
            yield Problem(
                f"{key}.mtu_bytes",
                f"{link.mtu_bytes} {why} above the path's {path}",
                f"write at most {limit}, or remove it",
            )


def _guests(deployment: Deployment) -> Iterator[Problem]:
    for index, guest in enumerate(deployment.guest):
        key = key_of(deployment, "guest", index)
        link = deployment.carrier(guest)
        if guest in deployment.mobile:
            yield from _between_lans(key, guest, deployment)
        elif link is None:
            names = ", ".join(link_of(one) for one in deployment.links)
            over = guest.over
            what = "missing" if over is None else f"{over!r} is none of the file's links"
            yield Problem(f"{key}.over", what, f"name one of {names}")
        elif isinstance(link, Tunnel):
            yield from _between_lans(key, guest, deployment)
        else:
            yield from _on_segment(key, guest, link)


def _on_segment(key: str, guest: Guest, link: Extension) -> Iterator[Problem]:
    """A guest takes its LAN along on a segment, which must be joined with it at both ends."""
    for side in SideName:
        if link.bridge.at(side) is None:
            yield Problem(
                f"{key}.address",
                f"{guest.address} is not on {link.link}, which has no bridge on side {side}",
                "add bridge to the extension: the one that the guest is plugged into, on each side",
            )
            return


def _between_lans(key: str, guest: Guest, deployment: Deployment) -> Iterator[Problem]:
    family = family_of(guest.address)
    homes = {side: of_family(deployment.at(side).prefix, family) for side in SideName}
    for side in SideName:
        end = deployment.at(side)
        none = f"no {NAMES[family]} prefix" if end.prefix else "missing"
        for name, value, what in (("link", end.link, "missing"), ("prefix", homes[side], none)):
            if value is None:
                yield Problem(f"side.{side}.{name}", what, f"add it: {key} moves between LANs")
    home = homes[guest.source]
    if home is None:
        return
    at_home = [("address", guest.address, "write as from where it is at home, or mend the prefix")]
    if guest.gateway is not None:
        at_home.append(("gateway", guest.gateway, "write the gateway that the guest has at home"))
    for place, text in keyed("neighbours", guest.neighbours):
        at_home.append((place, text, "write those that are in the guest's LAN at home"))
    for name, address, remedy in at_home:
        if not prefix_of(home).overlaps(prefix_of(address)) and not is_link_local(address):
            what = f"{address} is not in side {guest.source}'s prefix {home}"
            yield Problem(f"{key}.{name}", what, remedy)
