"""Which connections need a deployment: decided from values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netcont.deploy.flows import Seen, routed, usage
from netcont.deploy.half import Half
from netcont.deploy.usage import InUseError
from netcont.kernel.conntrack import Tracked
from netcont.kernel.flow import Flow
from netcont.kernel.stations import Port, Station
from netcont.model.deployment import SideName

from .files import ROUTED, SEGMENT, TUNNEL, TUNNEL6, deployment

GUEST = "10.1.0.10"


def plan_of(text: str, side: str = "a", *, switched: bool = True):  # type: ignore[no-untyped-def]
    return Half(deployment(text), SideName(side), "web", switched).plan()


def flow(source: str, destination: str, state: str = "established", **more: object) -> Flow:
    return Flow("tcp", source, 4711, destination, 80, state, **more)  # type: ignore[arg-type]


def seen(*flows: Flow, own: tuple[Flow, ...] = (), versions: tuple[int, ...] = (4, 6)) -> Seen:
    return Seen(own, Tracked(flows, frozenset(versions)))


@pytest.mark.parametrize(
    ("side", "switched", "used"), [("a", True, 1), ("a", False, 0), ("b", True, 1), ("b", False, 1)]
)
def test_a_guest_that_is_at_home_does_not_use_the_way_to_the_other_side(
    side: str, switched: bool, used: int
) -> None:
    plan = plan_of(TUNNEL, side, switched=switched)
    found = usage(seen(flow("203.0.113.5", GUEST)), plan)
    assert len(found.flows) == used
    assert found.free is (used == 0)


@pytest.mark.parametrize(
    "other",
    [
        flow("203.0.113.5", "10.1.0.11"),
        flow("203.0.113.5", GUEST, "time-wait"),
        flow("203.0.113.5", GUEST, "close"),
        flow("2001:db8::5", "2001:db8:1::11"),
    ],
)
def test_other_connections_and_those_that_are_over_do_not_count(other: Flow) -> None:
    assert usage(seen(other), plan_of(TUNNEL)).free


def test_a_guest_counts_whichever_end_it_is_and_under_its_translated_address() -> None:
    flows = (
        flow(GUEST, "203.0.113.5"),
        flow("203.0.113.5", GUEST),
        flow("203.0.113.5", "192.0.2.99", translated=(GUEST,)),
    )
    assert usage(seen(*flows), plan_of(TUNNEL)).flows == flows


def test_prefixes_of_both_families_are_looked_into() -> None:
    prefixes = routed(plan_of(TUNNEL6))
    assert "2001:db8:77::1" in prefixes
    assert "2001:db8:1::10" in prefixes
    assert GUEST in prefixes
    assert "2001:db8:78::1" not in prefixes
    assert "10.1.0.11" not in prefixes
    assert "10.2.200.1" in routed(plan_of(ROUTED))


def test_a_connection_of_this_host_is_counted_once() -> None:
    own = flow(GUEST, "203.0.113.5", seen_by="socket")
    found = usage(
        seen(flow("203.0.113.5", "198.51.100.9"), flow(GUEST, "203.0.113.5"), own=(own,)),
        plan_of(TUNNEL),
    )
    assert found.flows == (own,)


def test_a_connection_that_was_idle_for_so_long_does_not_count_but_is_told() -> None:
    idle, used = (flow("203.0.113.5", GUEST, idle_s=each) for each in (3600, 3599))
    unknown = flow("203.0.113.6", GUEST)
    found = usage(seen(idle, used, unknown), plan_of(TUNNEL), 3600)
    assert (found.flows, found.idle) == ((used, unknown), (idle,))
    assert usage(seen(idle, used), plan_of(TUNNEL)).flows == (idle, used)
    assert usage(seen(idle), plan_of(TUNNEL), 3600).free
    told = str(InUseError("web", found))
    assert "in use by 2 connections" in told
    assert "left out as idle: 1 connection:" in told
    assert "idle for 3600 s" in told


@pytest.mark.parametrize(
    ("socket", "tracked", "both"), [(7, 9, 7), (9, 7, 7), (None, 7, 7), (7, None, 7), (None,) * 3]
)
def test_this_hosts_connection_was_used_when_either_saw_it_last(
    socket: int | None, tracked: int | None, both: int | None
) -> None:
    own = flow(GUEST, "203.0.113.5", seen_by="socket", idle_s=socket)
    other = flow(GUEST, "203.0.113.5", idle_s=tracked)
    (found,) = usage(seen(other, own=(own,)), plan_of(TUNNEL)).flows
    assert (found.seen_by, found.idle_s) == ("socket", both)


def test_what_is_not_tracked_is_not_taken_for_idle() -> None:
    found = usage(seen(versions=(6,)), plan_of(TUNNEL))
    assert not found.free
    assert "IPv4" in found.unseen[0]
    assert "nft" in found.unseen[0]
    unread = usage(Seen((), None, "for root only"), plan_of(TUNNEL))
    assert unread.unseen == ("for root only",)


def test_what_is_bridged_cannot_be_seen_where_no_bridge_learns() -> None:
    for ports in ({}, {"nc-vx100": Port("nc-vx100", "br0", (), 1000, None)}):
        found = usage(replace(seen(), ports=ports), plan_of(SEGMENT), 60)
        assert not found.free
        assert "nc-vx100" in found.unseen[0]


def beyond(*idle_s: float) -> Seen:
    stations = tuple(Station(f"02:00:00:00:00:0{n}", None, s, s) for n, s in enumerate(idle_s))
    return replace(seen(), ports={"nc-vx100": Port("nc-vx100", "br0", stations, 1000, 300)})


def test_a_bridged_segment_is_judged_by_who_was_heard_beyond_it() -> None:
    assert usage(beyond(), plan_of(SEGMENT), 300).free
    assert usage(beyond(61, 290), plan_of(SEGMENT), 60).free
    used = usage(beyond(59, 290), plan_of(SEGMENT), 60)
    assert not used.free
    assert used.users() == "1 station beyond nc-vx100"
    assert "02:00:00:00:00:00 spoke 59 s ago" in str(InUseError("web", used))
    assert "290" not in str(InUseError("web", used))


def test_for_longer_than_the_bridge_remembers_it_may_have_been_used() -> None:
    found = usage(beyond(), plan_of(SEGMENT), 301)
    assert not found.free
    assert found.passing
    assert "nc-vx100 was silent for 300 s" in str(InUseError("web", found))
    watched = replace(beyond(), silent_s={"nc-vx100": 301.0})
    assert usage(watched, plan_of(SEGMENT), 301).free


def test_a_refusal_lists_some_connections_and_counts_the_rest() -> None:
    flows = [
        Flow("tcp", "203.0.113.5", port, GUEST, 80, "established", 432000)
        for port in range(1000, 1025)
    ]
    error = InUseError("web", usage(seen(*flows), plan_of(TUNNEL)))
    assert error.exit_code == 1
    assert "25 connections" in str(error)
    assert "tcp 203.0.113.5:1000 -> 10.1.0.10:80 established" in str(error)
    assert "and 15 more" in str(error)
    assert "--drain" in error.remedy


def test_a_default_route_through_the_path_may_carry_anything() -> None:
    text = TUNNEL.replace("key = 42", 'key = 42\nroutes = { a = ["::/0"] }')
    found = usage(seen(), plan_of(text))
    assert not found.free
    assert found.unseen == ("any connection may take the default route through nc-tun",)


def test_what_gateways_say_to_each_other_through_the_path_uses_it_but_for_pings() -> None:
    session = flow("10.255.0.1", "10.255.0.2")
    ping = Flow("icmp", "10.255.0.1", None, "10.255.0.2", None)
    assert usage(seen(session, ping), plan_of(ROUTED)).flows == (session,)
    assert usage(seen(ping), plan_of(ROUTED)).free


def test_a_ping_of_what_is_carried_counts() -> None:
    ping = Flow("icmp", "203.0.113.5", None, GUEST, None)
    assert usage(seen(ping), plan_of(TUNNEL)).flows == (ping,)
