"""What must hold between the values of a deployment. Pure: no kernel is asked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

from netcont.deploy.address import NAMES, Prefix, prefix_of
from netcont.deploy.families import wrong_families
from netcont.deploy.forms import key_of, listed, wrong_forms
from netcont.deploy.half import table_of
from netcont.deploy.names import wrong_names
from netcont.deploy.problems import Problem
from netcont.model.deployment import (
    OWN_PREFIX,
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

_RESERVED_TABLES = frozenset({253, 254, 255})


def broken_rules(deployment: Deployment) -> list[Problem]:
    """Everything that cannot be; values of a wrong form hide what rests on them."""
    formal = [*wrong_forms(deployment)]
    if formal:
        return formal
    mixed = [*wrong_families(deployment)]
    if mixed:
        return mixed
    return [
        *_sides(deployment),
        *_carriers(deployment),
        *_twins(deployment),
        *_mtus(deployment),
        *_own_ends(deployment),
        *_guests(deployment),
        *wrong_names(deployment),
    ]


def _sides(deployment: Deployment) -> Iterator[Problem]:
    a, b = deployment.side.a, deployment.side.b
    if not (deployment.tunnel or deployment.extension or deployment.dns):
        yield Problem("tunnel", "missing", "add [tunnel], [extension] or [dns]")
    if a.address == b.address:
        yield Problem(
            "side.b.address", f"{b.address} is side a's as well", "write the other host's address"
        )
    for place, prefix in listed("side.b.prefix", b.prefix):
        for other in a.prefix:
            if prefix_of(prefix).overlaps(prefix_of(other)):
                yield Problem(
                    place, f"{prefix} overlaps side a's {other}", "each site needs its own prefixes"
                )


def _carriers(deployment: Deployment) -> Iterator[Problem]:
    for index, tunnel in enumerate(deployment.tunnel):
        key = key_of(deployment, "tunnel", index)
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
            yield Problem(
                f"{key}.table", f"{tunnel.table} is the kernel's own table", "choose another"
            )
    for index, extension in enumerate(deployment.extension):
        yield from _extension(key_of(deployment, "extension", index), extension)


def _extension(key: str, one: Extension) -> Iterator[Problem]:
    if one.kind is ExtensionKind.VXLAN:
        if one.vni is None:
            yield Problem(f"{key}.vni", "missing", "add it: 1 to 16777215")
        wrong: dict[str, object] = {"vlan_id": one.vlan_id, "parent": one.parent.a or one.parent.b}
    else:
        if one.vlan_id is None:
            yield Problem(f"{key}.vlan_id", "missing", "add it: 1 to 4094")
        for side in SideName:
            if one.parent.at(side) is None:
                yield Problem(
                    f"{key}.parent.{side.value}", "missing", "add the link to the carrier's circuit"
                )
        wrong = {"vni": one.vni, "head_end": one.head_end or None}
    for name, value in wrong.items():
        if value is not None:
            yield Problem(
                f"{key}.{name}", f"{value!r} means nothing to {one.kind.value}", "remove it"
            )
    if one.arp_suppression and not (one.bridge.a and one.bridge.b):
        yield Problem(
            f"{key}.arp_suppression", "true without a bridge", f"add {key}.bridge, or remove it"
        )


def _twins(deployment: Deployment) -> Iterator[Problem]:
    """Links, tunnels, segments, tables, addresses that are there twice."""
    names: dict[object, str] = {}
    for kind in ("tunnel", "extension"):
        for index, one in enumerate(getattr(deployment, kind)):
            key = key_of(deployment, kind, index)
            yield from _first(names, link_of(one), f"{key}.name", "give each its own name")
    ends: dict[object, str] = {}
    tables: dict[object, str] = {}
    for index, tunnel in enumerate(deployment.tunnel):
        key = key_of(deployment, "tunnel", index)
        # The kernel tells tunnels apart by kind, endpoints and key.
        yield from _first(
            ends, (tunnel.kind, tunnel.key), f"{key}.key", "give each tunnel a key of its own"
        )
        yield from _first(tables, table_of(deployment, tunnel), f"{key}.table", "choose another")
    segments: dict[object, str] = {}
    for index, one in enumerate(deployment.extension):
        key = key_of(deployment, "extension", index)
        if one.kind is ExtensionKind.VXLAN:
            yield from _first(segments, one.vni, f"{key}.vni", "give each segment its own")
        else:
            for side in SideName:
                tag = (side, one.parent.at(side), one.vlan_id)
                yield from _first(segments, tag, f"{key}.vlan_id", "give each segment its own")
    yield from _bridges(deployment)
    yield from _overlaps(deployment)


def _bridges(deployment: Deployment) -> Iterator[Problem]:
    """One path a segment: two extensions between the same two bridges are a loop."""
    joined: dict[object, str] = {}
    made: dict[str, int | None] = {}
    for index, one in enumerate(deployment.extension):
        key = key_of(deployment, "extension", index)
        if one.bridge.a and one.bridge.b:
            pair = (one.bridge.a, one.bridge.b)
            yield from _first(joined, pair, f"{key}.bridge", "a second path would be a loop")
        for side in SideName:
            bridge, mtu = one.bridge.at(side), deployment.mtu_of(one)
            if bridge and bridge.startswith(OWN_PREFIX) and made.setdefault(bridge, mtu) != mtu:
                yield Problem(
                    f"{key}.mtu_bytes",
                    f"{mtu} is not that of the others on bridge {bridge}, {made[bridge]}",
                    "give all of them one MTU",
                )


def _first(seen: dict[object, str], value: object, key: str, remedy: str) -> Iterator[Problem]:
    if value in seen:
        shown = value[-1] if isinstance(value, tuple) else value
        what = "without a key" if shown is None else f"{shown!r}"
        yield Problem(key, f"{what} is that of {seen[value]} as well", remedy)
    seen.setdefault(value, key)


def _overlaps(deployment: Deployment) -> Iterator[Problem]:
    """Prefixes of one side that two links have, and routes that are there twice."""
    for side in SideName:
        taken: list[tuple[Prefix, str]] = []
        routed: dict[object, str] = {}
        for key, one in _all(deployment):
            for place, address in listed(f"{key}.addresses.{side.value}", one.addresses.at(side)):
                taken.append((prefix_of(address).network, place))
            for place, prefix in listed(f"{key}.routes.{side.value}", one.routes.at(side)):
                yield from _first(routed, prefix, place, "route each prefix one way")
        taken.sort()
        for (one_net, one_key), (other_net, other_key) in pairwise(taken):
            if one_net.overlaps(other_net):
                yield Problem(
                    other_key, f"{other_net} overlaps {one_net} of {one_key}", "choose another"
                )
    yield from _ends_apart(deployment)


def _ends_apart(deployment: Deployment) -> Iterator[Problem]:
    for key, one in _all(deployment):
        for place, b in listed(f"{key}.addresses.b", one.addresses.b):
            far = of_family(one.addresses.a, family_of(b))
            if far is None:
                continue
            one_end, other_end = prefix_of(b), prefix_of(far)
            if one_end.address == other_end.address:
                yield Problem(place, f"{b} is side a's as well", "write another")
            elif one_end.network != other_end.network:
                yield Problem(
                    place,
                    f"{b} and side a's {far} are in different prefixes",
                    "take both out of one prefix, such as 10.255.0.1/30 and 10.255.0.2/30",
                )


def _all(deployment: Deployment) -> Iterator[tuple[str, Tunnel | Extension]]:
    for index, tunnel in enumerate(deployment.tunnel):
        yield key_of(deployment, "tunnel", index), tunnel
    for index, extension in enumerate(deployment.extension):
        yield key_of(deployment, "extension", index), extension


def _mtus(deployment: Deployment) -> Iterator[Problem]:
    path = deployment.path_mtu_bytes
    for key, one in _all(deployment):
        if one.mtu_bytes is None:
            continue
        may_fragment = isinstance(one, Extension) and one.fragment
        limit = path if may_fragment else path - deployment.overhead_bytes(one)
        if one.mtu_bytes > limit:
            why = f"with {path - limit} bytes of overhead is" if limit < path else "is"
            yield Problem(
                f"{key}.mtu_bytes",
                f"{one.mtu_bytes} {why} above the path's {path}",
                f"write at most {limit}, or remove it",
            )


def _own_ends(deployment: Deployment) -> Iterator[Problem]:
    """The remote end must not be reached through the tunnel that ends there."""
    for side in SideName:
        remotes = {prefix_of(deployment.at(side.other).address)}
        for extension in deployment.extension:
            remotes |= {prefix_of(each) for each in extension.head_end}
        ends = sorted(remotes)
        for key, one in _all(deployment):
            for place, network in _through(key, one, side):
                # The nearest end from there on: it is within, or none is.
                at = bisect_left(ends, network)
                if at < len(ends) and network.holds(ends[at]):
                    yield Problem(
                        place,
                        f"{network} holds {ends[at].host}, where the tunnel itself ends",
                        "leave that address out of the prefix",
                    )
        for index, guest in enumerate(deployment.guest):
            if prefix_of(guest.address) in remotes:
                key = key_of(deployment, "guest", index)
                yield Problem(
                    f"{key}.address",
                    f"{guest.address} is where a tunnel ends",
                    "write the guest's own address",
                )


def _through(key: str, one: Tunnel | Extension, side: SideName) -> Iterator[tuple[str, Prefix]]:
    for place, address in listed(f"{key}.addresses.{side.value}", one.addresses.at(side)):
        yield place, prefix_of(address).network
    for place, prefix in listed(f"{key}.routes.{side.value}", one.routes.at(side)):
        yield place, prefix_of(prefix)


def _guests(deployment: Deployment) -> Iterator[Problem]:
    seen: dict[object, str] = {}
    for index, guest in enumerate(deployment.guest):
        key = key_of(deployment, "guest", index)
        yield from _first(seen, guest.address, f"{key}.address", "name each guest once")
        carrier = deployment.carrier(guest)
        if carrier is None:
            names = ", ".join(link_of(one) for _, one in _all(deployment))
            what = (
                "missing" if guest.over is None else f"{guest.over!r} is none of the file's links"
            )
            yield Problem(f"{key}.over", what, f"name one of {names}")
        elif isinstance(carrier, Tunnel):
            yield from _carried(key, guest, deployment)


def _carried(key: str, guest: Guest, deployment: Deployment) -> Iterator[Problem]:
    family = family_of(guest.address)
    homes = {}
    for side in SideName:
        end, place = deployment.at(side), f"side.{side.value}"
        homes[side] = of_family(end.prefix, family)
        for name, value in (("link", end.link), ("prefix", homes[side])):
            if value is None:
                what = (
                    f"no {NAMES[family]} prefix" if name == "prefix" and end.prefix else "missing"
                )
                yield Problem(f"{place}.{name}", what, f"add it: {key} moves between LANs")
    home = homes[guest.source]
    if home is None:
        return
    for name, address, remedy in (
        (
            "address",
            guest.address,
            "write the side that it is at home in as from, or mend the prefix",
        ),
        ("gateway", guest.gateway, "write the gateway that the guest has at home"),
    ):
        if address is not None and not prefix_of(home).holds(prefix_of(address)):
            what = f"{address} is not in side {guest.source.value}'s prefix {home}"
            yield Problem(f"{key}.{name}", what, remedy)
