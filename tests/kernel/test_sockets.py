"""This host's own connections, beside what ss says."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time

import pytest

from netcont.kernel.flow import Flow
from netcont.kernel.namespace import Namespace
from netcont.kernel.sockets import own_flows


def found_between(one: int, other: int) -> list[Flow]:
    with Namespace("here", os.getpid()) as node:
        flows = list(own_flows(node))
    return [each for each in flows if {each.source_port, each.destination_port} == {one, other}]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_both_ends_of_a_connection_are_seen_as_ss_sees_them(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection((address, port)) as client:
            near = client.getsockname()[1]
            found = found_between(near, port)
            if ss := shutil.which("ss"):
                shown = subprocess.run(
                    [ss, "-Htan", f"( sport = :{near} and dport = :{port} )"],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout.split()
                assert shown[0] == "ESTAB"
                assert (
                    shown[3]
                    .replace("[::ffff:127.0.0.1]", "127.0.0.1")
                    .rstrip("]")
                    .endswith(f":{near}")
                )
    plain = address.removeprefix("::ffff:")
    assert {each.source_port for each in found} == {near, port}
    for each in found:
        assert (each.protocol, each.state, each.seen_by) == ("tcp", "established", "socket")
        assert (each.source, each.destination) == (plain, plain)


def test_a_connected_udp_socket_is_a_connection_and_a_bound_one_is_none() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind(("127.0.0.1", 0))
        client.connect(server.getsockname())
        (flow,) = found_between(client.getsockname()[1], server.getsockname()[1])
        assert (flow.protocol, flow.destination_port) == ("udp", server.getsockname()[1])
    assert found_between(flow.source_port or 0, flow.destination_port or 0) == []


def test_a_server_that_listens_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Namespace("here", os.getpid()) as node:
        assert server.getsockname()[1] not in {each.source_port for each in own_flows(node)}


def test_a_connection_is_idle_since_its_last_data_and_of_udp_it_is_not_known() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        accepted = server.accept()[0]
        ports = (client.getsockname()[1], server.getsockname()[1])
        until_s = time.monotonic() + 20
        while min(each.idle_s or 0 for each in found_between(*ports)) < 3:
            assert time.monotonic() < until_s
            time.sleep(0.1)
        with accepted:
            client.send(b"x")
            assert accepted.recv(1) == b"x"
            assert all((each.idle_s or 0) < 3 for each in found_between(*ports))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("127.0.0.1", 9))
        (flow,) = found_between(one.getsockname()[1], 9)
    assert flow.idle_s is None
