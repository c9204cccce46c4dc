"""Revocation, as both kinds of agent take part in it (RFC 3543).

Replays: with every registration each agent gives the other a stamp of its clock. A revocation
carries an identifier of the same clock, and holds for a registration only if it is not older than
the stamp that came with that. An agent stamps nothing with what it has used as an identifier, so
that a revocation never holds for the next registration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from netcont.mobileip.authentication import SecurityAssociation, covered, sign, verify
from netcont.mobileip.datagram import Datagram, Endpoint
from netcont.mobileip.deadlines import Deadlines
from netcont.mobileip.extensions import AuthenticationKind, Extension, RevocationSupport
from netcont.mobileip.messages import PORT
from netcont.mobileip.revocation import Revocation, RevocationAck

FIRST_RETRY_S = 1.0
ATTEMPTS = 4
"""Then the other agent's state is left to its lifetime."""

_WRAP = 1 << 32
_HALF = 1 << 31

_Waiting = tuple[int, int, int]
"""Peer, home address, identifier."""


def not_older(identifier: int, stamp: int) -> bool:
    """Whether an identifier is at or after a stamp, on a clock of 32 bits."""
    return (identifier - stamp) % _WRAP < _HALF


def stamp_of(extensions: tuple[Extension, ...]) -> int | None:
    """The peer's stamp in a registration, if its authenticator covers one (RFC 3543 3.2)."""
    for extension in covered(extensions, AuthenticationKind.FOREIGN_HOME):
        if isinstance(extension, RevocationSupport):
            return extension.timestamp
    return None


@dataclass(slots=True)
class _Sent:
    datagram: Datagram
    retry_s: float
    attempts: int


class Revocations:
    """An agent's revocations under way, and its stamps."""

    def __init__(self) -> None:
        self._waiting: dict[_Waiting, _Sent] = {}
        self._deadlines: Deadlines[_Waiting] = Deadlines()
        self._last_stamp = 0
        self._last_identifier = -1

    def __len__(self) -> int:
        return len(self._waiting)

    def stamp(self, now: float) -> int:
        """The clock as a registration carries it now."""
        self._last_stamp = max(int(now), self._last_identifier + 1)
        return self._last_stamp % _WRAP

    def start(
        self,
        home_address: IPv4Address,
        ends: tuple[IPv4Address, IPv4Address],
        peer: IPv4Address,
        association: SecurityAssociation,
        now: float,
        *,
        by_home: bool,
    ) -> Datagram:
        """Revoke a registration at the peer, again and again until it acknowledges.

        ends: of the tunnel, home agent and care-of address.
        """
        self._last_identifier = max(int(now), self._last_stamp, self._last_identifier)
        identifier = self._last_identifier % _WRAP
        message = Revocation(home_address, ends[0], ends[1], identifier, by_home=by_home)
        data = sign(message, AuthenticationKind.FOREIGN_HOME, association)
        key = (int(peer), int(home_address), identifier)
        datagram = Datagram((peer, PORT), data)
        self._waiting[key] = _Sent(datagram, FIRST_RETRY_S, 1)
        self._deadlines.set(key, now + FIRST_RETRY_S)
        return datagram

    def acknowledged(self, ack: RevocationAck, peer: IPv4Address) -> bool:
        """Take an authentic acknowledgement; False if nothing waits for it."""
        key = (int(peer), int(ack.home_address), ack.revocation_identifier)
        self._deadlines.discard(key)
        return self._waiting.pop(key, None) is not None

    def next_deadline(self) -> float | None:
        """When the next one is sent again."""
        return self._deadlines.next()

    def retry(self, now: float) -> tuple[Datagram, ...]:
        """What is sent again now; what was sent ATTEMPTS times in vain is given up."""
        again = []
        for key in self._deadlines.take_due(now):
            sent = self._waiting[key]
            if sent.attempts == ATTEMPTS:
                del self._waiting[key]
                continue
            sent.attempts += 1
            sent.retry_s *= 2
            self._deadlines.set(key, now + sent.retry_s)
            again.append(sent.datagram)
        return tuple(again)


def acknowledge(revocation: Revocation, to: Endpoint, association: SecurityAssociation) -> Datagram:
    """The answer to an authentic revocation, whether or not it found anything."""
    ack = RevocationAck(revocation.home_address, revocation.revocation_identifier)
    return Datagram(to, sign(ack, AuthenticationKind.FOREIGN_HOME, association))


def authentic(data: bytes, associations: Mapping[int, SecurityAssociation]) -> SecurityAssociation:
    """The association that vouches for a whole revocation or acknowledgement.

    Raises AuthenticationError.
    """
    return verify(data, AuthenticationKind.FOREIGN_HOME, associations, sealed=True)
