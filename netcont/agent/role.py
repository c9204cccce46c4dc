"""What a home agent, a foreign agent and a node are to the loop that runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any, Protocol

from netcont.agent.settings import Common
from netcont.mobileip.datagram import Datagram, Endpoint
from netcont.mobileip.events import Step

Out = Step[Any]
"""Messages to send and events to report. The changes in it are carried out already."""


class Role(Protocol):
    """One agent. Every method that gets the time returns what follows from it."""

    @property
    def settings(self) -> Common: ...

    def start(self, now: float) -> Out:
        """Takes over what an earlier daemon left, and begins."""

    def receive(self, datagrams: Sequence[tuple[bytes, Endpoint]], now: float) -> Out:
        """Takes what came to port 434."""

    def receive_icmp(self, data: bytes, source: IPv4Address, now: float) -> Out:
        """Takes an ICMP message from the link."""

    def is_near(self, datagram: Datagram) -> bool:
        """Whether it is for a neighbour on the link; routes may say that its address is not."""

    def links_changed(self, now: float) -> Out:
        """Addresses or links of this host may have changed."""

    def deadline(self) -> float | None:
        """When expire has something to do."""

    def expire(self, now: float) -> Out:
        """Does what is due."""

    def command(self, request: Mapping[str, Any], now: float) -> Out:
        """Does what an operator asks for. Raises ConfigurationError if it makes no sense."""

    def status(self, now: float) -> dict[str, Any]:
        """What an operator wants to see, as JSON values."""

    def hand_over(self) -> None:
        """Another role takes over what this one set up in the kernel."""

    def stop(self, now: float) -> Out:
        """Withdraws what it set up in the kernel."""
