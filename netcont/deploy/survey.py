"""What a host has that a deployment could use. Asks the kernel, changes nothing, needs no root."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from netcont.deploy.address import Prefix, parsed, prefix_of
from netcont.errors import ConfigurationError
from netcont.kernel.facts import Facts
from netcont.kernel.lookup import way_to
from netcont.kernel.namespace import Namespace
from netcont.model.own import OWN_PREFIX
from netcont.model.plan import MAIN_TABLE

_MODULES = {"gre": "ip_gre", "ipip": "ipip", "vxlan": "vxlan", "vlan": "8021q"}
_MODULES_IPV6 = {**_MODULES, "gre": "ip6_gre", "ipip": "ip6_tunnel"}
"""Which module of Linux makes links of a kind, over IPv4 and over IPv6."""

_USUAL_MTU_BYTES = 1500

_NOBODY_ELSE_S = tuple(prefix_of(each) for each in ("127.0.0.0/8", "::1", "fe80::/10"))

_NO_LAN = frozenset({"gre", "ipip", "ip6gre", "ip6tnl", "sit", "vxlan", "wireguard", "tun"})


@dataclass(frozen=True)
class Own:
    """An address of this host's. mtu_bytes: of the link that it is on."""

    link: str
    address: str
    prefix: Prefix
    mtu_bytes: int

    @property
    def network(self) -> str:
        """Its prefix as text."""
        return str(self.prefix.network)


@dataclass(frozen=True)
class Survey:
    """outer: the address to send to the other side from. mtu_bytes: what passes on that way, as far
    as this host knows. owns: all addresses but loopback's and link-local ones. lans: those of them
    where guests could be. bridges, circuits: links. kinds: what is known of a kind of link.
    """

    outer: Own | None
    mtu_bytes: int
    owns: tuple[Own, ...]
    lans: tuple[Own, ...]
    bridges: tuple[str, ...]
    circuits: tuple[str, ...]
    kinds: Mapping[str, str]
    vnis: frozenset[int]
    taken: tuple[Prefix, ...]
    macs: Mapping[str, str] = field(default_factory=dict)

    @property
    def modules(self) -> Mapping[str, str]:
        """Which module of Linux makes links of a kind over the outer address's family."""
        return _modules(self.outer)


def survey(node: Namespace, facts: Facts, peer: str | None, root: Path = Path("/")) -> Survey:
    """Looks around. peer: the other side's address, if it is known. root: of /sys and /lib.

    Raises ConfigurationError if there is no way to the peer, or if it is this host itself.
    """
    owns = tuple(_owns(facts))
    outer, mtu_bytes = _outside(facts, owns) if peer is None else _towards(node, facts, owns, peer)
    links = [link for link in facts.links.values() if not link.name.startswith(OWN_PREFIX)]
    away = (outer.link if outer else None, "lo")
    used = {own.link for own in owns} | {link.master for link in links if link.master}
    return Survey(
        outer,
        mtu_bytes,
        owns,
        tuple(own for own in owns if own.link not in away and _may_be_lan(own, facts)),
        tuple(sorted(link.name for link in links if link.kind == "bridge")),
        tuple(sorted(e.name for e in links if not e.kind and e.name not in used | {"lo"})),
        {kind: _known(module, root) for kind, module in _modules(outer).items()},
        frozenset(int(str(link.details["vni"])) for link in links if "vni" in link.details),
        tuple(_taken(facts)),
        {address: mac for (_, address), (mac, _) in facts.neighbours.items()},
    )


def _modules(outer: Own | None) -> Mapping[str, str]:
    return _MODULES_IPV6 if outer is not None and outer.prefix.family == 6 else _MODULES


def _outside(facts: Facts, owns: tuple[Own, ...]) -> tuple[Own | None, int]:
    """The first address on the link that a default route leads through."""
    for destination, family in (("default", 4), ("::/0", 6)):
        for route in facts.routes.get((destination, MAIN_TABLE), ()):
            for own in owns:
                if own.link == route.link and own.prefix.family == family:
                    return own, own.mtu_bytes
    return None, _USUAL_MTU_BYTES


def _towards(
    node: Namespace, facts: Facts, owns: tuple[Own, ...], peer: str
) -> tuple[Own | None, int]:
    """The address that the kernel would send to the peer from, and what passes on that way."""
    if any(address == peer for _, address, _ in facts.addresses):
        raise ConfigurationError(
            f"{peer} is this host's own address", remedy="write --peer with the other gateway's"
        )
    way = way_to(node, peer)
    if way is None:
        raise ConfigurationError(
            f"there is no route to {peer} here",
            remedy=f"see `ip route get {peer}`, or leave --peer out",
        )
    outer = next((own for own in owns if own.address == way.source), None)
    return outer, way.mtu_bytes or (outer.mtu_bytes if outer else _USUAL_MTU_BYTES)


def _owns(facts: Facts) -> Iterator[Own]:
    for link, address, length in sorted(
        facts.addresses, key=lambda e: (facts.links[e[0]].ifindex, e)
    ):
        prefix = prefix_of(f"{address}/{length}")
        if not any(each.overlaps(prefix) for each in _NOBODY_ELSE_S):
            yield Own(link, address, prefix, facts.links[link].mtu_bytes)


def _may_be_lan(own: Own, facts: Facts) -> bool:
    kind = facts.links[own.link].kind
    single = own.prefix.first == own.prefix.last
    return not single and kind not in _NO_LAN and not own.link.startswith(OWN_PREFIX)


def _known(module: str, root: Path) -> str:
    """What the files of the running kernel say: "loaded", "available" or "" for nothing."""
    if (root / "sys/module" / module).exists():
        return "loaded"
    directory = root / "lib/modules" / platform.release()
    for name in ("modules.builtin", "modules.dep"):
        try:
            listed = (directory / name).read_text()
        except OSError:
            continue
        if f"/{module}.ko" in listed:
            return "available"
    return ""


def _taken(facts: Facts) -> Iterator[Prefix]:
    for _, address, length in facts.addresses:
        yield prefix_of(f"{address}/{length}").network
    for destination, _ in facts.routes:
        prefix = parsed(destination)
        if prefix is not None and prefix.length:
            yield prefix
