"""A name server: its address and port, and the name by which a zone knows it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from netcont.errors import ConfigurationError

DNS_PORT = 53
"""RFC 1035 §4.2."""


@dataclass(frozen=True)
class Server:
    """Where to ask. address: IPv4 or IPv6; name: as in the zone's NS or SOA record, or empty."""

    address: str
    port: int = DNS_PORT
    name: str = ""

    def __str__(self) -> str:
        port = "" if self.port == DNS_PORT else f"#{self.port}"
        where = f"{self.address}{port}"
        return f"{self.name} ({where})" if self.name else where


def parse_server(text: str, default_port: int = DNS_PORT) -> Server:
    """A server from ADDRESS or ADDRESS#PORT, as dig and named.conf write it.

    Raises ConfigurationError.
    """
    address, _, port = text.partition("#")
    try:
        number = int(port) if port else default_port
        if not 0 < number < 65536:
            raise ValueError(f"the port {number} is not within 1 to 65535")
        return Server(str(ipaddress.ip_address(address)), number)
    except ValueError as error:
        raise ConfigurationError(
            f"{text!r} is no name server: {error}",
            remedy="give its address, such as 192.0.2.53, 2001:db8::53 or 192.0.2.53#5353",
        ) from error
