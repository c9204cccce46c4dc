"""What another host is asked, to see whether it is there. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

BROADCAST = "ff:ff:ff:ff:ff:ff"
OWN_MAC = ""
"""As a frame's source: the link's own."""


class Manner(StrEnum):
    """How: by an echo request that is routed; by one that is handed to a link itself; by ARP."""

    ECHO = "echo"
    PACKET = "packet"
    ARP = "arp"


class Ethernet(NamedTuple):
    """The MACs of a frame."""

    source: str
    destination: str


class Question(NamedTuple):
    """link: what it must leave by, None for any. macs: the frame's, where an Ethernet link is
    handed the packet itself. around: 4 or 6, of the packets that the link puts it into; 0: none."""

    manner: Manner
    source: str
    destination: str
    link: str | None = None
    macs: Ethernet | None = None
    around: int = 0

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.destination else 4
