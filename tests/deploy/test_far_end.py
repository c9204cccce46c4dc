"""What the other end of each kind of link is asked. Pure."""

from __future__ import annotations

import json

import pytest

from netcont.deploy.far_end import FarEnd, far_end_of
from netcont.deploy.far_ends import far_ends
from netcont.deploy.half import Half
from netcont.deploy.segments import port_mac
from netcont.kernel.question import BROADCAST, OWN_MAC, Ethernet, Manner, Question
from netcont.model.deployment import SideName

from .files import deployment

OUTER = ("192.0.2.1", "198.51.100.1")
OUTER6 = ("2001:db8:a::1", "2001:db8:b::1")
FAR = port_mac("web", SideName.B, "nc-vx5")
FRAME = Ethernet(OWN_MAC, FAR)

GRE = '[tunnel]\nkind = "gre"\n'
VXLAN = '[extension]\nkind = "vxlan"\nvni = 5\n'
VLAN = '[extension]\nkind = "vlan"\nvlan_id = 5\nparent = { a = "eth2", b = "eth2" }\n'
INNER = 'addresses = { a = "10.255.0.1/30", b = "10.255.0.2/30" }\n'
INNER6 = 'addresses = { a = "fd00::1/64", b = "fd00::2/64" }\n'
IN, IN6 = ("10.255.0.1", "10.255.0.2"), ("fd00::1", "fd00::2")
BRIDGE = 'bridge = { a = "br0", b = "br0" }\n'

CASES: dict[str, tuple[tuple[str, str], str, Question | None, bool]] = {
    "tunnel": (OUTER, GRE, Question(Manner.ECHO, *OUTER, "nc-tun", around=4), False),
    "tunnel with addresses": (
        OUTER,
        GRE + INNER,
        Question(Manner.ECHO, *IN, "nc-tun", around=4),
        True,
    ),
    "tunnel over IPv6": (OUTER6, GRE, Question(Manner.PACKET, *OUTER6, "nc-tun", around=6), False),
    "tunnel over IPv6 with addresses of IPv4": (
        OUTER6,
        GRE + INNER,
        Question(Manner.ECHO, *IN, "nc-tun", around=6),
        True,
    ),
    "VXLAN with a bridge": (
        OUTER,
        VXLAN + BRIDGE,
        Question(Manner.ARP, *OUTER, "nc-vx5", FRAME, 4),
        True,
    ),
    "VXLAN with addresses": (
        OUTER,
        VXLAN + INNER,
        Question(Manner.ARP, *IN, "nc-vx5", FRAME, 4),
        True,
    ),
    "VXLAN over IPv6": (
        OUTER6,
        VXLAN + BRIDGE,
        Question(Manner.PACKET, *OUTER6, "nc-vx5", FRAME, 6),
        False,
    ),
    "VXLAN over IPv6 with addresses of IPv4": (
        OUTER6,
        VXLAN + INNER,
        Question(Manner.ARP, *IN, "nc-vx5", FRAME, 6),
        True,
    ),
    "VXLAN over IPv6 with addresses of IPv6": (
        OUTER6,
        VXLAN + INNER6,
        Question(Manner.PACKET, *IN6, "nc-vx5", FRAME, 6),
        True,
    ),
    "VLAN": (
        OUTER,
        VLAN + BRIDGE,
        Question(Manner.ARP, *OUTER, "nc-vlan5", Ethernet(OWN_MAC, BROADCAST)),
        True,
    ),
    "VLAN between IPv6 gateways": (OUTER6, VLAN + BRIDGE, None, True),
    "VLAN between IPv6 gateways with addresses": (
        OUTER6,
        VLAN + INNER6,
        Question(Manner.ECHO, *IN6, "nc-vlan5"),
        True,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_link_is_asked_in_its_manner(case: str) -> None:
    outer, link, question, both_ways = CASES[case]
    sides = f'[side.a]\naddress = "{outer[0]}"\n[side.b]\naddress = "{outer[1]}"\n'
    (found,) = far_ends(Half(deployment(sides + link), SideName.A, "web"))
    assert (found.local, found.remote) == outer
    assert found.question == question
    assert found.both_ways == both_ways
    assert far_end_of(json.loads(json.dumps(found))) == found


def test_the_other_side_asks_the_other_way_round() -> None:
    text = f'[side.a]\naddress = "{OUTER[0]}"\n[side.b]\naddress = "{OUTER[1]}"\n' + VXLAN + INNER
    (found,) = far_ends(Half(deployment(text), SideName.B, "web"))
    macs = Ethernet(OWN_MAC, port_mac("web", SideName.A, "nc-vx5"))
    question = Question(Manner.ARP, *reversed(IN), "nc-vx5", macs, 4)
    assert found == FarEnd("nc-vx5", *reversed(OUTER), question)
