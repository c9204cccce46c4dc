"""udp-up, udp-down and marked datagrams."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from netcont.lab.clients import udp
from netcont.lab.clients.overhead import send_marked
from netcont.lab.clients.run import ClientProcess
from netcont.lab.clients.service import ServiceProcess, fork_service
from netcont.lab.clients.spec import Control, Ports
from netcont.lab.clients.wire import DATAGRAM, HELLO, STOP, client_tag
from netcont.model.scenario import ClientKind

LOCAL = "127.0.0.1"
Starter = Callable[..., ClientProcess]
EndIn = Callable[[float, float], None]
Freeze = Callable[[float], tuple[float, float]]


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for what is on its way: loopback is quick."""
    monkeypatch.setattr(udp, "QUIET_S", 0.3)


def test_udp_up_is_recorded_by_the_service(
    service: ServiceProcess, start: Starter, end_in: EndIn
) -> None:
    clients = [start(ClientKind.UDP_UP, client_id=n) for n in (1, 2)]
    end_in(0.4, 100.0)
    findings = [client.findings(2.0) for client in clients]
    records = service.stop(2.0)
    for each in findings:
        record = each.with_service(records).record()
        assert record.sent is not None
        assert 20 <= record.sent <= 42
        assert [a.seq for a in record.arrivals] == list(range(record.sent))
        assert record.last_sent_s == record.arrivals[-1].sent_s


def test_the_sink_keeps_duplicates_and_the_order_of_arrival(
    service: ServiceProcess, ports: Ports
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((LOCAL, ports.sink))
        for seq in (0, 2, 1, 1):
            sock.send(DATAGRAM.pack(client_tag(9), seq, 0.5))
        for stray in (b"", b"?", bytes(DATAGRAM.size), b"netcont-overhead-xx"):
            sock.send(stray)
    time.sleep(0.1)
    records = service.stop(2.0)
    assert list(records.arrivals) == [9]
    assert [a.seq for a in records.arrivals[9].rows()] == [0, 2, 1, 1]


def test_udp_up_goes_on_when_nobody_listens(start: Starter, end_in: EndIn) -> None:
    client = start(ClientKind.UDP_UP)
    end_in(0.2, 100.0)
    record = client.result(2.0)
    assert record.error is None
    assert record.sent is not None
    assert record.sent >= 10


def test_udp_down_shows_a_freeze_and_no_burst_after_it(
    brief: None, service: ServiceProcess, start: Starter, end_in: EndIn, freeze: Freeze
) -> None:
    client = start(ClientKind.UDP_DOWN, client_id=6)
    end_in(0.8, 100.0)
    time.sleep(0.2)
    frozen_s, thawed_s = freeze(0.3)
    findings = client.findings(4.0)
    record = findings.with_service(service.stop(2.0)).record()
    assert record.sent == len(record.arrivals)
    assert [a.seq for a in record.arrivals] == list(range(record.sent))
    during = [a for a in record.arrivals if frozen_s + 0.02 < a.received_s < thawed_s]
    assert during == []
    soon = [a for a in record.arrivals if thawed_s <= (a.sent_s or 0.0) < thawed_s + 0.05]
    assert len(soon) <= 7
    assert record.connected_s == record.arrivals[0].received_s


def test_the_source_ends_with_the_window_even_if_no_stop_reaches_it(
    service: ServiceProcess, ports: Ports, end_in: EndIn
) -> None:
    end_in(0.2, 100.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(client_tag(1) + HELLO, (LOCAL, ports.source))
        time.sleep(0.4)
        (count, _) = service.stop(2.0).sent[1]
    assert 5 <= count <= 21


def test_udp_down_survives_what_a_network_does_to_datagrams(
    brief: None, start: Starter, ports: Ports, end_in: EndIn
) -> None:
    tag = client_tag(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
        source.bind((LOCAL, ports.source))
        source.settimeout(2.0)
        client = start(ClientKind.UDP_DOWN)
        end_in(0.2, 100.0)
        hello, peer = source.recvfrom(100)
        assert hello == tag + HELLO
        for seq in (0, 2, 1, 1):
            source.sendto(DATAGRAM.pack(tag, seq, 0.0), peer)
        source.sendto(DATAGRAM.pack(client_tag(2), 3, 0.0), peer)
        source.sendto(b"stray", peer)
        assert source.recv(100) == tag + STOP
        # Still on its way when the client said stop.
        source.sendto(DATAGRAM.pack(tag, 3, 0.0), peer)
        record = client.result(4.0)
    assert [a.seq for a in record.arrivals] == [0, 2, 1, 1, 3]


def test_the_source_answers_from_the_address_that_was_spoken_to(
    ports: Ports, control: Control
) -> None:
    process = fork_service(lambda: None, control, ports, "0.0.0.0")
    try:
        process.wait_ready(5.0)
        for number, address in enumerate(("127.0.0.2", "127.0.0.3")):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind((LOCAL, 0))
                sock.settimeout(2.0)
                sock.sendto(client_tag(number) + HELLO, (address, ports.source))
                _, (sender, port) = sock.recvfrom(100)
                assert (sender, port) == (address, ports.source)
                sock.sendto(client_tag(number) + STOP, (address, ports.source))
        time.sleep(0.05)
        sent = process.stop(2.0).sent
        assert all(count < 10 for count, _ in sent.values())
        assert set(sent) == {0, 1}
    finally:
        process.kill()


def test_marked_datagrams_reach_the_sink(service: ServiceProcess, ports: Ports) -> None:
    assert send_marked(LOCAL, ports.sink, count=3, interval_s=0.005) == 3
    time.sleep(0.05)
    assert list(service.stop(2.0).arrivals[0].seq) == [0, 1, 2]
