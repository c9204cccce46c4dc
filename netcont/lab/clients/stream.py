"""What the TCP probes share: name, connection, the fast window, the watch for the end."""

from __future__ import annotations

import errno
import math
import select
import socket
import time
from typing import Final

from netcont.lab.clients import tcp_info
from netcont.lab.clients.family import ADDRESS_FAMILIES
from netcont.lab.clients.findings import Findings
from netcont.lab.clients.spec import (
    FAST_NAP_S,
    FAST_STOP,
    GIVE_UP,
    SILENT_NAP_S,
    Control,
    following,
)

END_OF_FILE: Final = "EOF"

_RESOLVER_ERRORS: Final = {
    getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")
}


def resolve(host_name: str, kind: socket.SocketKind, family: int = 4) -> str:
    """The address that the host's own resolver gives for the name."""
    # Bytes, because for a string Python imports its IDNA codec from disk on the first call.
    found = socket.getaddrinfo(host_name.encode("ascii"), 0, ADDRESS_FAMILIES[family], kind)
    return str(found[0][4][0])


def error_name(error: OSError) -> str:
    """The error as verdicts know it: "ECONNRESET", "EAI_AGAIN", …"""
    if isinstance(error, socket.gaierror):
        return _RESOLVER_ERRORS.get(error.errno, f"EAI {error.errno}")
    if error.errno is None:
        return "ETIMEDOUT" if isinstance(error, TimeoutError) else type(error).__name__
    return errno.errorcode.get(error.errno, f"errno {error.errno}")


def poll_ms(wait_s: float) -> int:
    """A timeout for poll: rounded up, since waking a little early would only mean waking twice."""
    return max(0, math.ceil(wait_s * 1000))


class StreamProbe:
    """One TCP connection: probed while the window is open, then watched to its end.

    Subclasses say what is written (tick, last_request) and read (readable). ``answered`` turns
    true when the peer has answered what was asked after the window: the connection is alive.
    """

    period_s = FAST_NAP_S

    def __init__(self, findings: Findings, port: int) -> None:
        self.findings = findings
        self.port = port
        self.answered = False
        self.closes_by_eof = False
        self.wants_write = False
        self.sock = socket.socket(ADDRESS_FAMILIES[findings.spec.family], socket.SOCK_STREAM)
        self._alive: bytes | None = None

    def connected(self) -> None:
        """The connection stands."""

    def tick(self, now_s: float) -> None:
        """Every period_s while the window is open."""

    def readable(self) -> None:
        """Bytes, an error or the peer's end are there to be read; raises EOFError at the end."""

    def last_request(self, now_s: float) -> None:
        """The window is over: ask the peer for one more answer."""

    def flush(self) -> None:
        """The socket takes bytes again (only while wants_write)."""

    def run(self, control: Control) -> None:
        """Connect, probe, watch, and note how it ended."""
        findings = self.findings
        with self.sock as sock:
            sock.setblocking(False)
            try:
                spec = findings.spec
                findings.address = resolve(spec.host_name, socket.SOCK_STREAM, spec.family)
                if self._connect(findings.address, control):
                    findings.connected_s = time.monotonic()
                    self.connected()
                    self._probe(control)
                    self._watch(control)
            except EOFError:
                findings.error = END_OF_FILE
            except OSError as error:
                findings.error = error_name(error)
            findings.ended_s = time.monotonic()
            if findings.connected_s is not None:
                alive = None if findings.error is None else self._alive
                findings.tcp = tcp_info.combine(tcp_info.read(sock), alive)

    def _connect(self, address: str, control: Control) -> bool:
        """Wait for the kernel's verdict on the handshake; False when watching ends before."""
        sock, instants = self.sock, control.instants
        status = sock.connect_ex((address, self.port))
        if status not in (0, errno.EINPROGRESS):
            raise OSError(status, "connect")
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        while not poll.poll(poll_ms(min(SILENT_NAP_S, instants[GIVE_UP] - time.monotonic()))):
            if time.monotonic() >= instants[GIVE_UP]:
                return False
        status = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if status:
            raise OSError(status, "connect")
        return True

    def _poller(self) -> select.poll:
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return poll

    def _handle(self, poll: select.poll, timeout_s: float, writing: bool) -> bool:
        """Wait for an event, act on it; returns whether the poll object now waits for writing."""
        if self.wants_write != writing:
            writing = self.wants_write
            poll.modify(self.sock, select.POLLIN | (select.POLLOUT if writing else 0))
        for _, event in poll.poll(poll_ms(timeout_s)):
            # Reading first: it is what reports the kernel's error, with its true number.
            if event & ~select.POLLOUT:
                self.readable()
            if event & select.POLLOUT:
                self.flush()
        return writing

    def _probe(self, control: Control) -> None:
        clock, instants, poll, writing = time.monotonic, control.instants, self._poller(), False
        due_s = clock()
        while (now_s := clock()) < instants[FAST_STOP]:
            if now_s >= due_s:
                self.tick(now_s)
                due_s = following(due_s, self.period_s, now_s)
            until_s = min(due_s, instants[FAST_STOP], now_s + FAST_NAP_S)
            writing = self._handle(poll, until_s - clock(), writing)

    def _watch(self, control: Control) -> None:
        """Until the last answer, the kernel's error or the instant to give up."""
        clock, instants, poll, writing = time.monotonic, control.instants, self._poller(), False
        self.last_request(clock())
        self._alive = tcp_info.read(self.sock)
        try:
            while not self.answered and (now_s := clock()) < instants[GIVE_UP]:
                wait_s = min(SILENT_NAP_S, instants[GIVE_UP] - now_s)
                writing = self._handle(poll, wait_s, writing)
                if not self.answered:
                    self._remember()
        except EOFError:
            if not self.closes_by_eof:
                raise

    def _remember(self) -> None:
        """Keep the latest TCP_INFO of the living connection, for when it dies."""
        raw = tcp_info.read(self.sock)
        # State 7 is TCP_CLOSE: the kernel has given up, and its figures are gone.
        if raw[0] != 7:
            self._alive = raw
