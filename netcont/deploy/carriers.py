"""Tunnels and extensions with the addresses that pass through them, each parsed once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netcont.deploy.address import Prefix, prefix_of
from netcont.model.deployment import Deployment, Extension, SideName, Tunnel


class Placed(NamedTuple):
    """An address or a prefix where it stands in the file."""

    key: str
    text: str
    prefix: Prefix


class Passing(NamedTuple):
    """What one side has on a link, and reaches through it."""

    side: SideName
    addresses: Sequence[Placed]
    routes: Sequence[Placed]


class Carrier(NamedTuple):
    """A link. key: of its table; a, b: what passes, seen from each side."""

    key: str
    link: Tunnel | Extension
    a: Passing
    b: Passing


def keyed(key: str, texts: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Each text of a list with its key as it is written: without a number if it is the only one."""
    if len(texts) == 1:
        return ((key, texts[0]),)
    return [(f"{key}.{number}", text) for number, text in enumerate(texts)]


def key_of(deployment: Deployment, kind: str, index: int) -> str:
    """The same for a table."""
    return kind if len(getattr(deployment, kind)) == 1 else f"{kind}.{index}"


def carriers(deployment: Deployment) -> list[Carrier]:
    """All tunnels, then all extensions. Their texts must be of the right form."""
    keys = [key_of(deployment, "tunnel", index) for index in range(len(deployment.tunnel))]
    keys += [key_of(deployment, "extension", index) for index in range(len(deployment.extension))]
    return [
        Carrier(key, link, _passing(key, link, SideName.A), _passing(key, link, SideName.B))
        for key, link in zip(keys, deployment.links, strict=True)
    ]


def _passing(key: str, link: Tunnel | Extension, side: SideName) -> Passing:
    addresses, routes = link.addresses.at(side), link.routes.at(side)
    return Passing(
        side,
        _placed(f"{key}.addresses.{side}", addresses) if addresses else (),
        _placed(f"{key}.routes.{side}", routes) if routes else (),
    )


def _placed(key: str, texts: Sequence[str]) -> list[Placed]:
    return [Placed(place, text, prefix_of(text)) for place, text in keyed(key, texts)]
