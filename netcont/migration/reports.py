"""What an engine tells whoever started it, and what it can be told: values on a socket pair."""

from __future__ import annotations

import contextlib
import pickle
import select
import socket
from dataclasses import dataclass
from enum import StrEnum

from netcont.migration.phases import Side, State
from netcont.model.samples import Round
from netcont.model.scenario import Phase

_MAX_MESSAGE_BYTES = 65536


@dataclass(frozen=True)
class Listening:
    """The destination can be reached at this port."""

    side: Side
    port: int


@dataclass(frozen=True)
class PhaseMark:
    """A phase began or ended (edge: a constant of netcont.migration.site) for this side."""

    side: Side
    phase: Phase
    edge: str
    at_s: float


class Moment(StrEnum):
    """What happened at an instant."""

    FROZEN = "frozen"
    THAWED = "thawed"
    COMMITTED = "committed"


@dataclass(frozen=True)
class Instant:
    """A moment of the guest."""

    side: Side
    moment: Moment
    at_s: float


@dataclass(frozen=True)
class RoundDone:
    """One round of copying is over."""

    side: Side
    round: Round


@dataclass(frozen=True)
class Digest:
    """The digest of this side's image; None: it could not be computed."""

    side: Side
    digest: str | None


@dataclass(frozen=True)
class Reached:
    """This side entered a state; error says why, where it is not the one that was hoped for."""

    side: Side
    state: State
    at_s: float
    error: str | None = None


@dataclass(frozen=True)
class Note:
    """Something that a reader of the outcome should know."""

    side: Side
    text: str


@dataclass(frozen=True)
class Died:
    """This side's engine ended without saying so: it was killed."""

    side: Side


Report = Listening | PhaseMark | Instant | RoundDone | Digest | Reached | Note | Died


class Command(StrEnum):
    """What an engine can be told. STOP is also what it understands when nobody is left."""

    RETIRE = "retire"
    STOP = "stop"


class Channel:
    """One end of the line between an engine and whoever started it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        """Readable when something was said or the other end is gone."""
        return self._sock.fileno()

    def send(self, message: Report | Command) -> None:
        """Says it; nothing happens if nobody listens any more."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._sock.send(pickle.dumps(message))

    def receive(self) -> Report | Command | None:
        """Waits for what the other end says next; None when it is gone."""
        try:
            data = self._sock.recv(_MAX_MESSAGE_BYTES)
        except ConnectionResetError:
            return None
        if not data:
            return None
        message: Report | Command = pickle.loads(data)  # from our own child or parent only
        return message

    def command(self, timeout_s: float | None = None) -> Command | None:
        """The next command; None if none came in time. STOP when the other end is gone."""
        if not select.select([self._sock], [], [], timeout_s)[0]:
            return None
        message = self.receive()
        return message if isinstance(message, Command) else Command.STOP

    def close(self) -> None:
        """Closes this process's copy of this end."""
        self._sock.close()

    def hang_up(self) -> None:
        """Closes this end, whoever else was forked with a copy of it."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def channel_pair() -> tuple[Channel, Channel]:
    """Two connected ends. Messages keep their bounds and their order."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours), Channel(theirs)
