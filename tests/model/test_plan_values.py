"""Changes as values: their lines for either family of addresses, and that undos undo."""

from __future__ import annotations

import pytest

from netcont.model.plan import (
    AddAddress,
    AddBridgeMac,
    AddFdb,
    AddIsolation,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddTunnel,
    AddVxlan,
    Announce,
    Change,
    default_route,
)

V6A, V6B = "2001:db8::1", "2001:db8::2"

LINES = {
    'nft \'table bridge t { comment "netcont web";'
    " chain in { type filter hook prerouting priority -300;"
    ' iifname "t" arp daddr ip 192.0.2.1 counter drop;'
    ' iifname "t" arp saddr ip 192.0.2.1 counter drop; };'
    " chain out { type filter hook postrouting priority 300;"
    ' oifname "t" arp daddr ip 192.0.2.1 counter drop;'
    ' oifname "t" arp operation request arp saddr ip 192.0.2.1 counter arp saddr ip set 0.0.0.0;'
    ' oifname "t" arp saddr ip 192.0.2.1 counter drop; }; }\'': AddIsolation(
        "n", "t", ("192.0.2.1",), "netcont web"
    ),
    "ip link add t type ip6gre local 2001:db8::1 remote 2001:db8::2 ttl 64 encaplimit none key 7": (
        AddTunnel("n", "t", "gre", V6A, V6B, key=7)
    ),
    "ip link add t mtu 1400 type ip6tnl mode any local 2001:db8::1 remote 2001:db8::2 ttl inherit"
    " tclass inherit encaplimit none": AddTunnel(
        "n", "t", "ipip", V6A, V6B, ttl=0, tos=1, mtu_bytes=1400
    ),
    "ip link add t type gre local 10.0.0.1 remote 10.0.0.2 ttl 64 tos 0x10 key 7": AddTunnel(
        "n", "t", "gre", "10.0.0.1", "10.0.0.2", tos=16, key=7
    ),
    "ip link add t type ipip mode ipip local 10.0.0.1 remote 10.0.0.2 ttl inherit nopmtudisc": (
        AddTunnel("n", "t", "ipip", "10.0.0.1", "10.0.0.2", ttl=0, pmtudisc=False)
    ),
    "ip link add t mtu 1430 type vxlan id 9 local 2001:db8::1 dstport 4789": AddVxlan(
        "n", "t", 9, V6A, 4789, 1430
    ),
    "ip link add t mtu 1450 type vxlan id 9 local 10.0.0.1 group 239.1.1.1 dev e0 ttl 64"
    " dstport 4789": AddVxlan("n", "t", 9, "10.0.0.1", 4789, 1450, group="239.1.1.1", device="e0"),
    "ip -6 addr add 2001:db8::1/64 dev e0 nodad": AddAddress("n", "e0", V6A, 64),
    "ip addr add 10.0.0.1/24 dev e0": AddAddress("n", "e0", "10.0.0.1", 24),
    "ip -6 route add ::/0 dev t table 770 proto 77": AddRoute("n", "::/0", link="t", table=770),
    "ip -6 route add 2001:db8::9/128 via 2001:db8::2 proto 77": AddRoute(
        "n", "2001:db8::9/128", via=V6B
    ),
    "ip -6 route replace unreachable 2001:db8::9/128 proto 77": AddRoute(
        "n", "2001:db8::9/128", kind="unreachable", replace=True
    ),
    "ip route add blackhole 10.0.0.0/8 proto 77": AddRoute("n", "10.0.0.0/8", kind="blackhole"),
    "ip -6 rule add pref 7 from ::/0 to 2001:db8::/64 iif e0 lookup 770 protocol 77": AddRule(
        "n", 7, "::/0", 770, "2001:db8::/64", incoming="e0"
    ),
    "ip rule add pref 7 from 0.0.0.0/0 iif e0 lookup 770 protocol 77": AddRule(
        "n", 7, "0.0.0.0/0", 770, incoming="e0"
    ),
    "bridge fdb replace 02:00:00:00:00:01 dev t master permanent": AddBridgeMac(
        "n", "t", "02:00:00:00:00:01"
    ),
    "ip -6 neigh add proxy 2001:db8::1 dev e0 router": AddNeighbour("n", "e0", V6A, router=True),
    "ip -6 neigh replace 2001:db8::1 lladdr 02:00:00:00:00:01 dev e0 nud permanent": AddNeighbour(
        "n", "e0", V6A, "02:00:00:00:00:01"
    ),
    "bridge fdb append 00:00:00:00:00:00 dev t dst 2001:db8::2": AddFdb(
        "n", "t", "00:00:00:00:00:00", V6B
    ),
    "ndsend 2001:db8::1 e0  # as 02:00:00:00:00:01": Announce("n", "e0", V6A, "02:00:00:00:00:01"),
}


@pytest.mark.parametrize("line", LINES)
def test_the_line_of_a_change_is_of_its_addresses_family(line: str) -> None:
    assert LINES[line].commands() == (line,)


@pytest.mark.parametrize(
    "change",
    [each for each in LINES.values() if (undo := each.undo()) is not None and undo.undo()],
    ids=repr,
)
def test_the_undo_of_an_undo_is_the_change(change: Change) -> None:
    undo = change.undo()
    assert undo is not None
    again = undo.undo()
    if again is None:
        assert undo.commands() == ("ip link del t",)
    else:
        assert again.commands() == tuple(
            line.replace(" replace unreachable", " add unreachable") for line in change.commands()
        )


def test_each_family_has_a_default_route_of_its_own() -> None:
    assert (default_route("10.0.0.1"), default_route(V6A)) == ("default", "::/0")
