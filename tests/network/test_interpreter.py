"""Plans applied and undone, judged by what iproute2 says of the kernel."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from netcont.errors import KernelError
from netcont.kernel.interpreter import Interpreter, MemoryJournal
from netcont.kernel.journal import FileJournal
from netcont.model import plan as changes
from netcont.model.plan import (
    AddAddress,
    AddBridge,
    AddBridgeMac,
    AddFdb,
    AddIsolation,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddTunnel,
    AddVlan,
    AddVxlan,
    Change,
    DelAddress,
    DelBridgeMac,
    DelFdb,
    DelIsolation,
    DelLink,
    DelNeighbour,
    DelRoute,
    DelRule,
    Plan,
    SetBridgePort,
    SetMaster,
    SetNetem,
    SetSysctl,
    SetUp,
)

from .bench import OTHER, OWN, Bench, bench, comparable, differences, dump, sh

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("lab")]

MAC = "02:00:00:00:00:77"
FAR = "10.9.0.77"
VTEP = AddVxlan("own", "t0", 100, OWN, 4789, 1500)


@dataclass(frozen=True)
class Case:
    """A change, and those that must be there before it."""

    change: Change
    before: tuple[Change, ...] = ()


ISOLATION = AddIsolation("own", "t0", ("10.9.0.1", "2001:db8::1"), "netcont web")

CASES = {
    "ipip tunnel": Case(AddTunnel("own", "t0", "ipip", OWN, OTHER, ttl=17)),
    "gre tunnel": Case(AddTunnel("own", "t0", "gre", OWN, OTHER)),
    "gre tunnel with a key": Case(AddTunnel("own", "t0", "gre", OWN, OTHER, key=4294967295)),
    "tunnel with an mtu": Case(AddTunnel("own", "t0", "ipip", OWN, OTHER, mtu_bytes=1400)),
    "bridge": Case(AddBridge("own", "t0")),
    "bridge with an mtu": Case(AddBridge("own", "t0", mtu_bytes=1400)),
    "hub": Case(AddBridge("own", "t0", learning=False)),
    "vlan": Case(AddVlan("own", "t0", "a0", 100)),
    "tunnel with the inner ttl and tos": Case(
        AddTunnel("own", "t0", "gre", OWN, OTHER, ttl=0, tos=1, pmtudisc=False)
    ),
    "vxlan": Case(VTEP),
    "vxlan with a remote": Case(AddVxlan("own", "t0", 100, OWN, 4789, 1500, remote=OTHER)),
    "vxlan with a mac": Case(AddVxlan("own", "t0", 100, OWN, 4789, 1500, mac=MAC)),
    "link up": Case(SetUp("own", "p1")),
    "link down": Case(SetUp("own", "p0", up=False)),
    "link up that is up": Case(SetUp("own", "p0")),
    "bridge port": Case(SetMaster("own", "p1", "br0")),
    "port of another bridge": Case(
        SetMaster("own", "p0", "t0"), (AddBridge("own", "t0"), SetMaster("own", "p1", "t0"))
    ),
    "port of no bridge": Case(SetMaster("own", "p1", None), (SetMaster("own", "p1", "br0"),)),
    "address": Case(AddAddress("own", "a0", "10.9.1.1", 24)),
    "address of a host": Case(AddAddress("own", "lo", "10.9.1.1", 32)),
    "no address": Case(DelAddress("own", "a0", OWN, 24)),
    "route": Case(AddRoute("own", "10.8.0.0/16", via=OTHER)),
    "default route": Case(AddRoute("own", "default", via=OTHER)),
    "route through a link": Case(AddRoute("own", "10.8.0.1/32", link="a0")),
    "route in a table": Case(AddRoute("own", "default", link="a0", table=770)),
    "no route": Case(
        DelRoute("own", "default", via=OTHER), (AddRoute("own", "default", via=OTHER),)
    ),
    "rule": Case(AddRule("own", 770, "10.8.0.1/32", 770)),
    "rule with a destination": Case(AddRule("own", 770, "10.8.0.1/32", 254, "10.2.0.0/24")),
    "no rule": Case(
        DelRule("own", 770, "10.8.0.1/32", 770), (AddRule("own", 770, "10.8.0.1/32", 770),)
    ),
    "neighbour": Case(AddNeighbour("own", "a0", FAR, MAC)),
    "proxied neighbour": Case(AddNeighbour("own", "a0", FAR)),
    "no neighbour": Case(
        DelNeighbour("own", "a0", FAR, MAC), (AddNeighbour("own", "a0", FAR, MAC),)
    ),
    "no proxied neighbour": Case(DelNeighbour("own", "a0", FAR), (AddNeighbour("own", "a0", FAR),)),
    "far mac": Case(AddFdb("own", "t0", MAC, OTHER), (VTEP,)),
    "all macs": Case(AddFdb("own", "t0", "00:00:00:00:00:00", OTHER), (VTEP,)),
    "no far mac": Case(DelFdb("own", "t0", MAC, OTHER), (VTEP, AddFdb("own", "t0", MAC, OTHER))),
    "mac of the bridge": Case(
        AddBridgeMac("own", "t0", MAC), (VTEP, SetMaster("own", "t0", "br0"))
    ),
    "no mac of the bridge": Case(
        DelBridgeMac("own", "t0", MAC),
        (VTEP, SetMaster("own", "t0", "br0"), AddBridgeMac("own", "t0", MAC)),
    ),
    "setting": Case(SetSysctl("own", "net.ipv4.conf.a0.rp_filter", "2")),
    "setting of the node": Case(SetSysctl("own", "net.ipv4.ip_forward", "1")),
    "setting of a link with a dot": Case(
        SetSysctl("own", "net.ipv4.conf.a0.100.proxy_arp", "1"),
        (AddVlan("own", "a0.100", "a0", 100),),
    ),
    "missing setting that is optional": Case(
        SetSysctl("own", "net.ipv4.no_such_setting", "1", optional=True)
    ),
}
"""Every kind of change that can be taken back."""

ONE_WAY = {
    "no isolation": Case(DelIsolation("own", "t0"), (ISOLATION,)),
    "no link": Case(DelLink("own", "p1")),
    "link up with an alias": Case(SetUp("own", "p1", alias="netcont web")),
    "arp suppression": Case(
        SetBridgePort("own", "t0", neigh_suppress=True), (VTEP, SetMaster("own", "t0", "br0"))
    ),
    "isolation": Case(ISOLATION),
    "delay": Case(SetNetem("own", "a0", 0.025, 200e6, 0.0, 1000)),
    "delay and loss": Case(SetNetem("own", "a0", 0.1, None, 0.1, 10)),
    "delay that is changed": Case(
        SetNetem("own", "a0", 0.1, 1e6, 0.25, 10), (SetNetem("own", "a0", 0.025, 200e6, 0.0, 100),)
    ),
}
"""Changes of what goes with its namespace, or whose link is removed by the undo."""


@pytest.fixture(scope="module")
def stand() -> Iterator[Bench]:
    """Shared, since every test leaves it as it was, or fails."""
    with bench() as stand:
        yield stand


@pytest.fixture(scope="module")
def at_first(stand: Bench) -> dict[str, str]:
    return dump(stand.own)


def test_no_kind_of_change_is_forgotten_here() -> None:
    kinds = {
        kind
        for kind in vars(changes).values()
        if isinstance(kind, type) and issubclass(kind, Change)
    }
    abstract = {Change, changes.AddLink}
    elsewhere = {changes.Announce, changes.MoveName, changes.UpdateRecord}
    elsewhere |= {changes.Register, changes.Leave, changes.RunAgent, changes.StopAgent}
    tried = {type(case.change) for case in (*CASES.values(), *ONE_WAY.values())}
    assert kinds - abstract - elsewhere == tried


@pytest.mark.parametrize("name", CASES)
def test_what_was_applied_and_undone_never_was(
    stand: Bench, at_first: dict[str, str], name: str
) -> None:
    case = CASES[name]
    prepared = stand.apply(*case.before)
    before = dump(stand.own) if case.before else at_first
    interpreter = stand.apply(case.change)
    during = dump(stand.own)
    interpreter.undo()
    try:
        assert differences(before, dump(stand.own)) == {}
        without_effect = name in {"link up that is up", "missing setting that is optional"}
        assert (during == before) == without_effect
    finally:
        prepared.undo()


@pytest.mark.parametrize("name", CASES)
def test_the_printed_lines_say_the_same(stand: Bench, name: str) -> None:
    case = CASES[name]
    prepared = stand.apply(*case.before)
    journal = MemoryJournal()
    nodes = {"own": stand.own}
    interpreter = Interpreter(nodes, journal)
    interpreter.apply(Plan((case.change,)))
    undos = tuple(journal.undos)
    applied = dump(stand.own)
    interpreter.undo()
    if undos:
        sh(stand.own, "\n".join(case.change.commands()))
    typed = dump(stand.own)
    Interpreter(nodes, pending=undos).undo()
    prepared.undo()
    assert differences(comparable(applied), comparable(typed)) == {}


@pytest.mark.parametrize("case", ONE_WAY.values(), ids=ONE_WAY)
def test_the_printed_lines_of_what_cannot_be_undone_say_the_same(case: Case) -> None:
    with bench() as first, bench() as second:
        first.apply(*case.before, case.change)
        second.apply(*case.before)
        sh(second.own, "\n".join(case.change.commands()))
        applied, typed = (comparable(dump(stand.own)) for stand in (first, second))
    assert differences(applied, typed) == {}


FAILURES = {
    "File exists": AddBridge("own", "p1"),
    "own has no link 'nope'": AddVlan("own", "t1", "nope", 100),
    "Network is unreachable": AddRoute("own", "10.8.0.0/16", via="10.77.0.1"),
    "Cannot assign requested address": DelAddress("own", "a0", "10.77.0.1", 24),
    "No such file or directory": SetSysctl("own", "net.ipv4.conf.nope.rp_filter", "0"),
    "Invalid argument": SetSysctl("own", "net.ipv4.ip_forward", "no number"),
    "unknown node 'elsewhere'": SetUp("elsewhere", "a0"),
}


@pytest.mark.parametrize(("words", "change"), FAILURES.items(), ids=FAILURES)
def test_a_failure_in_the_middle_undoes_what_came_before(
    stand: Bench, at_first: dict[str, str], words: str, change: Change
) -> None:
    earlier = (
        AddTunnel("own", "t0", "ipip", OWN, OTHER),
        AddAddress("own", "t0", "10.9.1.1", 30),
        SetSysctl("own", "net.ipv4.conf.t0.rp_filter", "0"),
        SetUp("own", "t0"),
        AddRoute("own", "10.7.0.0/16", link="t0"),
        SetMaster("own", "p1", "br0"),
        SetUp("own", "p1"),
    )
    interpreter = stand.interpreter()
    with pytest.raises(KernelError, match=words) as caught:
        interpreter.apply(Plan((*earlier, change, AddBridge("own", "never"))))
    assert differences(at_first, dump(stand.own)) == {}
    assert "\n" not in caught.value.message
    interpreter.apply(Plan(earlier))  # nothing stands in its way
    interpreter.undo()


def test_an_earlier_plan_survives_the_failure_of_a_later_one(stand: Bench) -> None:
    interpreter = stand.apply(AddBridge("own", "t0"))
    before = dump(stand.own)
    with pytest.raises(KernelError, match="File exists"):
        interpreter.apply(Plan((AddBridge("own", "t1"), AddBridge("own", "t0"))))
    assert differences(before, dump(stand.own)) == {}
    interpreter.undo()
    assert "t0" not in sh(stand.own, "ip link")


def test_undoing_passes_over_what_is_gone_already(stand: Bench) -> None:
    before = dump(stand.own)
    interpreter = stand.apply(
        AddBridge("own", "t0"),
        AddAddress("own", "t0", "10.9.1.1", 24),
        AddRoute("own", "10.7.0.0/16", link="a0"),
    )
    sh(stand.own, "ip link del t0; ip route del 10.7.0.0/16")
    interpreter.undo()
    assert differences(before, dump(stand.own)) == {}


def test_another_process_undoes_what_a_killed_one_did(stand: Bench, tmp_path: Path) -> None:
    before = dump(stand.own)
    journal = tmp_path / "journal"
    nodes = {"own": stand.own}
    plan = Plan(
        (
            AddTunnel("own", "t0", "gre", OWN, OTHER, key=1),
            SetSysctl("own", "net.ipv4.conf.t0.rp_filter", "0"),
            SetUp("own", "t0"),
            SetSysctl("own", "net.ipv4.conf.a0.proxy_arp", "1"),
            AddRule("own", 770, FAR, 770),
        )
    )
    child = os.fork()
    if child == 0:
        try:
            Interpreter(nodes, FileJournal(journal)).apply(plan)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert "t0" in sh(stand.own, "ip link")
    pending = FileJournal.pending(journal)
    assert len(pending) == len(plan)
    rest = FileJournal(journal)
    Interpreter(nodes, rest, pending).undo()
    rest.close()
    assert differences(before, dump(stand.own)) == {}
    assert FileJournal.pending(journal) == ()


def test_a_torn_entry_of_the_journal_was_never_made(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal")
    journal.add(DelLink("own", "t0"))
    journal.add(DelLink("own", "t1"))
    journal.close()
    data = (tmp_path / "journal").read_bytes()
    for end in range(len(data)):
        (tmp_path / "torn").write_bytes(data[:end])
        pending = FileJournal.pending(tmp_path / "torn")
        assert pending in ((), (DelLink("own", "t0"),))
