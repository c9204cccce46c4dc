"""Which approaches make sense on which network.

Where A and B are one LAN, a tunnel would have both its ends in the one gateway, and an extension
would join the LAN to itself: a loop. On a wide area every approach can be tried, the controls
included. Mobile IP (RFC 5944) is IPv4's; IPv6 has another protocol for it (RFC 6275), which is not
built.
"""

from __future__ import annotations

from netcont.errors import ConfigurationError
from netcont.model.scenario import ONE_LAN, Network

WITHIN_A_LAN = ("readdress", "blackhole", "ddns", "announce")
IPV4_ONLY = ("mobileip", "mobileip-plain", "mobileip-colocated")
DEFAULT_APPROACHES = (
    "readdress",
    "blackhole",
    "ddns",
    "ipip",
    "gre",
    "vlan",
    "vxlan",
    "ddns+ipip",
    *IPV4_ONLY,
)


def default_approaches(network: Network) -> tuple[str, ...]:
    """What a comparison on this network runs if nothing else is said."""
    if network.topology in ONE_LAN:
        return WITHIN_A_LAN
    left_out = left_out_approaches(network)
    return tuple(name for name in DEFAULT_APPROACHES if name not in left_out)


def left_out_approaches(network: Network) -> tuple[str, ...]:
    """What would be run by default if the network spoke the other family."""
    return IPV4_ONLY if network.family == 6 and network.topology not in ONE_LAN else ()


def require_suited(name: str, network: Network) -> None:
    """Raises ConfigurationError if the approach makes no sense on the network."""
    parts = name.split("+")
    if network.topology in ONE_LAN and (wide := [p for p in parts if p not in WITHIN_A_LAN]):
        raise ConfigurationError(
            f"{wide[0]!r} is for two sites, but on the topology {network.topology!r} A and B are"
            " one",
            remedy=f"take one of {', '.join(WITHIN_A_LAN)}, or another topology",
        )
    if network.family == 6 and (old := [p for p in parts if p in IPV4_ONLY]):
        raise ConfigurationError(
            f"{old[0]!r} is Mobile IP for IPv4 (RFC 5944), but network.family is 6",
            remedy=f"take one of {', '.join(default_approaches(network))}, or family 4",
        )
