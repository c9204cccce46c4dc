"""Sockets of the right family: of the scenario's, or of an address's."""

from __future__ import annotations

import socket
from typing import Final

from netcont.model.plan import is_ipv6

ADDRESS_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


def socket_for(address: str, kind: socket.SocketKind) -> socket.socket:
    """A socket that can be bound or connected to the address."""
    return socket.socket(ADDRESS_FAMILIES[6 if is_ipv6(address) else 4], kind)
