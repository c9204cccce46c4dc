"""What must be there once: links, tunnels, segments, tables, ways, guests. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcont.deploy.carriers import Carrier, key_of
from netcont.deploy.problems import Problem
from netcont.model.deployment import Deployment, Extension, ExtensionKind, SideName, Tunnel


class _Once(dict[object, str]):
    """Values, and the key where each was found first."""

    def again(self, value: object, key: str, remedy: str) -> Sequence[Problem]:
        """The problem if a value was there before. What is shown of a tuple is its last."""
        first = self.setdefault(value, key)
        if first == key:
            return ()
        shown = value[-1] if isinstance(value, tuple) else value
        what = "without a key" if shown is None else f"{shown!r}"
        return (Problem(key, f"{what} is that of {first} as well", remedy),)


def twins(deployment: Deployment, every: Sequence[Carrier]) -> Iterator[Problem]:
    """Everything that is there twice."""
    names, numbers, joined = _Once(), _Once(), _Once()
    for key, link, *_ in every:
        if isinstance(link, Tunnel):
            yield from names.again(link.name, f"{key}.name", "give each its own name")
            # The kernel tells tunnels apart by kind, endpoints and key.
            tells = (link.kind, link.key)
            yield from numbers.again(tells, f"{key}.key", "give each tunnel a key of its own")
            table = ("table", deployment.table_of(link))
            yield from numbers.again(table, f"{key}.table", "choose another")
        else:
            yield from names.again(link.link, f"{key}.name", "give each its own name")
            yield from _segment(numbers, key, link)
            if link.anycast_gateway:
                table = ("table", deployment.table_of(link))
                again = numbers.again(table, f"{key}.anycast_gateway", "choose another table there")
                yield from again
        if isinstance(link, Extension) and link.bridge.a and link.bridge.b:
            pair = (link.bridge.a, link.bridge.b)
            yield from joined.again(pair, f"{key}.bridge", "a second path would be a loop")
    for side in SideName:
        yield from _routes(every, side)
    yield from _guests(deployment)


def _segment(numbers: _Once, key: str, link: Extension) -> Iterator[Problem]:
    if link.kind is ExtensionKind.VXLAN:
        yield from numbers.again(("vni", link.vni), f"{key}.vni", "give each segment its own")
        return
    for side in SideName:
        tag = (side, link.parent.at(side), link.vlan_id)
        yield from numbers.again(tag, f"{key}.vlan_id", "give each segment its own")


def _routes(every: Sequence[Carrier], side: SideName) -> Iterator[Problem]:
    routed = _Once()
    for carrier in every:
        for place, text, _ in (carrier.a if side is SideName.A else carrier.b).routes:
            yield from routed.again(text, place, "route each prefix one way")


def _guests(deployment: Deployment) -> Iterator[Problem]:
    named = _Once()
    for index, guest in enumerate(deployment.guest):
        key = key_of(deployment, "guest", index)
        yield from named.again(guest.address, f"{key}.address", "name each guest once")
