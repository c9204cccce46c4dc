"""tcp-echo, tcp-bulk and request against the real service, which is frozen and killed."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing

import pytest

from netcont.lab.clients import stream, tcp_echo
from netcont.lab.clients.run import ClientProcess
from netcont.lab.clients.service import ServiceProcess
from netcont.lab.clients.spec import ClientSpec, Control, Ports
from netcont.model.samples import Arrival
from netcont.model.scenario import ClientKind, Place

LOCAL = "127.0.0.1"
Starter = Callable[..., ClientProcess]
EndIn = Callable[[float, float], None]
Freeze = Callable[[float], tuple[float, float]]


def longest_gap(arrivals: Sequence[Arrival]) -> float:
    instants = [arrival.received_s for arrival in arrivals]
    return max(b - a for a, b in itertools.pairwise(instants))


def test_echo_keeps_its_rate_and_ends_early_when_alive(
    service: ServiceProcess, start: Starter, end_in: EndIn
) -> None:
    client = start(ClientKind.TCP_ECHO)
    end_in(0.5, 100.0)
    record = client.result(3.0)
    assert record.disturbed is None
    assert record.error is None
    assert record.address == LOCAL
    assert record.sent is not None
    assert 6 <= record.sent <= 12
    assert [a.seq for a in record.arrivals] == list(range(record.sent))
    assert all(a.sent_s is not None and a.sent_s <= a.received_s for a in record.arrivals)
    assert record.tcp is not None
    assert 0 < record.tcp.rtt_s < 0.2


def test_echo_sees_a_freeze_and_gets_every_echo_after_it(
    service: ServiceProcess, start: Starter, end_in: EndIn, freeze: Freeze
) -> None:
    client = start(ClientKind.TCP_ECHO)
    end_in(0.8, 100.0)
    time.sleep(0.2)
    freeze(0.35)
    record = client.result(3.0)
    assert 0.3 <= longest_gap(record.arrivals) < 0.6
    assert len(record.arrivals) == record.sent


def test_echo_waits_for_a_frozen_peer_beyond_the_window(
    service: ServiceProcess, start: Starter, end_in: EndIn, freeze: Freeze
) -> None:
    client = start(ClientKind.TCP_ECHO)
    end_in(0.2, 100.0)
    time.sleep(0.1)
    _, thawed_s = freeze(0.4)
    record = client.result(3.0)
    assert record.error is None
    assert record.arrivals[-1].received_s >= thawed_s
    assert record.last_sent_s is not None
    assert record.last_sent_s < thawed_s


def test_a_silent_peer_is_watched_until_the_end_with_few_wakeups(
    service: ServiceProcess, ports: Ports, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    handle = stream.StreamProbe._handle

    def counted(self: stream.StreamProbe, poll: object, wait_s: float, writing: bool) -> bool:
        waits.append(wait_s)
        return handle(self, poll, wait_s, writing)  # type: ignore[arg-type]

    monkeypatch.setattr(stream.StreamProbe, "_handle", counted)
    os.kill(service.pid, signal.SIGSTOP)
    now_s = time.monotonic()
    control.end(now_s + 0.1, now_s + 0.6)
    spec = ClientSpec("x", ClientKind.TCP_ECHO, Place.REMOTE, 1, LOCAL, ports=ports)
    record = tcp_echo.run(spec, control).record()
    assert record.error is None
    assert record.connected_s is not None
    assert record.arrivals == ()
    assert record.ended_s is not None
    assert now_s + 0.6 <= record.ended_s < now_s + 0.8
    assert len([wait_s for wait_s in waits if wait_s > 0.25]) == 1
    assert len(waits) <= 6


@pytest.mark.parametrize(
    "kind", [ClientKind.TCP_ECHO, ClientKind.TCP_BULK_UP, ClientKind.TCP_BULK_DOWN]
)
def test_a_killed_service_ends_its_connections(
    service: ServiceProcess, start: Starter, end_in: EndIn, kind: ClientKind
) -> None:
    client = start(kind)
    end_in(2.0, 100.0)
    time.sleep(0.2)
    killed_s = time.monotonic()
    os.kill(service.pid, signal.SIGKILL)
    record = client.result(1.0)
    assert record.error in {"ECONNRESET", "EOF", "EPIPE"}
    assert record.ended_s is not None
    assert 0 <= record.ended_s - killed_s < 0.5


def test_a_peer_with_unread_bytes_resets(start: Starter, ports: Ports, end_in: EndIn) -> None:
    with closing(socket.create_server((LOCAL, ports.echo))) as server:
        client = start(ClientKind.TCP_ECHO)
        end_in(2.0, 100.0)
        accepted, _ = server.accept()
        time.sleep(0.1)
        accepted.close()
        record = client.result(1.0)
    assert record.error == "ECONNRESET"
    assert record.tcp is not None


@pytest.mark.parametrize(
    "kind", [ClientKind.TCP_ECHO, ClientKind.TCP_BULK_UP, ClientKind.TCP_BULK_DOWN]
)
def test_nobody_listening_is_refused(start: Starter, end_in: EndIn, kind: ClientKind) -> None:
    end_in(5.0, 100.0)
    record = start(kind).result(1.0)
    assert record.error == "ECONNREFUSED"
    assert record.connected_s is None
    assert record.tcp is None


def test_a_handshake_that_nobody_answers_is_watched_to_the_end(
    start: Starter, ports: Ports, end_in: EndIn
) -> None:
    with socket.socket() as server, socket.socket() as first:
        server.bind((LOCAL, ports.echo))
        server.listen(0)
        # The queue is full with one connection; the kernel drops further SYNs.
        first.connect((LOCAL, ports.echo))
        end_in(0.2, 0.2)
        record = start(ClientKind.TCP_ECHO).result(2.0)
    assert record.connected_s is None
    assert record.error is None


def test_a_name_that_does_not_resolve_is_told(
    start: Starter, end_in: EndIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(*_: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", again)
    end_in(0.3, 1.0)
    record = start(ClientKind.TCP_ECHO, host_name="server.lab.test").result(2.0)
    assert (record.error, record.address) == ("EAI_AGAIN", None)
    end_in(0.3, 1.0)
    attempts = start(ClientKind.REQUEST, host_name="server.lab.test").result(2.0).attempts
    assert attempts[0].error == "EAI_AGAIN"
    assert attempts[0].resolved_s is None


def test_bulk_up_is_paced_recorded_by_the_service_and_ends_early(
    service: ServiceProcess, start: Starter, end_in: EndIn, freeze: Freeze
) -> None:
    client = start(ClientKind.TCP_BULK_UP, client_id=3, rate_bps=4e6)
    end_in(0.8, 100.0)
    time.sleep(0.2)
    freeze(0.3)
    findings = client.findings(3.0)
    record = findings.with_service(service.stop(2.0)).record()
    assert record.error is None
    assert record.disturbed is None
    assert record.sent is not None
    assert 0.15e6 < record.sent < 0.45e6
    assert record.arrivals[-1].seq == record.sent
    assert 0.25 <= longest_gap(record.arrivals) < 0.5


def test_bulk_down_is_paced_and_does_not_burst_after_a_freeze(
    service: ServiceProcess, start: Starter, end_in: EndIn, freeze: Freeze
) -> None:
    client = start(ClientKind.TCP_BULK_DOWN, client_id=4, rate_bps=4e6)
    end_in(0.8, 100.0)
    time.sleep(0.2)
    _, thawed_s = freeze(0.3)
    findings = client.findings(3.0)
    record = findings.with_service(service.stop(2.0)).record()
    assert record.error is None
    assert 0.25 <= longest_gap(record.arrivals) < 0.5
    total = record.arrivals[-1].seq
    assert 0.1e6 < total < 0.33e6
    assert record.sent is not None
    assert total - 1 <= record.sent <= total
    before = max(a.seq for a in record.arrivals if a.received_s < thawed_s)
    soon = max(a.seq for a in record.arrivals if a.received_s < thawed_s + 0.02)
    assert soon - before < 4e6 / 8 * 0.1


def test_bulk_up_survives_a_peer_that_takes_nothing(
    service: ServiceProcess, start: Starter, end_in: EndIn
) -> None:
    os.kill(service.pid, signal.SIGSTOP)
    client = start(ClientKind.TCP_BULK_UP, rate_bps=8e9)
    end_in(0.2, 0.3)
    record = client.result(2.0)
    assert record.error is None
    assert record.connected_s is not None
    assert record.sent is not None


def test_requests_follow_each_other_on_schedule(
    service: ServiceProcess, start: Starter, end_in: EndIn
) -> None:
    client = start(ClientKind.REQUEST, host_name="localhost")
    end_in(0.9, 100.0)
    record = client.result(2.0)
    assert [a.error for a in record.attempts] == [None, None]
    assert record.sent == 2
    first, second = record.attempts
    assert 0.49 < second.started_s - first.started_s < 0.8
    assert first.resolved_s is not None
    assert first.address == LOCAL
    assert record.connected_s == first.ended_s


def test_a_request_that_is_not_answered_ends_after_its_own_timeout(
    service: ServiceProcess, start: Starter, end_in: EndIn
) -> None:
    os.kill(service.pid, signal.SIGSTOP)
    client = start(ClientKind.REQUEST)
    end_in(0.4, 100.0)
    (attempt,) = client.result(3.0).attempts
    assert attempt.error == "ETIMEDOUT"
    assert 0.95 < attempt.ended_s - attempt.started_s < 1.2


def test_a_request_that_is_refused_or_cut_short_names_its_error(
    start: Starter, ports: Ports, end_in: EndIn
) -> None:
    end_in(0.3, 1.0)
    refused = start(ClientKind.REQUEST, ports=Ports(request=ports.echo))
    with closing(socket.create_server((LOCAL, ports.request))) as server:
        client = start(ClientKind.REQUEST)
        accepted, _ = server.accept()
        accepted.recv(100)
        accepted.close()
        assert client.result(2.0).attempts[0].error == "EOF"
    assert refused.result(2.0).attempts[0].error == "ECONNREFUSED"
