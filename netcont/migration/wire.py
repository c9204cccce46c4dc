"""Frames of the migration protocol: bytes out, bytes in, no socket.

A frame is a header (type, one byte; length of the body, four bytes, network order) and a body.
PAGES alone is followed by data that the length does not count: the pages that its runs name, in
that order, so that they can be received straight into the destination's memory.

One conversation: HELLO, PREPARE → PREPARED, for each round PAGES… ROUND → ROUND, PAUSED, PAGES…
COMMIT → COMMITTED, later RETIRE → RETIRED. Either side may say ABORT instead of what is due; it
is answered by nothing. Another: HELLO, STATUS → STATUS_REPLY.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from netcont.errors import MigrationError

VERSION = 1
MAX_BATCH_PAGES = 64
MAX_REASON_BYTES = 1000
RUN_ID_BYTES = 16

_HEADER = struct.Struct("!BI")
HEADER_BYTES = _HEADER.size
_HELLO = struct.Struct(f"!4s{RUN_ID_BYTES}sHII")
_MAGIC = b"ncmv"
_PAGES = struct.Struct("!HH")
_RUN = struct.Struct("!IH")
_ROUND = struct.Struct("!HI")
_COMMITTED = struct.Struct("!ddd")
_STATUS_REPLY = struct.Struct("!?ddd")
_MAX_ROUND = 2**16 - 1
_MAX_PAGE = 2**32 - 1

Run = tuple[int, int]
"""A contiguous run of pages: (index of the first, how many)."""


class ProtocolError(MigrationError):
    """The two engines do not understand each other."""


class LocalProtocolError(ProtocolError):
    """This engine tried to send what the protocol does not allow: a mistake here."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow: its mistake, or not a peer of ours."""


class FrameType(IntEnum):
    """The first byte of a frame."""

    HELLO = 1
    PREPARE = 2
    PREPARED = 3
    PAGES = 4
    ROUND = 5
    PAUSED = 6
    COMMIT = 7
    COMMITTED = 8
    ABORT = 9
    STATUS = 10
    STATUS_REPLY = 11
    RETIRE = 12
    RETIRED = 13
    KEEPALIVE = 14


@dataclass(frozen=True)
class Hello:
    """Opens every connection. run_id: 16 bytes that name the move; page_bytes × page_count: the
    memory image."""

    run_id: bytes
    page_bytes: int
    page_count: int
    version: int = VERSION


@dataclass(frozen=True)
class Prepare:
    """Source: make everything ready that may be ready while the guest serves at A."""


@dataclass(frozen=True)
class Prepared:
    """Destination: ready, memory reserved."""


@dataclass(frozen=True)
class Pages:
    """Source: the data of runs (ascending, not overlapping, 64 pages at most) follows."""

    round: int
    runs: tuple[Run, ...]

    @property
    def pages(self) -> int:
        """How many pages follow."""
        return sum(count for _, count in self.runs)


@dataclass(frozen=True)
class RoundEnd:
    """Source: round is over, it had so many pages. Destination, echoing it: I have them."""

    round: int
    pages: int


@dataclass(frozen=True)
class Paused:
    """Source: the guest stands still since frozen_s (seconds of the source's clock)."""

    frozen_s: float


@dataclass(frozen=True)
class Commit:
    """Source: round was the last, it had so many pages; take the guest over."""

    round: int
    pages: int


@dataclass(frozen=True)
class Committed:
    """Destination: the guest is mine. Instants in seconds of its clock, None where unknown."""

    recorded_s: float | None
    thawed_s: float | None
    announced_s: float | None


@dataclass(frozen=True)
class Abort:
    """Either side: this move is off, the guest stays at A; reason is for people."""

    reason: str


@dataclass(frozen=True)
class Status:
    """Source, unsure: did you commit? Whoever has not, aborts before it answers."""


@dataclass(frozen=True)
class StatusReply:
    """Destination: committed, with what COMMITTED would have said; or aborted, for good."""

    committed: bool
    recorded_s: float | None = None
    thawed_s: float | None = None
    announced_s: float | None = None


