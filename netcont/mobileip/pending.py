"""Requests that a foreign agent has relayed and whose replies it waits for (RFC 5944 3.7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from netcont.mobileip import replay
from netcont.mobileip.datagram import Endpoint
from netcont.mobileip.deadlines import Deadlines
from netcont.mobileip.messages import RegistrationRequest


@dataclass(slots=True)
class Pending:
    """A relayed request: whose it is and when it was relayed.

    forged_reply: something came that was not proven to be the home agent's.
    """

    request: RegistrationRequest
    endpoint: Endpoint
    home_agent: IPv4Address
    relayed_at: float
    forged_reply: bool = False


Key = tuple[int, int]
"""A home address, and the half of the identification that the reply repeats."""


class PendingRequests:
    """Bounded in all and for each source, so that nobody can fill it for the others alone."""

    def __init__(self, limit: int, limit_of_source: int, timeout_s: float) -> None:
        self.limit = limit
        self.limit_of_source = limit_of_source
        self.timeout_s = timeout_s
        self._requests: dict[Key, Pending] = {}
        self._of_source: dict[int, int] = {}
        self._deadlines: Deadlines[Key] = Deadlines()

    def __len__(self) -> int:
        return len(self._requests)

    @property
    def full(self) -> bool:
        """Whether there is room for nobody's request."""
        return len(self._requests) >= self.limit

    def full_for(self, source: IPv4Address) -> bool:
        """Whether there is no room for another request of this source."""
        return self.full or self._of_source.get(int(source), 0) >= self.limit_of_source

    def find(self, home_address: IPv4Address, identification: int) -> Pending | None:
        """The request that a reply, or the same request again, belongs to."""
        return self._requests.get((int(home_address), replay.low(identification)))

    def add(self, pending: Pending) -> None:
        """Wait for a reply; the caller has seen that there is room and no such request."""
        key = _key(pending)
        self._requests[key] = pending
        source = int(pending.endpoint[0])
        self._of_source[source] = self._of_source.get(source, 0) + 1
        self._deadlines.set(key, pending.relayed_at + self.timeout_s)

    def remove(self, pending: Pending) -> None:
        """Wait no more."""
        key = _key(pending)
        self._deadlines.discard(key)
        self._forget(key)

    def next_deadline(self) -> float | None:
        """When the next one has waited for too long."""
        return self._deadlines.next()

    def take_due(self, now: float) -> Iterator[Pending]:
        """Those that have waited for too long; they are gone."""
        for key in self._deadlines.take_due(now):
            yield self._forget(key)

    def _forget(self, key: Key) -> Pending:
        pending = self._requests.pop(key)
        source = int(pending.endpoint[0])
        self._of_source[source] -= 1
        if not self._of_source[source]:
            del self._of_source[source]
        return pending


def _key(pending: Pending) -> Key:
    request = pending.request
    return int(request.home_address), replay.low(request.identification)
