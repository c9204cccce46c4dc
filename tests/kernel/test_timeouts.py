"""What the time left of an entry tells of its last use."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from namespace_shell import inside

from netcont.deploy.flows import TRACK
from netcont.kernel.conntrack import read_conntrack
from netcont.kernel.flow import Flow
from netcont.kernel.namespace import Namespace
from netcont.kernel.timeouts import Timeouts, read_timeouts

DAYS = 432000
TIMEOUTS = Timeouts({"tcp": (10, 30, 60, 120, 300, DAYS), "generic": (600,)})


@pytest.mark.parametrize(
    ("left_s", "idle_s"),
    [
        (DAYS, 0),
        (DAYS - 1, 0),
        (DAYS - 3601, 3600),
        (301, DAYS - 302),
        (300, 0),
        (299, 0),
        (200, 99),
    ],
)
def test_the_shortest_timeout_that_it_may_have_begun_with_counts(left_s: int, idle_s: int) -> None:
    assert TIMEOUTS.idle_s("tcp", left_s) == idle_s


def test_what_no_timeout_explains_is_not_known() -> None:
    assert TIMEOUTS.idle_s("tcp", DAYS + 1) is None
    assert Timeouts().idle_s("tcp", 5) is None


def test_a_protocol_without_timeouts_of_its_own_has_the_generic_one() -> None:
    assert TIMEOUTS.idle_s("89", 500) == 99


@contextmanager
def connected(node: Namespace) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection over the loopback there; the second one accepted it."""
    with ExitStack() as after, node.entered():
        server = after.enter_context(socket.create_server(("127.0.0.1", 5001)))
        client = after.enter_context(socket.create_connection(("127.0.0.1", 5001)))
        yield client, after.enter_context(server.accept()[0])


def tracked(node: Namespace) -> Flow:
    (found,) = [each for each in read_conntrack(node).flows if each.protocol == "tcp"]
    return found


def test_the_settings_are_those_of_the_namespace(node: Namespace) -> None:
    inside(node, f"{TRACK}; sysctl -qw net.netfilter.nf_conntrack_udp_timeout=77")
    found = read_timeouts(node).of_protocol
    assert 77 in found["udp"]
    shown = inside(node, "sysctl -n net.netfilter.nf_conntrack_tcp_timeout_established")
    assert found["tcp"][-1] == int(shown)
    assert len(found["tcp"]) == 10
    assert set(found) >= {"tcp", "udp", "icmp", "icmpv6", "generic"}


def test_a_connection_is_idle_for_as_long_as_its_entry_has_lost(node: Namespace) -> None:
    inside(node, TRACK)
    with connected(node) as (client, accepted):
        assert (tracked(node).idle_s or 0) < 60
        # As if two hours had passed: the entry has that much less than what it would begin with.
        established = "net.netfilter.nf_conntrack_tcp_timeout_established"
        inside(node, f"sysctl -qw {established}={DAYS + 7200}")
        assert 7199 <= (tracked(node).idle_s or 0) <= 7260
        client.send(b"x")
        assert accepted.recv(1) == b"x"
        assert (tracked(node).idle_s or 0) < 60


def test_data_that_nobody_acknowledges_does_not_look_idle(node: Namespace) -> None:
    inside(node, TRACK)
    with connected(node) as (client, _):
        inside(
            node,
            "nft 'table inet x { chain y { type filter hook output priority -400;"
            " tcp sport 5001 drop ; } ; }'",
        )
        client.send(b"x")
        found = tracked(node)
    assert found.state == "established"
    assert (found.expires_s or DAYS) <= 300
    assert (found.idle_s or 0) < 60


def test_with_timeouts_of_some_connections_own_nothing_is_known(node: Namespace) -> None:
    inside(node, TRACK)
    inside(
        node,
        "nft 'table inet x { ct timeout short { protocol tcp ; policy = { established : 3600 }"
        ' ; } ; chain y { type filter hook output priority 0 ; ct timeout set "short" ; } ; }\'',
    )
    with connected(node):
        found = tracked(node)
    assert (found.expires_s or DAYS) <= 3600
    assert found.idle_s is None
