"""udp-up and udp-down: 100 numbered datagrams a second, which show the network's own outage."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import Final

from netcont.lab.clients.family import ADDRESS_FAMILIES
from netcont.lab.clients.findings import Findings
from netcont.lab.clients.spec import FAST_NAP_S, FAST_STOP, ClientSpec, Control, following
from netcont.lab.clients.stream import error_name, poll_ms, resolve
from netcont.lab.clients.wire import (
    DATAGRAM,
    DATAGRAM_PERIOD_S,
    HELLO,
    HELLO_PERIOD_S,
    STOP,
    client_tag,
)
from netcont.model.scenario import ClientKind

# After its stop datagram a receiver waits for what is still on its way: until nothing has come
# for QUIET_S, and not longer than DRAIN_S.
QUIET_S: Final = 1.0
STOP_AGAIN_S: Final = 0.5
DRAIN_S: Final = 5.0


def send_anyway(sock: socket.socket, data: bytes) -> None:
    """Send, whatever became of earlier datagrams: a connected socket reports their ICMP errors
    on the next call, which then sends nothing; the second call does. A datagram that the kernel
    refuses (no route) counts as sent and lost."""
    try:
        sock.send(data)
    except OSError:
        with contextlib.suppress(OSError):
            sock.send(data)


def _send_up(sock: socket.socket, findings: Findings, control: Control) -> None:
    clock, sleep, instants, pack = time.monotonic, time.sleep, control.instants, DATAGRAM.pack
    tag = client_tag(findings.spec.client_id)
    due_s = clock()
    seq = 0
    last_s = None
    while (now_s := clock()) < instants[FAST_STOP]:
        if now_s >= due_s:
            send_anyway(sock, pack(tag, seq, now_s))
            last_s = now_s
            seq += 1
            due_s = following(due_s, DATAGRAM_PERIOD_S, now_s)
            now_s = clock()
        if due_s > now_s:
            sleep(due_s - now_s)
    findings.sent = seq
    findings.last_sent_s = last_s


class _Receiver:
    """The receiving end of udp-down."""

    def __init__(self, sock: socket.socket, findings: Findings) -> None:
        self._sock = sock
        self._findings = findings
        self._tag = client_tag(findings.spec.client_id)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self.heard_s = time.monotonic()

    def say(self, word: bytes) -> None:
        """HELLO or STOP."""
        send_anyway(self._sock, self._tag + word)

    def take(self, wait_s: float) -> None:
        """Wait for one datagram and note it."""
        if not self._poll.poll(poll_ms(wait_s)):
            return
        try:
            data = self._sock.recv(2048)
        except OSError:
            return  # An ICMP error of an earlier hello; the poll must not end for it.
        now_s = time.monotonic()
        if len(data) != DATAGRAM.size:
            return
        tag, seq, sent_s = DATAGRAM.unpack(data)
        if tag != self._tag:
            return
        arrivals = self._findings.arrivals
        if not arrivals.seq:
            self._findings.connected_s = now_s
        arrivals.seq.append(seq)
        arrivals.sent_s.append(sent_s)
        arrivals.received_s.append(now_s)
        self.heard_s = now_s


def _receive_down(sock: socket.socket, findings: Findings, control: Control) -> None:
    clock, instants = time.monotonic, control.instants
    receiver = _Receiver(sock, findings)
    due_s = clock()
    while (now_s := clock()) < instants[FAST_STOP]:
        if now_s >= due_s:
            receiver.say(HELLO)
            due_s = following(due_s, HELLO_PERIOD_S, now_s)
        receiver.take(min(due_s, instants[FAST_STOP], now_s + FAST_NAP_S) - now_s)
    stopped_s = due_s = clock()
    while (now_s := clock()) < min(max(stopped_s, receiver.heard_s) + QUIET_S, stopped_s + DRAIN_S):
        if now_s >= due_s:
            receiver.say(STOP)
            due_s += STOP_AGAIN_S
        receiver.take(max(0.0, due_s - now_s))


def run(spec: ClientSpec, control: Control) -> Findings:
    """Run one UDP client to its end. Only a name that does not resolve ends it early."""
    findings = Findings(spec)
    up = spec.kind is ClientKind.UDP_UP
    with socket.socket(ADDRESS_FAMILIES[spec.family], socket.SOCK_DGRAM) as sock:
        try:
            findings.address = resolve(spec.host_name, socket.SOCK_DGRAM, spec.family)
            sock.connect((findings.address, spec.ports.sink if up else spec.ports.source))
        except OSError as error:
            findings.error = error_name(error)
        else:
            if up:
                findings.connected_s = time.monotonic()
                _send_up(sock, findings, control)
            else:
                sock.setblocking(False)
                _receive_down(sock, findings, control)
    findings.ended_s = time.monotonic()
    return findings