@dataclass(frozen=True)
class Retire:
    """Source: take down what only the old path needed."""


@dataclass(frozen=True)
class Retired:
    """Destination: done."""


@dataclass(frozen=True)
class KeepAlive:
    """Either side: still here, still busy."""


Frame = (
    Hello
    | Prepare
    | Prepared
    | Pages
    | RoundEnd
    | Paused
    | Commit
    | Committed
    | Abort
    | Status
    | StatusReply
    | Retire
    | Retired
    | KeepAlive
)

_EMPTY: Mapping[FrameType, Frame] = {
    FrameType.PREPARE: Prepare(),
    FrameType.PREPARED: Prepared(),
    FrameType.STATUS: Status(),
    FrameType.RETIRE: Retire(),
    FrameType.RETIRED: Retired(),
    FrameType.KEEPALIVE: KeepAlive(),
}
_EMPTY_TYPES = MappingProxyType({type(frame): kind for kind, frame in _EMPTY.items()})

BODY_LIMITS: Mapping[FrameType, int] = MappingProxyType(
    {
        **dict.fromkeys(_EMPTY, 0),
        FrameType.HELLO: _HELLO.size,
        FrameType.PAGES: _PAGES.size + MAX_BATCH_PAGES * _RUN.size,
        FrameType.ROUND: _ROUND.size,
        FrameType.PAUSED: 8,
        FrameType.COMMIT: _ROUND.size,
        FrameType.COMMITTED: _COMMITTED.size,
        FrameType.ABORT: MAX_REASON_BYTES,
        FrameType.STATUS_REPLY: _STATUS_REPLY.size,
    }
)
"""The longest body of each type; nothing longer is ever read."""


def encode(frame: Frame) -> bytes:
    """frame as bytes, header included. Raises LocalProtocolError if it cannot be said."""
    kind = _EMPTY_TYPES.get(type(frame))
    if kind is not None:
        return _HEADER.pack(kind, 0)
    try:
        kind, body = _encode_body(frame)
    except struct.error as error:
        raise LocalProtocolError(f"{frame!r} does not fit into its frame: {error}") from error
    return _HEADER.pack(kind, len(body)) + body


def _encode_body(frame: Frame) -> tuple[FrameType, bytes]:
    match frame:
        case Pages(number, runs):
            _check_runs(runs, LocalProtocolError)
            table = b"".join([_RUN.pack(first, count) for first, count in runs])
            return FrameType.PAGES, _PAGES.pack(number, len(runs)) + table
        case Hello(run_id, page_bytes, page_count, version):
            if len(run_id) != RUN_ID_BYTES:
                raise LocalProtocolError(f"a run id has {RUN_ID_BYTES} bytes, not {len(run_id)}")
            return FrameType.HELLO, _HELLO.pack(_MAGIC, run_id, version, page_bytes, page_count)
        case RoundEnd(number, pages):
            return FrameType.ROUND, _ROUND.pack(number, pages)
        case Commit(number, pages):
            return FrameType.COMMIT, _ROUND.pack(number, pages)
        case Paused(frozen_s):
            return FrameType.PAUSED, struct.pack("!d", frozen_s)
        case Committed(recorded_s, thawed_s, announced_s):
            instants = _pack_instants(recorded_s, thawed_s, announced_s)
            return FrameType.COMMITTED, _COMMITTED.pack(*instants)
        case StatusReply(committed, recorded_s, thawed_s, announced_s):
            instants = _pack_instants(recorded_s, thawed_s, announced_s)
            return FrameType.STATUS_REPLY, _STATUS_REPLY.pack(committed, *instants)
        case Abort(reason):
            raw = reason.encode("utf-8", "replace")[:MAX_REASON_BYTES]
            return FrameType.ABORT, raw.decode("utf-8", "ignore").encode()
        case _:
            raise LocalProtocolError(f"{frame!r} is no frame")


