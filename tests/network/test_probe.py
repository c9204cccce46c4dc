"""Other ends of tunnels and VLANs are asked, and path MTUs measured, in a kernel that has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy.bench import Ended, Gateway
from deploy.pair import Pair, addresses, pair

from netcont.deploy.builder import Builder
from netcont.deploy.far_ends import far_ends
from netcont.deploy.half import Half
from netcont.deploy.here import Here
from netcont.deploy.path_mtu import measure
from netcont.deploy.reach import reach
from netcont.deploy.reach_view import reach_values
from netcont.kernel.asking import Asker
from netcont.model.deployment import (
    Deployment,
    Extension,
    ExtensionKind,
    ListPerSide,
    PerSide,
    Side,
    SideName,
    Sides,
    Tunnel,
    TunnelKind,
)

pytestmark = pytest.mark.network(lab="deploy")

IN = ListPerSide(("10.255.0.1/30",), ("10.255.0.2/30",))
IN6 = ListPerSide(("fd00::1/64",), ("fd00::2/64",))
GRE, IPIP = TunnelKind.GRE, TunnelKind.IPIP
VLAN = Extension(
    ExtensionKind.VLAN,
    vlan_id=5,
    parent=PerSide("wire", "wire"),
    bridge=PerSide("nc-br", "nc-br"),
)
CASES = {
    "gre": (4, Tunnel(GRE, key=42)),
    "gre with addresses": (4, Tunnel(GRE, addresses=IN)),
    "gre with addresses of IPv6": (4, Tunnel(GRE, addresses=IN6)),
    "ipip": (4, Tunnel(IPIP)),
    "ipip with addresses": (4, Tunnel(IPIP, addresses=IN)),
    "ip6gre": (6, Tunnel(GRE, key=42)),
    "ip6gre with addresses": (6, Tunnel(GRE, addresses=IN6)),
    "ip6tnl": (6, Tunnel(IPIP)),
    "ip6tnl with addresses of IPv4": (6, Tunnel(IPIP, addresses=IN)),
    "vlan": (4, VLAN),
}
INNER_MTUS = {
    "gre with addresses": 1476,
    "gre with addresses of IPv6": 1476,
    "ipip with addresses": 1480,
    "ip6gre with addresses": 1456,
    "ip6tnl with addresses of IPv4": 1460,
    "vlan": 1500,
}


@pytest.fixture
def two(lab: Path, tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        made.a.sh(f"ip link add wire type veth peer name wire netns {made.b.pid}")
        made.a.sh("ip link set wire up")
        made.b.sh("ip link set wire up")
        yield made


def deployment(family: int, link: Tunnel | Extension) -> Deployment:
    sides = Sides(*(Side(each) for each in addresses(family)))
    if isinstance(link, Tunnel):
        return Deployment(sides, tunnel=(link,))
    return Deployment(sides, extension=(link,))


def up(host: Gateway, half: Half) -> Ended:
    def inside() -> None:
        with Here() as node:
            Builder(node, host.state, announcing_s=0).up(half, "web.toml", patience_s=1.0)

    return host.run(inside)


def asked(host: Gateway, half: Half) -> dict[str, Any]:
    def inside() -> None:
        with Here() as node, Asker(node) as asker:
            (found,) = reach_values(reach(asker, far_ends(half), 1.0, full=True)).values()
            print(json.dumps(found))

    ended = host.run(inside)
    assert ended.status == 0, ended.said
    found: dict[str, Any] = json.loads(ended.said)
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_other_end_answers_once_it_is_up(two: Pair, case: str) -> None:
    wanted = deployment(*CASES[case])
    a, b = (Half(wanted, side, "web") for side in SideName)
    assert up(two.a, a).status == 0
    assert asked(two.a, a)["state"] == ("silent" if case == "vlan" else "refuses")
    assert up(two.b, b).status == 0
    for host, half in ((two.a, a), (two.b, b)):
        found = asked(host, half)
        assert (found["state"], found["both_ways"]) == ("answers", case in INNER_MTUS), found
        assert found["full_bytes"] == INNER_MTUS.get(case)
        assert found["passes"] is (True if case in INNER_MTUS else None)


def test_another_key_is_another_tunnel(two: Pair) -> None:
    a = Half(deployment(4, Tunnel(GRE, key=42, addresses=IN)), SideName.A, "web")
    b = Half(deployment(4, Tunnel(GRE, key=43, addresses=IN)), SideName.B, "web")
    assert up(two.a, a).status == 0
    assert up(two.b, b).status == 0
    assert asked(two.a, a)["state"] == "refuses"


def test_a_filter_that_drops_an_unnumbered_tunnel_is_not_taken_for_an_answer(two: Pair) -> None:
    wanted = deployment(4, Tunnel(GRE))
    a, b = (Half(wanted, side, "web") for side in SideName)
    two.b.sh("sysctl -qw net.ipv4.conf.all.rp_filter=2")
    assert up(two.b, b).status == 0
    assert up(two.a, a).status == 0
    assert asked(two.a, a)["state"] == "silent"


NARROW = {
    "gre": (4, GRE, None, "it would make packets of 1500 bytes", 1376),
    "gre, as large as the link": (4, GRE, 1476, "mtu_bytes 1476 makes", 1376),
    "ipip": (4, IPIP, 1480, "mtu_bytes 1480 makes", 1380),
    "ip6gre": (6, GRE, 1456, "mtu_bytes 1456 makes", 1356),
    "ip6tnl": (6, IPIP, None, "it would make packets of 1500 bytes", 1360),
}


@pytest.mark.parametrize("vanish", [False, True], ids=["told", "black hole"])
@pytest.mark.parametrize("case", NARROW)
def test_a_tunnel_that_does_not_fit_the_path_is_refused_with_the_size_that_does(
    two: Pair, case: str, vanish: bool
) -> None:
    family, kind, mtu, said, fits = NARROW[case]
    two.narrow(1400)
    if vanish:
        two.silence()
    ended = up(two.a, Half(deployment(family, Tunnel(kind, mtu_bytes=mtu)), SideName.A, "web"))
    assert ended.status == 1
    assert said in ended.said
    assert f"write mtu_bytes = {fits}" in ended.said
    assert ("larger ones vanish" if vanish else "says so") in ended.said
    assert "nc-tun" not in two.a.sh("ip -o link")
    right = Half(deployment(family, Tunnel(kind, mtu_bytes=fits, addresses=IN)), SideName.A, "web")
    assert up(two.a, right).status == 0
    assert up(two.b, Half(right.deployment, SideName.B, "web")).status == 0
    found = asked(two.a, right)
    assert (found["full_bytes"], found["passes"]) == (fits, True)


def test_a_path_that_loses_packets_is_measured_all_the_same(two: Pair) -> None:
    two.narrow(1400)
    two.router.sh("tc qdisc add dev to-b root netem loss 20% delay 5ms limit 1000")
    path = addresses(4)

    def inside() -> None:
        with Here() as node, Asker(node) as asker:
            print([measure(asker, {path: 1500}, 1.0)[path].mtu_bytes for _ in range(5)])

    ended = two.a.run(inside)
    assert ended.said == "[1400, 1400, 1400, 1400, 1400]\n"
