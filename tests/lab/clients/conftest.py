"""Real services and real clients over loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from netcont.lab.clients.run import ClientProcess, fork_client
from netcont.lab.clients.service import ServiceProcess, fork_service
from netcont.lab.clients.spec import ClientSpec, Control, Ports, Schedule
from netcont.model.scenario import ClientKind, Place

LOCAL = "127.0.0.1"


@pytest.fixture
def ports() -> Ports:
    """Ports that nobody on loopback uses."""
    with contextlib.ExitStack() as stack:
        kinds = [socket.SOCK_STREAM] * 4 + [socket.SOCK_DGRAM] * 2
        socks = [stack.enter_context(socket.socket(socket.AF_INET, kind)) for kind in kinds]
        for sock in socks:
            sock.bind((LOCAL, 0))
        return Ports(*(int(sock.getsockname()[1]) for sock in socks))


@pytest.fixture
def service(ports: Ports, control: Control) -> Iterator[ServiceProcess]:
    process = fork_service(lambda: None, control, ports, LOCAL)
    process.wait_ready(5.0)
    yield process
    process.kill()


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def start(ports: Ports, control: Control) -> Iterator[Callable[..., ClientProcess]]:
    """Start a client of one kind, now; ends all that were started."""
    started: list[ClientProcess] = []

    def begin(kind: ClientKind, client_id: int = 1, **fields: object) -> ClientProcess:
        values: dict[str, object] = {"host_name": LOCAL, "ports": ports, **fields}
        spec = ClientSpec(
            name=f"{kind.value}@remote",
            kind=kind,
            place=Place.REMOTE,
            client_id=client_id,
            **values,  # type: ignore[arg-type]
        )
        process = fork_client(spec, Schedule(time.monotonic()), control, lambda: None)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()


@pytest.fixture
def end_in(control: Control) -> Callable[[float, float], None]:
    """Close the window after some seconds, and stop watching some seconds after that."""

    def end(fast_s: float, watch_s: float) -> None:
        stop_s = time.monotonic() + fast_s
        control.end(stop_s, stop_s + watch_s)

    return end


@pytest.fixture
def freeze(service: ServiceProcess) -> Callable[[float], tuple[float, float]]:
    """Stop the service for some seconds; returns when it stopped and when it went on."""

    def stop(seconds: float) -> tuple[float, float]:
        os.kill(service.pid, signal.SIGSTOP)
        from_s = time.monotonic()
        time.sleep(seconds)
        until_s = time.monotonic()
        os.kill(service.pid, signal.SIGCONT)
        return from_s, until_s

    return stop
