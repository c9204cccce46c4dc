"""IPv6 on a host: what is refused, and that up and down leave no trace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from .bench import AT_B_IPV6, Gateway, difference, needs_root
from .files import SEGMENT6, TUNNEL6
from .test_up_and_down import refused, right, written

pytestmark = needs_root


@dataclass(frozen=True)
class Wrong:
    """A host that is not fit. side, text: for what; said: what is read then."""

    done: str
    side: str
    text: str
    said: tuple[str, ...]


LEARNED = "ip -6 route replace default via fe80::1 dev wan0 proto ra"

WRONG = {
    "does not forward": Wrong(
        "sysctl -qw net.ipv6.conf.all.forwarding=0",
        "a",
        TUNNEL6,
        ("net.ipv6.conf.all.forwarding is 0", "`sysctl -w net.ipv6.conf.all.forwarding=1`"),
    ),
    "does not forward from the LAN": Wrong(
        "sysctl -qw net.ipv6.conf.lan0.forwarding=0",
        "a",
        TUNNEL6,
        ("net.ipv6.conf.lan0.forwarding is 0",),
    ),
    "would lose its default route": Wrong(
        f"sysctl -qw net.ipv6.conf.all.forwarding=0; {LEARNED}",
        "a",
        TUNNEL6,
        ("all.forwarding=1`", "before that `sysctl -w net.ipv6.conf.wan0.accept_ra=2`"),
    ),
    "has no default route for questions": Wrong(
        f"{AT_B_IPV6}\nip -6 route replace 2001:db8:a::/64 via 2001:db8:b::fe;"
        " ip -6 route del default",
        "b",
        TUNNEL6,
        ("no route to 2001:db8:1::1, for which this host is to answer",),
    ),
    "has another address": Wrong(
        "ip addr del 2001:db8:a::1/64 dev wan0",
        "a",
        TUNNEL6,
        ("this host has no address 2001:db8:a::1", "it has 2001:db8:1::1, ::1)"),
    ),
    "does not reach the remote": Wrong(
        "ip -6 route del default", "a", SEGMENT6, ("no route to 2001:db8:b::1",)
    ),
    "is both": Wrong("ip addr add 2001:db8:b::1/128 dev lo", "a", SEGMENT6, ("this host's own",)),
    "has the route": Wrong(
        "ip -6 route add 2001:db8:2::/48 via 2001:db8:a::5", "a", SEGMENT6, ("it is there already",)
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_host_lacks_for_ipv6_is_refused_first(
    host6: Gateway, tmp_path: Path, case: str
) -> None:
    wrong = WRONG[case]
    host6.sh(wrong.done)
    before = host6.snapshot()
    file = written(tmp_path, wrong.text)
    refused(host6.cli("plan", file, "--side", wrong.side), *wrong.said)
    refused(host6.cli("up", file, "--side", wrong.side))
    assert difference(before, host6.snapshot()) == []


def test_a_host_that_keeps_a_route_that_it_learned_is_told_nothing_of_it(
    host6: Gateway, tmp_path: Path
) -> None:
    host6.sh(f"sysctl -qw net.ipv6.conf.wan0.accept_ra=2 net.ipv6.conf.all.forwarding=0; {LEARNED}")
    said = host6.cli("plan", written(tmp_path, TUNNEL6), "--side", "a").said
    assert "net.ipv6.conf.all.forwarding is 0" in said
    assert "accept_ra" not in said


def test_a_segment_over_ipv6_stands_is_typed_and_is_taken_back(
    host6: Gateway, tmp_path: Path
) -> None:
    before = host6.snapshot()
    file = written(tmp_path, SEGMENT6)
    right(host6.cli("up", file, "--side", "a"))
    applied = host6.snapshot()
    assert "was up already" in right(host6.cli("up", file, "--side", "a"))
    assert "web: side a, up" in right(host6.cli("status"))
    right(host6.cli("down", file))
    assert difference(before, host6.snapshot()) == []
    lines = right(host6.cli("plan", file, "--side", "a")).splitlines()
    host6.sh("\n".join(line[2:] for line in lines if line.startswith("+ ")))
    assert difference(applied, host6.snapshot()) == []
