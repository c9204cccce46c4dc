"""tcp-bulk-up and tcp-bulk-down: a paced stream in one direction."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Final

from netcont.lab.clients.findings import ByteBins, Findings
from netcont.lab.clients.spec import ClientSpec, Control
from netcont.lab.clients.stream import StreamProbe
from netcont.lab.clients.wire import BULK_TICK_S, RECEIVER_REPORT, bulk_line
from netcont.model.scenario import ClientKind

_SO_MAX_PACING_RATE: Final = 47
_BUFFER_BYTES: Final = 262144
REPORT_PERIOD_S: Final = 1.0


def pace(sock: socket.socket, rate_bps: float) -> None:
    """Have the kernel spread what it sends. Twice the rate: what piled up during a stall must
    be able to drain, but not in one burst that overflows the queues on the way."""
    bytes_per_s = min(round(rate_bps / 4), 2**31 - 1)
    sock.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, max(1, bytes_per_s))


class Bucket:
    """Bytes that may be written now; unused credit is kept for a few ticks only, so that nobody
    bursts after having been frozen or blocked."""

    __slots__ = ("_bytes_per_s", "_most", "_since_s", "credit")

    def __init__(self, rate_bps: float, now_s: float) -> None:
        self._bytes_per_s = rate_bps / 8
        self._most = max(1.0, self._bytes_per_s * BULK_TICK_S * 5)
        self._since_s = now_s
        self.credit = 0.0

    def fill(self, now_s: float) -> int:
        """Whole bytes of credit at now_s."""
        credit = self.credit + self._bytes_per_s * (now_s - self._since_s)
        self._since_s = now_s
        self.credit = credit if credit < self._most else self._most
        return int(self.credit)


class UpProbe(StreamProbe):
    """Sends at its rate; the service records what arrives."""

    period_s = BULK_TICK_S

    def __init__(self, findings: Findings, port: int) -> None:
        super().__init__(findings, port)
        self.closes_by_eof = True
        self._zeros = memoryview(bytes(_BUFFER_BYTES))
        self._bucket = Bucket(findings.spec.rate_bps, 0.0)
        findings.sent = 0

    def connected(self) -> None:
        """Say who this is; the bucket starts to fill."""
        spec = self.findings.spec
        pace(self.sock, spec.rate_bps)
        self.sock.send(bulk_line(spec.client_id, spec.rate_bps))
        self._bucket = Bucket(spec.rate_bps, time.monotonic())

    def tick(self, now_s: float) -> None:
        """Write what the rate allows and the kernel takes."""
        allowed = self._bucket.fill(now_s)
        findings = self.findings
        while allowed > 0:
            try:
                written = self.sock.send(self._zeros[:allowed])
            except BlockingIOError:
                return
            allowed -= written
            self._bucket.credit -= written
            findings.sent = (findings.sent or 0) + written
            findings.last_sent_s = now_s

    def last_request(self, now_s: float) -> None:
        """The end of the stream is the marker that the service answers with a byte; until it is
        acknowledged the kernel keeps retransmitting it like any data."""
        self.sock.shutdown(socket.SHUT_WR)

    def readable(self) -> None:
        """Acknowledgements of the service: that they come is all they say."""
        with contextlib.suppress(BlockingIOError):
            if not self.sock.recv(4096):
                raise EOFError


class DownProbe(StreamProbe):
    """Receives at the rate it asked for. Its report each second is outstanding data of its own:
    a receiver that never sends would wait for ever on a dead path."""

    period_s = REPORT_PERIOD_S

    def __init__(self, findings: Findings, port: int) -> None:
        super().__init__(findings, port)
        self.closes_by_eof = True
        self._bins = ByteBins(findings.arrivals)
        self._buffer = bytearray(_BUFFER_BYTES)

    def connected(self) -> None:
        """Ask for the stream."""
        spec = self.findings.spec
        self.sock.send(bulk_line(spec.client_id, spec.rate_bps))

    def tick(self, now_s: float) -> None:
        """Report; when the kernel's buffer is full there is enough outstanding already."""
        with contextlib.suppress(BlockingIOError):
            self.sock.send(RECEIVER_REPORT)

    def last_request(self, now_s: float) -> None:
        """One more report and the end of ours: the service answers with its own end."""
        self.tick(now_s)
        self.sock.shutdown(socket.SHUT_WR)

    def readable(self) -> None:
        """Count what came."""
        try:
            count = self.sock.recv_into(self._buffer)
        except BlockingIOError:
            return
        if not count:
            raise EOFError
        self._bins.add(count, time.monotonic())


def run(spec: ClientSpec, control: Control) -> Findings:
    """Run one bulk client to its end."""
    findings = Findings(spec)
    if spec.kind is ClientKind.TCP_BULK_UP:
        UpProbe(findings, spec.ports.discard).run(control)
    else:
        DownProbe(findings, spec.ports.chargen).run(control)
    return findings
