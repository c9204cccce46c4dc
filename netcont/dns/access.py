"""How the user gets at the zones: keys, primaries that were named, resolvers."""

from __future__ import annotations

from dataclasses import dataclass

import dns.reversename

from netcont.dns.authority import Finder, Zone
from netcont.dns.exchange import Caller
from netcont.dns.records import AliasError, RecordSet, read
from netcont.dns.server import DNS_PORT, Server
from netcont.errors import DnsError

_NOT_ITS_OWN = frozenset({"LAME", "REFUSED", "NOTAUTH", "NOZONE"})


@dataclass(frozen=True)
class Access:
    """forward, reverse: who asks for addresses and for pointers, each with its own key.

    server, ptr_server: primaries that the user named; port: where servers that are found listen.
    """

    forward: Caller
    reverse: Caller
    resolvers: tuple[Server, ...]
    server: Server | None = None
    ptr_server: Server | None = None
    port: int = DNS_PORT

    def zone(self, name: str) -> Zone:
        """The zone that holds an address record. Raises DnsError."""
        return Finder(self.forward, self.resolvers, self.port).find(name, self.server)

    def addresses(self, name: str, zone: Zone) -> tuple[RecordSet, RecordSet]:
        """The A and AAAA sets of a name, by the zone's primary.

        Raises DnsError, also if the name has neither: a misspelt name must not come to life.
        """
        first, second = (read(name, kind, zone.primary, self.forward) for kind in ("A", "AAAA"))
        if not first.values and not second.values:
            raise DnsError(
                f"{name} has no address in {zone.name}",
                code="NOADDRESS",
                server=str(zone.primary),
                remedy="check the name: only a name that has an address can be moved",
            )
        return first, second

    def pointers(self, address: str) -> tuple[Zone, RecordSet]:
        """The PTR set of an address and the zone that holds it. Raises DnsError.

        A CNAME in its place is followed: so reverse zones smaller than a /24 are made (RFC 2317).
        """
        name = dns.reversename.from_address(address).to_text()
        zone = self._reverse_zone(name)
        try:
            return zone, read(name, "PTR", zone.primary, self.reverse)
        except AliasError as alias:
            zone = self._reverse_zone(alias.target)
            return zone, read(alias.target, "PTR", zone.primary, self.reverse)

    def _reverse_zone(self, name: str) -> Zone:
        finder = Finder(self.reverse, self.resolvers, self.port)
        if self.ptr_server is not None:
            return finder.find(name, self.ptr_server)
        if self.server is not None:
            try:
                return finder.find(name, self.server)
            except DnsError as error:
                if error.code not in _NOT_ITS_OWN:
                    raise
        return finder.find(name)
