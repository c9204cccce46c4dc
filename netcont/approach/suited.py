"""Which approaches make sense where A and B are one LAN.

There a tunnel would have both its ends in the one gateway, and an extension would join the LAN to
itself: a loop. On a wide area every approach can be tried, the controls included.
"""

from __future__ import annotations

from netcont.errors import ConfigurationError
from netcont.model.scenario import ONE_LAN

WITHIN_A_LAN = ("readdress", "blackhole", "ddns", "announce")
DEFAULT_APPROACHES = (
    "readdress",
    "blackhole",
    "ddns",
    "ipip",
    "gre",
    "vlan",
    "vxlan",
    "ddns+ipip",
    "mobileip",
    "mobileip-plain",
    "mobileip-colocated",
)


def default_approaches(topology: str) -> tuple[str, ...]:
    """What a comparison on this topology runs if nothing else is said."""
    return WITHIN_A_LAN if topology in ONE_LAN else DEFAULT_APPROACHES


def require_suited(name: str, topology: str) -> None:
    """Raises ConfigurationError if the approach makes no sense on the topology."""
    unsuited = [part for part in name.split("+") if part not in WITHIN_A_LAN]
    if topology in ONE_LAN and unsuited:
        raise ConfigurationError(
            f"{unsuited[0]!r} is for two sites, but on the topology {topology!r} A and B are one",
            remedy=f"take one of {', '.join(WITHIN_A_LAN)}, or another topology",
        )
