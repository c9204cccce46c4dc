"""Who has which address and which MAC: sites, and the links between gateways and providers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from netcont.model.scenario import TRANSIT_PREFIX

GATEWAY, HYPERVISOR, GUEST, CLIENT, SERVER, RESOLVER = 1, 2, 10, 50, 53, 54


@dataclass(frozen=True)
class SitePlace:
    """A site's letter, its number (addresses and MACs follow from it) and its prefix."""

    letter: str
    number: int
    prefix: str

    @property
    def family(self) -> int:
        """4 or 6."""
        return ipaddress.ip_network(self.prefix).version

    @property
    def prefixlen(self) -> int:
        """Length of the prefix."""
        return ipaddress.ip_network(self.prefix).prefixlen

    def address(self, host: int) -> str:
        """The site's address that is written with the number host at its end: .10, or ::10."""
        number = int(str(host), 16) if self.family == 6 else host
        return str(ipaddress.ip_network(self.prefix)[number])

    def mac(self, host: int) -> str:
        """A locally administered MAC for the host-th address."""
        return f"02:00:00:00:{self.number:02x}:{host:02x}"

    @property
    def wan_address(self) -> str:
        """The gateway's address towards its provider."""
        return transit_address(self.family, 4 * self.number + 1)

    @property
    def provider_address(self) -> str:
        """The provider's address towards the gateway."""
        return transit_address(self.family, 4 * self.number + 2)


def transit_address(family: int, number: int) -> str:
    """The number-th of the addresses between providers and gateways; four make a link's prefix."""
    return str(ipaddress.ip_network(TRANSIT_PREFIX[family])[number])


def transit_prefixlen(family: int) -> int:
    """The prefix length of a link between providers or to a gateway."""
    return ipaddress.ip_network(TRANSIT_PREFIX[family]).max_prefixlen - 2


def transit_prefix(address: str) -> str:
    """The prefix of the link that an address between providers and gateways is on."""
    family = ipaddress.ip_address(address).version
    return str(ipaddress.ip_network(f"{address}/{transit_prefixlen(family)}", strict=False))


def path_address(here: SitePlace, there: SitePlace) -> str:
    """The address of here's provider on its path to there."""
    low, high = sorted((here.number, there.number))
    first = 128 + 4 * (8 * low + high) % 128
    return transit_address(here.family, first + (1 if here.number == low else 2))


def path_mac(here: SitePlace, there: SitePlace) -> str:
    """The MAC of here's provider on its path to there."""
    return here.mac(210 + there.number)
