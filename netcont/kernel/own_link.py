"""What a link of this process's own network namespace is like."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from pyroute2 import IPRoute

from netcont.errors import ConfigurationError, KernelError, PrerequisiteError

_IFF_UP = 0x1
_ARPHRD_ETHER = 1  # if_arp.h
_AT_MOST_NAMED = 12


@dataclass(frozen=True)
class OwnLink:
    """A link that is up and speaks Ethernet. addresses: IPv4 and IPv6, without prefix lengths."""

    name: str
    mac: str
    addresses: tuple[str, ...]


def own_ethernet(name: str) -> OwnLink:
    """The link of this name.

    Raises ConfigurationError if there is none, or if it speaks no Ethernet; KernelError if it is
    down.
    """
    with IPRoute(groups=0) as route:
        if not name or len(name) > 15 or not (found := route.link_lookup(ifname=name)):
            names = sorted(str(link.get("ifname")) for link in route.get_links())
            shown = ", ".join(names[:_AT_MOST_NAMED]) + (", …" * (len(names) > _AT_MOST_NAMED))
            raise ConfigurationError(f"there is no link {name!r} here", remedy=f"it has {shown}")
        link = next(iter(route.link("get", index=found[0])))
        addresses = [str(each.get("address")) for each in route.get_addr(index=found[0])]
    if link["ifi_type"] != _ARPHRD_ETHER:
        raise ConfigurationError(
            f"the link {name} is no Ethernet: it knows neither ARP nor MAC addresses",
            remedy="announce on the bridge or the Ethernet link that the neighbours are on",
        )
    if not link["flags"] & _IFF_UP:
        raise KernelError(f"the link {name} is down", remedy=f"ip link set {name} up")
    return OwnLink(name, str(link.get("address")), tuple(addresses))


def require_raw_frames() -> None:
    """Raises PrerequisiteError if this process may not send Ethernet frames."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError as error:
        raise PrerequisiteError(
            "sending ARP and Neighbour Advertisements needs the privilege CAP_NET_RAW",
            remedy="run the command as root",
        ) from error
