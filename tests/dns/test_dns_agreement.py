"""When all servers of a zone count as agreed: refusals of this host's own are no disagreement."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import pytest
from dns_servers import LOOPBACK, NAME, NEW_4, QUICK, free_port

from netcont.dns.agreement import Agreed, _without_other_addresses, wait_until_agreed
from netcont.dns.authority import Zone
from netcont.dns.exchange import Caller
from netcont.dns.records import RecordSet, read
from netcont.dns.refusal import refusal
from netcont.dns.server import Server
from netcont.errors import DnsError
from netcont.kernel.namespace import Namespace, create_namespace

FOUR = Server("192.0.2.53", 53, "ns1.example.org.")
SIX = Server("2001:db8::53", 53, "ns1.example.org.")
OTHER = Server("2001:db8::54", 53, "ns2.example.org.")


def no_route(server: Server) -> DnsError:
    return refusal("NOROUTE", str(server), "a question")


def test_an_address_without_a_route_counts_by_the_other_address_of_its_server() -> None:
    agreed = {FOUR: Agreed(FOUR, 0.0)}
    assert _without_other_addresses({SIX: no_route(SIX)}, agreed) == {}


def test_a_server_that_cannot_be_reached_at_any_address_lags_behind() -> None:
    lagging = {OTHER: no_route(OTHER)}
    assert _without_other_addresses(lagging, {FOUR: Agreed(FOUR, 0.0)}) == lagging


def test_an_old_answer_at_one_address_is_a_disagreement() -> None:
    lagging = {SIX: DnsError("old", code="OLD")}
    assert _without_other_addresses(lagging, {FOUR: Agreed(FOUR, 0.0)}) == lagging


@pytest.mark.skipif(os.geteuid() != 0, reason="a namespace without routes needs root")
@pytest.mark.parametrize("address", ["192.0.2.53", "2001:db8::53"])
def test_a_host_without_a_route_says_so_at_once(address: str) -> None:
    pid = create_namespace()
    try:
        with Namespace("bare", pid) as node, node.entered(), pytest.raises(DnsError) as caught:
            read(NAME, "A", Server(address), Caller(patience=QUICK))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert caught.value.code == "NOROUTE"
    assert "no route to addresses of its family" in caught.value.message


def test_servers_that_stay_silent_are_waited_for_and_all_named() -> None:
    port = free_port(LOOPBACK)
    silent = tuple(Server(LOOPBACK, port, f"ns{n}.example.org.") for n in (1, 2))
    zone = Zone("example.org.", silent[0], silent, 60)
    caller = Caller(patience=QUICK)
    begun_s = time.monotonic()
    with pytest.raises(DnsError) as caught:
        wait_until_agreed(
            zone, (RecordSet(NAME, "A", (NEW_4,), 5),), _within(caller, agreement_s=1.5)
        )
    assert 1.5 <= time.monotonic() - begun_s < 6
    assert caught.value.code == "DISAGREE"
    assert all(str(server) in caught.value.message for server in silent)


def _within(caller: Caller, agreement_s: float) -> Caller:
    return replace(caller, patience=replace(caller.patience, agreement_s=agreement_s))
