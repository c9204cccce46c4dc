"""tcp-echo: a session like ssh, 20 small messages a second, each of which comes back."""

from __future__ import annotations

import socket
import time

from netcont.lab.clients.findings import Findings
from netcont.lab.clients.spec import ClientSpec, Control
from netcont.lab.clients.stream import StreamProbe
from netcont.lab.clients.wire import ECHO_MESSAGE, ECHO_PERIOD_S

_SIZE = ECHO_MESSAGE.size


class EchoProbe(StreamProbe):
    """Writes numbered messages, notes when each echo comes."""

    period_s = ECHO_PERIOD_S

    def __init__(self, findings: Findings, port: int) -> None:
        super().__init__(findings, port)
        self.sent = 0
        self._unwritten = b""
        self._unread = b""
        self._last: int | None = None
        findings.sent = 0

    def connected(self) -> None:
        """Small messages must not wait for each other."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def tick(self, now_s: float) -> None:
        """Write one message; none while the kernel has not taken the one before."""
        if self._unwritten:
            return
        self._write(ECHO_MESSAGE.pack(self.sent, now_s), now_s)

    def last_request(self, now_s: float) -> None:
        """One more message: its echo proves that everything before it came through as well."""
        self._last = self.sent
        self._write(self._unwritten + ECHO_MESSAGE.pack(self.sent, now_s), now_s)

    def flush(self) -> None:
        """Write the rest of what the kernel did not take."""
        try:
            self._unwritten = self._unwritten[self.sock.send(self._unwritten) :]
        except BlockingIOError:
            return
        self.wants_write = bool(self._unwritten)

    def _write(self, data: bytes, now_s: float) -> None:
        self._unwritten = data
        self.sent += 1
        self.findings.sent = self.sent
        self.findings.last_sent_s = now_s
        self.wants_write = True
        self.flush()

    def readable(self) -> None:
        """Take echoes; a message may come in pieces, and many at once after a stall."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        if not data:
            raise EOFError
        now_s = time.monotonic()
        if self._unread:
            data = self._unread + data
        whole = len(data) - len(data) % _SIZE
        self._unread = data[whole:]
        arrivals = self.findings.arrivals
        for seq, sent_s in ECHO_MESSAGE.iter_unpack(data[:whole]):
            arrivals.seq.append(seq)
            arrivals.sent_s.append(sent_s)
            arrivals.received_s.append(now_s)
            if seq == self._last:
                self.answered = True


def run(spec: ClientSpec, control: Control) -> Findings:
    """Run one tcp-echo client to its end."""
    findings = Findings(spec)
    EchoProbe(findings, spec.ports.echo).run(control)
    return findings
