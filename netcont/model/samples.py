"""What the lab recorded in one run, before anything is concluded from it. Pure values.

All instants are seconds of one clock (the kernel's CLOCK_MONOTONIC, the same for every host of a
lab), so a sender's and a receiver's instants may be subtracted from each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netcont.model.scenario import ClientKind, Phase, Place


@dataclass(frozen=True)
class Arrival:
    """One unit that came through.

    tcp-echo: seq of the message, sent_s when the client wrote it, received_s when its echo was
    read. udp-up, udp-down: seq of the datagram, sent_s at the sender, received_s at the receiver
    (a seq twice: duplicated; a smaller seq after a larger one: reordered).
    tcp-bulk-*: seq is the count of bytes received so far, sent_s is None, one entry per 10 ms in
    which bytes came.
    """

    seq: int
    sent_s: float | None
    received_s: float


@dataclass(frozen=True)
class Attempt:
    """One short connection of a request client: resolve, connect, ask, read the answer.

    address is what the name resolved to (None: it did not resolve); error is None on success,
    else an errno name ("ECONNREFUSED", "ETIMEDOUT", …) or "EAI_AGAIN" and the like.
    """

    started_s: float
    resolved_s: float | None
    address: str | None
    ended_s: float
    error: str | None


@dataclass(frozen=True)
class TcpInfo:
    """From the kernel's TCP_INFO of the client's socket, at its end or at the observation's."""

    retransmissions: int
    backoff: int
    rtt_s: float
    rto_s: float
    unacked: int


Where = tuple[Place, str]
"""A place, and the host there: two remote hosts may be on two continents."""


@dataclass(frozen=True)
class ClientRecord:
    """What one client saw.

    node: the host that it ran on ("": not told).
    address: the guest's address that it used (None: never resolved). connected_s: when its
    connection stood (None: it never did). sent: units sent (None: not counted), last_sent_s when
    the last one was. error: errno name that ended the connection, "EOF" if the peer closed it
    (None: it stood to the end, or the client closed it itself); ended_s when.
    exit_code, output: of a program. disturbed: why this client could not measure properly (None:
    it could).
    """

    name: str
    kind: ClientKind
    place: Place
    address: str | None
    connected_s: float | None
    arrivals: tuple[Arrival, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    sent: int | None = None
    last_sent_s: float | None = None
    error: str | None = None
    ended_s: float | None = None
    tcp: TcpInfo | None = None
    exit_code: int | None = None
    output: str = ""
    disturbed: str | None = None
    node: str = ""

    @property
    def where(self) -> Where:
        """Its place, and the host there."""
        return self.place, self.node


@dataclass(frozen=True)
class PhaseSpan:
    """When one phase of the move began and ended."""

    phase: Phase
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Round:
    """One round of copying; the last one, sent while the guest was paused, has final True."""

    number: int
    pages: int
    bytes: int
    start_s: float
    end_s: float
    final: bool


@dataclass(frozen=True)
class MoveRecord:
    """What the migration engine did.

    status: "moved", "rolled-back" (the guest serves at A again) or "failed". frozen_s, thawed_s:
    when the guest stopped and ran again (None: it never did). source_digest and
    destination_digest: of the whole memory image once it was copied.
    """

    status: str
    error: str | None
    phases: tuple[PhaseSpan, ...]
    rounds: tuple[Round, ...]
    frozen_s: float | None
    thawed_s: float | None
    committed_s: float | None
    page_bytes: int
    source_digest: str | None
    destination_digest: str | None


@dataclass(frozen=True)
class Frame:
    """One captured frame: captured_s, the link it was seen on, its bytes on the wire (with
    layer-2 header, without FCS), and the head of its bytes in hexadecimal."""

    captured_s: float
    link: str
    wire_bytes: int
    head: str


@dataclass(frozen=True)
class RunRecord:
    """Everything that one run left behind.

    window_s: when clients began and when the fast probes stopped. overhead_before and
    overhead_after: frames of the same marked datagrams (client to guest), captured on the WAN
    link before the move and after it. host_reads: file requests that left the lab VM while it
    measured (None: not in a VM); more than 0 means that its clock was disturbed. old_address,
    new_address: the guest's before and after the move; the same, or new_address empty, where the
    approach keeps it. errors: what could not be done or measured, as sentences.
    """

    approach: str
    seed: int
    window_s: tuple[float, float]
    observed_until_s: float
    move: MoveRecord
    clients: tuple[ClientRecord, ...]
    overhead_before: tuple[Frame, ...] = ()
    overhead_after: tuple[Frame, ...] = ()
    old_address: str = ""
    new_address: str = ""
    host_reads: int | None = None
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    wall_s: float | None = None
    extra: dict[str, float] = field(default_factory=dict)
