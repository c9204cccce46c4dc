"""request: short connections, one after the other, each resolving the name anew."""

from __future__ import annotations

import socket
import time
from typing import Final

from netcont.lab.clients.family import socket_for
from netcont.lab.clients.findings import Findings
from netcont.lab.clients.spec import FAST_NAP_S, REQUEST_STOP, ClientSpec, Control
from netcont.lab.clients.stream import END_OF_FILE, error_name, resolve
from netcont.lab.clients.wire import ANSWER_BYTES

PERIOD_S: Final = 0.5
TIMEOUT_S: Final = 1.0


def ask(address: str, port: int, number: int) -> str | None:
    """Connect, ask, read the whole answer, all within TIMEOUT_S; the error's name, or None."""
    deadline_s = time.monotonic() + TIMEOUT_S
    with socket_for(address, socket.SOCK_STREAM) as sock:
        try:
            sock.settimeout(TIMEOUT_S)
            sock.connect((address, port))
            sock.sendall(b"GET %d\n" % number)
            missing = ANSWER_BYTES
            while missing > 0:
                sock.settimeout(max(0.001, deadline_s - time.monotonic()))
                data = sock.recv(missing)
                if not data:
                    return END_OF_FILE
                missing -= len(data)
        except OSError as error:
            return error_name(error)
    return None


def run(spec: ClientSpec, control: Control) -> Findings:
    """Attempts until no new ones are wanted; the last one is finished."""
    findings = Findings(spec, sent=0)
    clock, instants = time.monotonic, control.instants
    due_s = clock()
    number = 0
    while (now_s := clock()) < instants[REQUEST_STOP]:
        if now_s < due_s:
            time.sleep(max(0.0, min(due_s, now_s + FAST_NAP_S, instants[REQUEST_STOP]) - now_s))
            continue
        _attempt(findings, now_s, number)
        number += 1
        # An attempt that took long delays the next one; what it missed is not made up for.
        due_s = max(due_s + PERIOD_S, clock())
    findings.sent = number
    findings.ended_s = clock()
    return findings


def _attempt(findings: Findings, started_s: float, number: int) -> None:
    spec = findings.spec
    resolved_s = None
    address = None
    try:
        address = resolve(spec.host_name, socket.SOCK_STREAM, spec.family)
        resolved_s = time.monotonic()
        error = ask(address, spec.ports.request, number)
    except OSError as problem:
        error = error_name(problem)
    ended_s = time.monotonic()
    findings.attempts.append((started_s, resolved_s, address, ended_s, error))
    findings.last_sent_s = started_s
    findings.address = address or findings.address
    if error is None and findings.connected_s is None:
        findings.connected_s = ended_s
