"""Whether this host passes on what guests send and get: its settings, which are its owner's."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from netcont.deploy.half import Half
from netcont.kernel.facts import Facts
from netcont.kernel.namespace import Namespace
from netcont.model.deployment import Tunnel, family_of, of_family
from netcont.model.plan import MAIN_TABLE

_STRICT, _LOOSE = "1", "2"
_LEARNED = 9  # RTPROT_RA: from a router advertisement


def not_forwarding(half: Half, facts: Facts, node: Namespace) -> Iterator[str]:
    """What keeps packets of guests in tunnels, or of hosts on a segment that has its gateway here,
    from being forwarded. Reads only."""
    deployment = half.deployment
    carried = [guest for guest in deployment.guest if isinstance(deployment.carrier(guest), Tunnel)]
    families = {family_of(guest.address) for guest in carried}
    lans = {half.lan} if 6 in families else set()
    for one in deployment.extension:
        families |= {family_of(each) for each in one.anycast_gateway}
        if of_family(one.anycast_gateway, 6):
            lans.add(one.bridge.at(half.side) or "")
    if 4 in families:
        yield from _ipv4(half, node)
    if 6 in families:
        yield from _ipv6({each for each in lans if each in facts.links}, facts, node)


def _ipv4(half: Half, node: Namespace) -> Iterator[str]:
    if node.read_sysctl("net.ipv4.ip_forward") == "0":
        yield (
            "net.ipv4.ip_forward is 0: this host passes on nothing of a guest's:"
            " `sysctl -w net.ipv4.ip_forward=1`"
        )
    strictness = node.read_sysctl("net.ipv4.conf.all.rp_filter")
    if strictness == _STRICT:
        yield (
            "net.ipv4.conf.all.rp_filter is 1 (strict): what comes out of the tunnel would be"
            " dropped: `sysctl -w net.ipv4.conf.all.rp_filter=0`"
        )
    elif strictness == _LOOSE:
        yield from _filtered(half)


def _filtered(half: Half) -> Iterator[str]:
    """What comes out of a link without an address passes a loose filter only if its source is
    reached through that link (the kernel's fib_validate_source)."""
    for guest in half.deployment.guest:
        tunnel = half.deployment.carrier(guest)
        if not isinstance(tunnel, Tunnel) or guest.reverse or guest.source is half.side:
            continue
        if family_of(guest.address) == 4 and of_family(tunnel.addresses.at(half.side), 4) is None:
            yield (
                "net.ipv4.conf.all.rp_filter is 2 (loose): the kernel would drop what clients"
                f" send to {guest.address} through {tunnel.name}, as it has no address: give it"
                " addresses, or `sysctl -w net.ipv4.conf.all.rp_filter=0`"
            )


def _ipv6(lans: Collection[str], facts: Facts, node: Namespace) -> Iterator[str]:
    """A host that forwards by the setting of all links answers for others on those links only that
    forward themselves (the kernel's ndisc_recv_ns)."""
    for where in ("all", *sorted(lans)):
        if node.read_sysctl(f"net.ipv6.conf.{where}.forwarding") == "0":
            key = f"net.ipv6.conf.{where}.forwarding"
            passes = (
                f"{key} is 0: this host passes on nothing of an IPv6 guest's: `sysctl -w {key}=1`"
            )
            yield passes + _default_route_lost(facts, node)
            return


def _default_route_lost(facts: Facts, node: Namespace) -> str:
    """A router does not learn from other routers, unless it is told to (ip-sysctl: accept_ra)."""
    for route in facts.routes.get(("::/0", MAIN_TABLE), ()):
        key = f"net.ipv6.conf.{route.link}.accept_ra"
        if route.protocol == _LEARNED and node.read_sysctl(key) != "2":
            return (
                f", and before that `sysctl -w {key}=2`: its default route was learned from a"
                " router advertisement, and would be lost"
            )
    return ""
