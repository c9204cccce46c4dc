"""Prefixes and addresses of a deployment that are in each other's way. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from netcont.deploy.address import prefix_of
from netcont.deploy.carriers import Carrier, Passing, key_of
from netcont.deploy.problems import Problem
from netcont.model.deployment import Deployment, SideName


def colliding(deployment: Deployment, every: Sequence[Carrier]) -> Iterator[Problem]:
    """Every collision, seen from each side, and between the two ends of a link."""
    for side in SideName:
        passing = [carrier.a if side is SideName.A else carrier.b for carrier in every]
        yield from _overlaps(passing)
        yield from _own_ends(deployment, side, passing)
    for carrier in every:
        yield from _ends_apart(carrier)


def _overlaps(passing: Sequence[Passing]) -> Iterator[Problem]:
    """Prefixes that two links have."""
    taken = sorted(
        (p.family, p.first, p.length, k, p) for one in passing for k, _, p in one.addresses
    )
    for (*_, one_key, one), (*_, other_key, other) in pairwise(taken):
        if one.overlaps(other):
            what = f"{other} overlaps {one} of {one_key}"
            yield Problem(other_key, what, "choose another")


def _own_ends(
    deployment: Deployment, side: SideName, passing: Sequence[Passing]
) -> Iterator[Problem]:
    """The remote end must not be reached through the tunnel that ends there."""
    texts = {deployment.at(side.other).address}
    texts.update(*(extension.head_end for extension in deployment.extension))
    ends = sorted((end.family, end.first) for end in map(prefix_of, texts))
    names = {(end.family, end.first): end.host for end in map(prefix_of, texts)}
    for one in passing:
        for place, _, prefix in (*one.addresses, *one.routes):
            # The nearest end from there on: it is within, or none is.
            at = bisect_left(ends, (prefix.family, prefix.first))
            if at < len(ends) and ends[at] <= (prefix.family, prefix.last):
                what = f"{prefix.network} holds {names[ends[at]]}, where the tunnel itself ends"
                yield Problem(place, what, "leave that address out of the prefix")
    for index, guest in enumerate(deployment.guest):
        if guest.address in texts:
            key = f"{key_of(deployment, 'guest', index)}.address"
            what = f"{guest.address} is where a tunnel ends"
            yield Problem(key, what, "write the guest's own address")


def _ends_apart(carrier: Carrier) -> Iterator[Problem]:
    for place, text, end in carrier.b.addresses:
        for _, far_text, far in carrier.a.addresses:
            if far.family != end.family:
                continue
            if far.address == end.address:
                yield Problem(place, f"{text} is side a's as well", "write another")
            elif (far.first, far.last) != (end.first, end.last):
                yield Problem(
                    place,
                    f"{text} and side a's {far_text} are in different prefixes",
                    "take both out of one prefix, such as 10.255.0.1/30 and 10.255.0.2/30",
                )
