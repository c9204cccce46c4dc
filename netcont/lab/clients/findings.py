"""What a probe collects while it runs: flat arrays, because one object per packet is too dear
under emulation. They travel as they are and become the contract's records where time is cheap."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace

from netcont.lab.clients.spec import ClientSpec
from netcont.model.samples import Arrival, Attempt, ClientRecord, TcpInfo
from netcont.model.scenario import ClientKind

_COUNTED_BY_SERVICE = (ClientKind.UDP_DOWN, ClientKind.TCP_BULK_DOWN)
_RECEIVED_BY_SERVICE = (ClientKind.UDP_UP, ClientKind.TCP_BULK_UP)


@dataclass
class Arrivals:
    """Units that came through, column by column; sent_s is empty where senders say nothing."""

    seq: array[int] = field(default_factory=lambda: array("Q"))
    sent_s: array[float] = field(default_factory=lambda: array("d"))
    received_s: array[float] = field(default_factory=lambda: array("d"))

    def rows(self) -> tuple[Arrival, ...]:
        """One Arrival per unit."""
        if not self.sent_s:
            return tuple(
                Arrival(n, None, r) for n, r in zip(self.seq, self.received_s, strict=True)
            )
        return tuple(map(Arrival, self.seq, self.sent_s, self.received_s))


class ByteBins:
    """Arrivals of a byte stream: the count so far, one entry per 10 ms in which bytes came."""

    __slots__ = ("_until_s", "arrivals", "total")

    WIDTH_S = 0.01

    def __init__(self, arrivals: Arrivals) -> None:
        self.arrivals = arrivals
        self.total = 0
        self._until_s = 0.0

    def add(self, count: int, now_s: float) -> None:
        """count bytes came at now_s; an entry carries the instant of its first byte."""
        self.total += count
        if now_s < self._until_s:
            self.arrivals.seq[-1] = self.total
            return
        self._until_s = now_s + self.WIDTH_S
        self.arrivals.seq.append(self.total)
        self.arrivals.received_s.append(now_s)


@dataclass
class ServiceRecords:
    """What the guest's service process saw, by client id.

    arrivals: of bulk-up and udp-up (0: marked datagrams); sent: how many units went to udp-down
    (datagrams) and bulk-down (bytes), and when the last one did. disturbed: why it could not say.
    """

    arrivals: dict[int, Arrivals] = field(default_factory=dict)
    sent: dict[int, tuple[int, float | None]] = field(default_factory=dict)
    disturbed: str | None = None


@dataclass
class Findings:
    """A ClientRecord in the making; the fields mean what ClientRecord's do.

    attempts: (started_s, resolved_s, address, ended_s, error), in order.
    """

    spec: ClientSpec
    address: str | None = None
    connected_s: float | None = None
    arrivals: Arrivals = field(default_factory=Arrivals)
    attempts: list[tuple[float, float | None, str | None, float, str | None]] = field(
        default_factory=list
    )
    sent: int | None = None
    last_sent_s: float | None = None
    error: str | None = None
    ended_s: float | None = None
    tcp: TcpInfo | None = None
    exit_code: int | None = None
    output: str = ""
    disturbed: str | None = None

    def with_service(self, service: ServiceRecords) -> Findings:
        """Completed by what only the service could see: arrivals of what this client sent, or
        the count of what was sent to it."""
        kind, client_id = self.spec.kind, self.spec.client_id
        if kind not in _RECEIVED_BY_SERVICE + _COUNTED_BY_SERVICE:
            return self
        disturbed = self.disturbed or service.disturbed
        if kind in _RECEIVED_BY_SERVICE:
            arrivals = service.arrivals.get(client_id, Arrivals())
            return replace(self, arrivals=arrivals, disturbed=disturbed)
        sent, last_sent_s = service.sent.get(client_id, (None, None))
        return replace(self, sent=sent, last_sent_s=last_sent_s, disturbed=disturbed)

    def record(self) -> ClientRecord:
        """The contract's record."""
        spec = self.spec
        return ClientRecord(
            name=spec.name,
            kind=spec.kind,
            place=spec.place,
            address=self.address,
            connected_s=self.connected_s,
            arrivals=self.arrivals.rows(),
            attempts=tuple(Attempt(*row) for row in self.attempts),
            sent=self.sent,
            last_sent_s=self.last_sent_s,
            error=self.error,
            ended_s=self.ended_s,
            tcp=self.tcp,
            exit_code=self.exit_code,
            output=self.output,
            disturbed=self.disturbed,
            node=spec.node,
        )
