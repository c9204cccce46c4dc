"""How the other end of each tunnel and segment can be asked whether it is there. Pure.

On a segment, by ARP: at the MAC that netcont gave the other end's port, for its inner address or
the other gateway's outer one; Linux answers for every address that it has (arp_ignore in the
kernel's ip-sysctl), and learns nothing from who has no address yet (RFC 5227). In a tunnel, by an
echo request to its inner address; the answer comes back the same way. Without inner addresses the
other gateway is asked for its outer address within the tunnel: it takes the packet out, and answers
past the tunnel. So an answer means that it decapsulates, with the same key or VNI.
"""

from __future__ import annotations

from netcont.deploy.far_end import FarEnd
from netcont.deploy.half import Half
from netcont.deploy.segments import port_mac
from netcont.kernel.question import BROADCAST, OWN_MAC, Ethernet, Manner, Question
from netcont.model.deployment import (
    Extension,
    ExtensionKind,
    ListPerSide,
    SideName,
    Tunnel,
    family_of,
    of_family,
)


def far_ends(half: Half) -> tuple[FarEnd, ...]:
    """Those of one side of a deployment, in the file's order."""
    tunnels = [_of_tunnel(half, each) for each in half.deployment.tunnel]
    return (*tunnels, *(_of_segment(half, each) for each in half.deployment.extension))


def _outer(half: Half) -> tuple[str, str]:
    return half.deployment.at(half.side).address, half.deployment.at(half.side.other).address


def _inner(
    side: SideName, addresses: ListPerSide, families: tuple[int, ...] = (4, 6)
) -> tuple[str, str] | None:
    """Own and far inner address, of one family."""
    for family in families:
        own = of_family(addresses.at(side), family)
        far = of_family(addresses.at(side.other), family)
        if own is not None and far is not None:
            return own.partition("/")[0], far.partition("/")[0]
    return None


def _of_tunnel(half: Half, tunnel: Tunnel) -> FarEnd:
    outer, inner = _outer(half), _inner(half.side, tunnel.addresses)
    around = half.deployment.family
    if inner is not None:
        asked = Question(Manner.ECHO, *inner, tunnel.name, around=around)
        return FarEnd(tunnel.name, *outer, asked)
    # IPv4 takes a destination for on-link if it is told the link; IPv6 asks its routes again.
    manner = Manner.ECHO if around == 4 else Manner.PACKET
    asked = Question(manner, *outer, tunnel.name, around=around)
    return FarEnd(tunnel.name, *outer, asked, both_ways=False)


def _of_segment(half: Half, one: Extension) -> FarEnd:
    outer, vxlan = _outer(half), one.kind is ExtensionKind.VXLAN
    around = half.deployment.family if vxlan else 0
    far = port_mac(half.name, half.side.other, one.link) if vxlan else BROADCAST
    macs = Ethernet(OWN_MAC, far)
    ends = _inner(half.side, one.addresses, (4,)) or outer
    if family_of(ends[1]) == 4:
        return FarEnd(one.link, *outer, Question(Manner.ARP, *ends, one.link, macs, around))
    inner = _inner(half.side, one.addresses)
    if vxlan:
        asked = Question(Manner.PACKET, *(inner or outer), one.link, macs, around)
        return FarEnd(one.link, *outer, asked, both_ways=inner is not None)
    device = one.bridge.at(half.side) or one.link
    return FarEnd(one.link, *outer, Question(Manner.ECHO, *inner, device) if inner else None)