def decode_header(header: bytes) -> tuple[FrameType, int]:
    """Type and body length. Raises RemoteProtocolError for an unknown type or a body too long."""
    if len(header) != HEADER_BYTES:
        raise RemoteProtocolError(f"a header has {HEADER_BYTES} bytes, not {len(header)}")
    number, length = _HEADER.unpack(header)
    try:
        kind = FrameType(number)
    except ValueError:
        raise RemoteProtocolError(f"the peer sent a frame of unknown type {number}") from None
    if length > BODY_LIMITS[kind]:
        raise RemoteProtocolError(
            f"the peer sent a {kind.name} of {length} bytes, {BODY_LIMITS[kind]} are allowed"
        )
    return kind, length


def decode(kind: FrameType, body: bytes) -> Frame:
    """The frame that body holds. Raises RemoteProtocolError for a body that is none."""
    empty = _EMPTY.get(kind)
    if empty is not None:
        if body:
            raise RemoteProtocolError(f"the peer sent a {kind.name} with a body")
        return empty
    try:
        return _DECODERS[kind](body)
    except (struct.error, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"the peer sent a malformed {kind.name}: {error}") from error


def _decode_hello(body: bytes) -> Frame:
    magic, run_id, version, page_bytes, page_count = _HELLO.unpack(body)
    if magic != _MAGIC:
        raise RemoteProtocolError("the peer does not speak netcont's migration protocol")
    if version != VERSION:
        raise RemoteProtocolError(
            f"the peer speaks version {version} of the migration protocol, this is {VERSION}",
            remedy="install the same netcont at both sites",
        )
    return Hello(run_id, page_bytes, page_count, version)


def _decode_pages(body: bytes) -> Frame:
    number, count = _PAGES.unpack_from(body)
    table = body[_PAGES.size :]
    if len(table) != count * _RUN.size:
        raise RemoteProtocolError(f"the peer announced {count} runs and sent {len(table)} bytes")
    runs: tuple[Run, ...] = tuple(_RUN.iter_unpack(table))
    _check_runs(runs, RemoteProtocolError)
    return Pages(number, runs)


def _check_runs(runs: tuple[Run, ...], fault: type[ProtocolError]) -> None:
    end = total = 0
    for first, count in runs:
        if count < 1 or first < end:
            raise fault(f"run of {count} pages at {first} is empty or out of order")
        end = first + count
        total += count
    if not 1 <= total <= MAX_BATCH_PAGES or end > _MAX_PAGE:
        raise fault(f"a batch of {total} pages; 1 to {MAX_BATCH_PAGES} are allowed")


def _decode_abort(body: bytes) -> Frame:
    return Abort(body.decode())


def _decode_committed(body: bytes) -> Frame:
    return Committed(*map(_unpack_instant, _COMMITTED.unpack(body)))


def _decode_status_reply(body: bytes) -> Frame:
    committed, *instants = _STATUS_REPLY.unpack(body)
    return StatusReply(committed, *map(_unpack_instant, instants))


def _decode_paused(body: bytes) -> Frame:
    (frozen_s,) = struct.unpack("!d", body)
    if not math.isfinite(frozen_s):
        raise RemoteProtocolError(f"the peer says that it froze the guest at {frozen_s}")
    return Paused(frozen_s)


_DECODERS: Mapping[FrameType, Callable[[bytes], Frame]] = {
    FrameType.HELLO: _decode_hello,
    FrameType.PAGES: _decode_pages,
    FrameType.ROUND: lambda body: RoundEnd(*_ROUND.unpack(body)),
    FrameType.COMMIT: lambda body: Commit(*_ROUND.unpack(body)),
    FrameType.PAUSED: _decode_paused,
    FrameType.COMMITTED: _decode_committed,
    FrameType.STATUS_REPLY: _decode_status_reply,
    FrameType.ABORT: _decode_abort,
}


def _pack_instants(*instants: float | None) -> tuple[float, ...]:
    # An instant that is not known travels as NaN: 0 would be an instant.
    return tuple(math.nan if instant is None else instant for instant in instants)


def _unpack_instant(value: float) -> float | None:
    return value if math.isfinite(value) else None
