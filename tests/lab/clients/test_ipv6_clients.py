"""Every kind of client over IPv6, against the real service."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from netcont.lab.clients.overhead import send_marked
from netcont.lab.clients.run import ClientProcess
from netcont.lab.clients.service import ANY_ADDRESS, ServiceProcess, fork_service
from netcont.lab.clients.spec import Control, Ports
from netcont.model.scenario import ClientKind

LOCAL = "::1"
Starter = Callable[..., ClientProcess]
EndIn = Callable[[float, float], None]


def _has_loopback() -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((LOCAL, 0))
        except OSError:
            return False
    return True


pytestmark = pytest.mark.skipif(not _has_loopback(), reason=f"{LOCAL} is nobody's here")


@pytest.fixture
def service(ports: Ports, control: Control) -> Iterator[ServiceProcess]:
    process = fork_service(lambda: None, control, ports, ANY_ADDRESS[6])
    process.wait_ready(5.0)
    yield process
    process.kill()


@pytest.mark.parametrize(
    "kind",
    [
        ClientKind.TCP_ECHO,
        ClientKind.TCP_BULK_UP,
        ClientKind.TCP_BULK_DOWN,
        ClientKind.UDP_UP,
        ClientKind.UDP_DOWN,
    ],
)
def test_units_come_through(
    service: ServiceProcess, start: Starter, end_in: EndIn, kind: ClientKind
) -> None:
    client = start(kind, host_name=LOCAL, family=6)
    end_in(0.3, 100.0)
    findings = client.findings(4.0)
    record = findings.with_service(service.stop(2.0)).record()
    assert (record.disturbed, record.error, record.address) == (None, None, LOCAL)
    assert record.connected_s is not None
    assert len(record.arrivals) >= 5
    if kind is ClientKind.TCP_ECHO:
        assert record.tcp is not None and 0 < record.tcp.rtt_s < 0.2


def test_requests_are_answered(service: ServiceProcess, start: Starter, end_in: EndIn) -> None:
    client = start(ClientKind.REQUEST, host_name=LOCAL, family=6)
    end_in(0.3, 100.0)
    record = client.result(4.0)
    assert [(a.address, a.error) for a in record.attempts] == [(LOCAL, None)]


def test_a_name_without_an_address_of_the_family_is_no_name(
    service: ServiceProcess, start: Starter, end_in: EndIn
) -> None:
    client = start(ClientKind.TCP_ECHO, host_name="127.0.0.1", family=6)
    end_in(0.3, 100.0)
    record = client.result(4.0)
    assert record.connected_s is None
    assert record.error is not None and record.error.startswith("EAI_")


def test_marked_datagrams_reach_the_sink(service: ServiceProcess, ports: Ports) -> None:
    assert send_marked(LOCAL, ports.sink, count=3, interval_s=0.005) == 3
    time.sleep(0.05)
    assert list(service.stop(2.0).arrivals[0].seq) == [0, 1, 2]
