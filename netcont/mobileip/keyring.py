"""The security associations with many peers, found by address and SPI."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

from netcont.errors import ConfigurationError
from netcont.mobileip.authentication import SecurityAssociation

Keys = dict[int, SecurityAssociation]
"""The associations with one peer by SPI; the first one signs what no other is named for."""


class Keyring(dict[int, Keys]):
    """Peers by address as a number, which is hashed without detours."""

    def add(self, peer: IPv4Address, associations: Iterable[SecurityAssociation]) -> Keys:
        """Set a peer's associations; earlier ones are gone. ConfigurationError for none."""
        by_spi = {one.spi: one for one in associations}
        if not by_spi:
            raise ConfigurationError(
                f"{peer} has no security association", remedy="give it an SPI and a key"
            )
        self[int(peer)] = by_spi
        return by_spi

    def first(self, peer: IPv4Address) -> SecurityAssociation | None:
        """The association that signs to a peer; None if there is none."""
        keys = self.get(int(peer))
        return None if keys is None else next(iter(keys.values()))
