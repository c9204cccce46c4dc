"""Segments over a carrier's circuit, each side with a gateway of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from deploy.bench import difference
from deploy.test_anycast_traffic import (
    AT_B_LAN,
    CLIENT,
    FILES,
    GATEWAY,
    GUEST,
    about_gateway,
    frames,
    reaches,
    recorded,
    stretch,
)
from deploy.test_up_and_down import right

pytestmark = pytest.mark.network(lab="deploy")


@pytest.mark.parametrize("family", [4, 6])
def test_on_a_vlan_each_side_has_its_own_gateway(lab: Path, tmp_path: Path, family: int) -> None:
    text = FILES[family].replace("fragment = true\n", "")
    text = text.replace(
        'kind = "vxlan"\nvni = 100', 'kind = "vlan"\nvlan_id = 7\nparent = { a = "c0", b = "c0" }'
    )
    with stretch(family, text, tmp_path) as one:
        two, pcap = one.two, tmp_path / "across.pcap"
        before = [gateway.snapshot() for gateway in (two.a, two.b)]
        one.up()
        with recorded(two.a, "nc-vlan7", pcap):
            one.move()
            for who in (one.host, one.guest):
                who.sh("ip neigh flush dev eth0")
                assert reaches(who, GATEWAY[family])
            assert (one.known(one.host), one.known(one.guest)) == (one.mac("a"), one.mac("b"))
            assert reaches(two.router, GUEST[family])
            assert reaches(one.guest, CLIENT[family])
            two.router.sh("ip link set to-b down")
            two.a.sh("ip link set c0 down")
            assert reaches(one.guest, AT_B_LAN[family])
        assert frames(two.a, pcap, "arp" if family == 4 else "icmp6 and ip6[40]=135")
        assert about_gateway(one, pcap) == []
        two.b.sh(f"ip link set guest0 nomaster; ip link set guest0 netns {two.a.pid}")
        two.a.sh("ip link set guest0 master br0 up; ip link set c0 up")
        two.router.sh("ip link set to-b up")
        for gateway, was in zip((two.a, two.b), before, strict=True):
            right(gateway.cli("down", "web"))
            assert difference(was, gateway.snapshot()) == []
