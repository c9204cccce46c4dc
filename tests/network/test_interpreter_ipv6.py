"""IPv6 plans applied, undone, typed and read back, judged by what iproute2 says of the kernel."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from netcont.deploy.standing import Standing, state
from netcont.kernel.interpreter import Interpreter, MemoryJournal
from netcont.kernel.reader import read_facts
from netcont.model.plan import (
    AddAddress,
    AddFdb,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddTunnel,
    AddVxlan,
    Announce,
    DelAddress,
    DelFdb,
    DelNeighbour,
    DelRoute,
    DelRule,
    Plan,
    SetSysctl,
)

from .bench import OTHER, OTHER6, OWN, OWN6, Bench, bench, comparable, differences, dump, sh
from .test_interpreter import MAC, Case

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("lab")]

FAR = "2001:db8:9::77"
VTEP = AddVxlan("own", "t0", 100, OWN6, 4789, 1430)

CASES = {
    "gre tunnel": Case(AddTunnel("own", "t0", "gre", OWN6, OTHER6)),
    "gre tunnel with a key": Case(AddTunnel("own", "t0", "gre", OWN6, OTHER6, key=4294967295)),
    "gre tunnel with the inner ttl and class": Case(
        AddTunnel("own", "t0", "gre", OWN6, OTHER6, ttl=0, tos=1, mtu_bytes=1400)
    ),
    "ip tunnel": Case(AddTunnel("own", "t0", "ipip", OWN6, OTHER6, ttl=17, tos=0x28)),
    "ip tunnel with the inner ttl and class": Case(
        AddTunnel("own", "t0", "ipip", OWN6, OTHER6, ttl=0, tos=1, mtu_bytes=1400)
    ),
    "gre tunnel over IPv4": Case(AddTunnel("own", "t0", "gre", OWN, OTHER)),
    "vxlan": Case(VTEP),
    "vxlan with a group": Case(
        AddVxlan("own", "t0", 100, OWN6, 4789, 1400, group="ff05::77", device="a0")
    ),
    "vxlan with a group of IPv4": Case(
        AddVxlan("own", "t0", 100, OWN, 4789, 1400, group="239.1.1.1", device="a0")
    ),
    "address": Case(AddAddress("own", "a0", "2001:db8:1::1", 64)),
    "address of a host": Case(AddAddress("own", "lo", "2001:db8:1::1", 128)),
    "no address": Case(DelAddress("own", "a0", OWN6, 64)),
    "route": Case(AddRoute("own", "2001:db8:8::/48", via=OTHER6)),
    "default route": Case(AddRoute("own", "::/0", via=OTHER6)),
    "route through a link": Case(AddRoute("own", "2001:db8:8::1/128", link="a0")),
    "route in a table": Case(AddRoute("own", "::/0", link="a0", table=770)),
    "route to nowhere": Case(AddRoute("own", "2001:db8:8::/48", kind="blackhole")),
    "route that is answered": Case(AddRoute("own", "2001:db8:8::/48", kind="unreachable")),
    "IPv4 route to nowhere": Case(AddRoute("own", "10.8.0.0/16", kind="blackhole", table=770)),
    "IPv4 route that is answered": Case(AddRoute("own", "10.8.0.0/16", kind="unreachable")),
    "no route": Case(DelRoute("own", "::/0", via=OTHER6), (AddRoute("own", "::/0", via=OTHER6),)),
    "rule": Case(AddRule("own", 770, "2001:db8:8::1/128", 770)),
    "rule with a destination": Case(AddRule("own", 770, "::/0", 770, "2001:db8:2::/64")),
    "rule for what comes in": Case(AddRule("own", 770, "::/0", 770, incoming="a0")),
    "IPv4 rule for what comes in": Case(AddRule("own", 770, "0.0.0.0/0", 770, incoming="a0")),
    "no rule": Case(
        DelRule("own", 770, "::/0", 770, incoming="a0"),
        (AddRule("own", 770, "::/0", 770, incoming="a0"),),
    ),
    "neighbour": Case(AddNeighbour("own", "a0", FAR, MAC)),
    "neighbour that is a router": Case(AddNeighbour("own", "a0", FAR, MAC, router=True)),
    "proxied neighbour": Case(AddNeighbour("own", "a0", FAR)),
    "proxied router": Case(AddNeighbour("own", "a0", FAR, router=True)),
    "no neighbour": Case(
        DelNeighbour("own", "a0", FAR, MAC), (AddNeighbour("own", "a0", FAR, MAC),)
    ),
    "no proxied neighbour": Case(
        DelNeighbour("own", "a0", FAR, router=True),
        (AddNeighbour("own", "a0", FAR, router=True),),
    ),
    "far mac": Case(AddFdb("own", "t0", MAC, OTHER6), (VTEP,)),
    "all macs": Case(AddFdb("own", "t0", "00:00:00:00:00:00", OTHER6), (VTEP,)),
    "no far mac": Case(DelFdb("own", "t0", MAC, OTHER6), (VTEP, AddFdb("own", "t0", MAC, OTHER6))),
    "setting": Case(SetSysctl("own", "net.ipv6.conf.a0.proxy_ndp", "1")),
    "setting of the node": Case(SetSysctl("own", "net.ipv6.conf.default.forwarding", "1")),
}
"""What only a node with IPv6 can be told, and kinds of routes and rules."""


@pytest.fixture(scope="module")
def fallbacks() -> None:
    """The kernel's fallback devices (gre0, ip6tnl0, …) come with the first tunnel of their kind, in
    every namespace, and stay."""
    with bench(ipv6=True) as first:
        for kind, ends in {
            "gre": f"local {OWN} remote {OTHER}",
            "ipip": f"local {OWN} remote {OTHER}",
            "ip6gre": f"local {OWN6}",
            "ip6tnl": f"local {OWN6}",
        }.items():
            sh(first.own, f"ip link add t0 type {kind} {ends}; ip link del t0")


@pytest.fixture(scope="module")
def stand(fallbacks: None) -> Iterator[Bench]:
    """Shared, since every test leaves it as it was, or fails."""
    with bench(ipv6=True) as stand:
        yield stand


@pytest.fixture(scope="module")
def at_first(stand: Bench) -> dict[str, str]:
    return dump(stand.own)


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_what_its_line_says_and_what_is_read_and_can_be_undone(
    stand: Bench, at_first: dict[str, str], name: str
) -> None:
    case, own = CASES[name], stand.own
    prepared = stand.apply(*case.before)
    before = dump(own) if case.before else at_first
    journal = MemoryJournal()
    interpreter = Interpreter({"own": own}, journal)
    interpreter.apply(Plan((case.change,)))
    undos = tuple(journal.undos)
    applied, read = dump(own), read_facts(own)
    interpreter.undo()
    undone, read_again = dump(own), read_facts(own)
    sh(own, "\n".join(case.change.commands()))
    typed = dump(own)
    Interpreter({"own": own}, pending=undos).undo()
    prepared.undo()
    assert differences(before, undone) == {}
    assert applied != before
    assert differences(comparable(applied), comparable(typed)) == {}
    if type(case.change).__name__.startswith("Add"):
        assert state(case.change, read).standing is Standing.PRESENT
        assert state(case.change, read_again).standing is Standing.MISSING


@pytest.mark.parametrize("router", [True, False])
def test_a_neighbour_that_is_announced_is_the_router_that_it_is_said_to_be(
    stand: Bench, router: bool
) -> None:
    sh(stand.other, f"ip neigh replace {FAR} lladdr 02:00:00:00:00:01 dev b0 nud stale router")
    stand.apply(Announce("own", "a0", FAR, MAC, rounds=0, router=router))
    time.sleep(0.1)
    learned = sh(stand.other, f"ip -6 neigh show {FAR}")
    assert f"lladdr {MAC}" in learned
    assert ("router" in learned) == router
