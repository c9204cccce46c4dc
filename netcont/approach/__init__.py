"""The approaches: one line each. A new one is a file, a line here, and a test file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from netcont.approach.announce import AnnounceOnLan
from netcont.approach.base import Approach, Context, guest_bridge
from netcont.approach.composed import Composed
from netcont.approach.controls import Blackhole, Readdress
from netcont.approach.ddns import Ddns
from netcont.approach.extension import VlanExtension, VxlanExtension
from netcont.approach.mobileip import MobileIp
from netcont.approach.suited import (
    DEFAULT_APPROACHES,
    default_approaches,
    left_out_approaches,
    require_suited,
)
from netcont.approach.tunnel import IpTunnel
from netcont.errors import ConfigurationError

__all__ = [
    "APPROACHES",
    "DEFAULT_APPROACHES",
    "Approach",
    "Context",
    "default_approaches",
    "find",
    "guest_bridge",
    "left_out_approaches",
    "require_suited",
]

APPROACHES: Mapping[str, Approach] = MappingProxyType(
    {
        "readdress": Readdress(),
        "blackhole": Blackhole(),
        "announce": AnnounceOnLan(),
        "ddns": Ddns(),
        "ipip": IpTunnel("ipip"),
        "gre": IpTunnel("gre"),
        "vlan": VlanExtension(),
        "vxlan": VxlanExtension(),
        "mobileip": MobileIp("mobileip"),
        "mobileip-plain": MobileIp("mobileip-plain", prepared=False),
        "mobileip-colocated": MobileIp("mobileip-colocated", prepared=False, colocated=True),
    }
)


def find(name: str) -> Approach:
    """The approach of that name, or the composition "x+y".

    Raises ConfigurationError for a name that is not known, for a part named twice, and for parts
    that contradict each other.
    """
    names = name.split("+")
    for part in names:
        if part not in APPROACHES:
            near = difflib.get_close_matches(part, APPROACHES, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ConfigurationError(
                f"unknown approach {part!r}", remedy=f"{hint}there are {', '.join(APPROACHES)}"
            )
    if len(names) == 1:
        return APPROACHES[name]
    parts = tuple(APPROACHES[part] for part in names)
    keepers = [part.name for part in parts if part.keeps_address]
    if len(set(names)) < len(names) or len(keepers) != 1 or "readdress" in names:
        raise ConfigurationError(
            f"{name!r} cannot be composed",
            remedy="join ddns with one approach that keeps the address, such as ddns+ipip",
        )
    return Composed(tuple(replace(p, alone=False) if isinstance(p, Ddns) else p for p in parts))
