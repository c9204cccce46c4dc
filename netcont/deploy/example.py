"""A commented deployment file, from what a host has; what nobody can know stays marked. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from netcont.deploy.address import prefix_of
from netcont.deploy.survey import Own, Survey
from netcont.model.deployment import ExtensionKind, SideName, TunnelKind

KINDS = (*(kind.value for kind in TunnelKind), *(kind.value for kind in ExtensionKind))

_COLUMN = 41
"""Where comments begin."""


@dataclass(frozen=True)
class Wish:
    """What is asked for. side: this host's. peer, guest: addresses. kind: one of KINDS, None: gre
    where the kernel has it."""

    side: SideName
    peer: str | None = None
    guest: str | None = None
    kind: str | None = None


@dataclass
class Example:
    """A file being written. missing: keys that are to be filled in."""

    name: str
    seen: Survey
    wish: Wish
    lines: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The whole file."""
        return "\n".join(self.lines) + "\n"

    def note(self, *texts: str) -> None:
        """Comments on lines of their own."""
        self.lines += [f"# {text}".rstrip() for text in texts]

    def line(self, text: str, comment: str = "") -> None:
        """A line as it is."""
        self.lines.append(f"{text.ljust(_COLUMN - 1)} # {comment}" if comment else text)

    def value(self, key: str, value: str | None, comment: str, what: str = "") -> None:
        """A text of a table; what: what is to be filled in if it is not known. key: whole."""
        if value is None:
            self.missing.append(key)
        self.line(f"{key.rpartition('.')[2]} = {_quoted(value, what)}", comment)

    def pair(self, key: str, here: str | None, there: str | None, comment: str, what: str) -> None:
        """A text for each side; what: what is to be filled in where it is not known."""
        by_side = {self.wish.side: here, self.wish.side.other: there}
        for side in SideName:
            if by_side[side] is None:
                self.missing.append(f"{key}.{side}")
        inner = (f"{e} = {_quoted(by_side[e], f'{what} {e.upper()}')}" for e in SideName)
        self.line(f"{key.rpartition('.')[2]} = {{ {', '.join(inner)} }}", comment)


def _quoted(value: str | None, what: str) -> str:
    """As TOML has it. What is to be filled in cannot be taken for an address or a link."""
    return json.dumps(f"<{what}>" if value is None else value)


def example(name: str, seen: Survey, wish: Wish) -> Example:
    """The file called name."""
    made = Example(name, seen, wish)
    made.note(
        f"Written by `netcont init` on what is side {wish.side}. This file is for both gateways.",
        f"Is it right?                   netcont validate {name}",
        f"What would it do here?         netcont plan {name} --side {wish.side}",
        "Every key:                     netcont validate --schema",
        "",
        "The largest packet that passes between the gateways, as far as this one knows.",
    )
    made.line(f"path_mtu_bytes = {seen.mtu_bytes}")
    kind, home = _kind(seen, wish), _home(seen, wish)
    tunnelled = kind in TunnelKind.__members__.values()
    for side in SideName:
        made.line("")
        made.line(f"[side.{side}]")
        if side is wish.side:
            _this_side(made, home, lans=tunnelled)
        else:
            _other_side(made, lans=tunnelled and wish.guest is not None)
    made.line("")
    _known_kinds(made)
    if tunnelled:
        _tunnel(made, kind)
    else:
        _extension(made, kind)
    made.line("")
    _guest(made, home, tunnelled=tunnelled)
    return made


def _home(seen: Survey, wish: Wish) -> Own | None:
    """The LAN of guests: that of the guest in question, or the first that there is."""
    if wish.guest is None:
        return seen.lans[0] if seen.lans else None
    guest = prefix_of(wish.guest)
    fitting = [own for own in seen.lans if own.prefix.overlaps(guest)]
    same = [own for own in seen.lans if own.prefix.family == guest.family]
    return next(iter((*fitting, *same)), None)


def _this_side(made: Example, home: Own | None, *, lans: bool) -> None:
    seen, side = made.seen, f"side.{made.wish.side}"
    comment = f"this host's, on {seen.outer.link}" if seen.outer else "of this host"
    address = seen.outer.address if seen.outer else None
    made.value(f"{side}.address", address, comment, "this host's address")
    others = [f"{own.address} ({own.link})" for own in seen.owns if own != seen.outer]
    if others:
        made.note(f"it has as well: {', '.join(others)}")
    if not lans:
        return
    if home is not None:
        made.value(f"{side}.link", home.link, "the LAN of guests")
        made.value(f"{side}.prefix", home.network, "its addresses")
        others = [f"{own.network} ({own.link})" for own in seen.lans if own != home]
        if others:
            made.note(f"or: {', '.join(others)}")
    elif made.wish.guest is not None:
        made.value(f"{side}.link", None, "the LAN of guests", "link of this LAN")
        made.value(f"{side}.prefix", None, "its addresses", "prefix of this LAN")


def _other_side(made: Example, *, lans: bool) -> None:
    side = made.wish.side.other
    letter = side.upper()
    made.value(f"side.{side}.address", made.wish.peer, "the other gateway's", f"gateway {letter}")
    if lans:
        made.value(f"side.{side}.link", None, "its LAN", f"link of the LAN at {letter}")
        made.value(f"side.{side}.prefix", None, "its addresses", f"prefix of the LAN at {letter}")


def _kind(seen: Survey, wish: Wish) -> str:
    if wish.kind is not None:
        return wish.kind
    return "vxlan" if seen.kinds["vxlan"] and not seen.kinds["gre"] else "gre"


def _known_kinds(made: Example) -> None:
    known = {kind: found for kind, found in made.seen.kinds.items() if found}
    shown = [f"{kind} ({found})" for kind, found in known.items()]
    none = [
        f"{kind} (module {name})" for kind, name in made.seen.modules.items() if kind not in known
    ]
    made.note(f"This kernel has: {', '.join(shown) or 'none that its files speak of'}.")
    if none:
        made.note(f"Its files do not speak of: {', '.join(none)}.")


def _tunnel(made: Example, kind: str) -> None:
    made.line("[tunnel]")
    made.line(f'kind = "{kind}"', 'or "gre", "ipip"; or [extension], with "vxlan" or "vlan"')
    if kind == TunnelKind.GRE:
        made.line("key = 1", "both ends must have the same")
    here, there = _free_ends(made)
    made.pair("tunnel.addresses", here, there, "to ping the other end; nothing here uses them", "")


def _free_ends(made: Example) -> tuple[str, str]:
    for number in range(1 << 14):
        base = f"10.255.{number >> 6}"
        low = (number & 63) << 2
        prefix = prefix_of(f"{base}.{low}/30")
        if not any(prefix.overlaps(each) for each in made.seen.taken):
            ends = (f"{base}.{low + 1}/30", f"{base}.{low + 2}/30")
            return ends if made.wish.side is SideName.A else (ends[1], ends[0])
    raise AssertionError("a host has less than 16384 prefixes in 10.255.0.0/16")


def _extension(made: Example, kind: str) -> None:
    seen = made.seen
    made.line("[extension]")
    made.line(f'kind = "{kind}"', 'or "vxlan", "vlan"; or [tunnel], with "gre" or "ipip"')
    if kind == ExtensionKind.VXLAN:
        vni = next(each for each in range(100, 1 << 24) if each not in seen.vnis)
        made.line(f"vni = {vni}", "nothing here uses it")
        made.line("port = 4789", "UDP")
    else:
        made.line("vlan_id = 100")
        links = ", ".join(seen.circuits)
        comment = f"links without a use here: {links}" if links else "the carrier's circuit"
        made.pair("extension.parent", None, None, comment, "circuit at")
    there = f" (here: {', '.join(seen.bridges)})" if seen.bridges else ""
    made.note(f"Bridges that are there{there}; those called nc-… are made.")
    here = seen.bridges[0] if seen.bridges else "nc-stretch"
    made.pair("extension.bridge", here, "nc-stretch", "", "")
    made.line("arp_suppression = true", "ARP is answered, not flooded")
    made.note(
        'anycast_gateway = "…"'.ljust(_COLUMN - 3) + " # a gateway at each side: docs/deploy.md"
    )
    if kind == ExtensionKind.VXLAN:
        made.line("fragment = true", "frames of full size pass in fragments")


def _guest(made: Example, home: Own | None, *, tunnelled: bool) -> None:
    wish = made.wish
    if wish.guest is None:
        made.note("An address that moves to the other side (see --guest):", "[guest]")
        made.note('address = "…"', f'from = "{wish.side}"')
        return
    at_home = home is not None and home.prefix.overlaps(prefix_of(wish.guest))
    made.line("[guest]")
    made.line(f"address = {json.dumps(wish.guest)}", "it keeps it when it moves")
    at = wish.side if at_home else wish.side.other
    made.line(f'from = "{at}"', "where it is at home")
    if not tunnelled:
        mac = made.seen.macs.get(wish.guest)
        if mac is not None:
            made.line(f'mac = "{mac}"', "announced where it arrives")
        return
    if at_home and home is not None and home.address != wish.guest:
        made.line(f'gateway = "{home.address}"', "told at the other side who that is now")
    else:
        made.line('# gateway = "…"', "its gateway at home, told who that is now")
    made.line("reverse = true", "what it sends goes home first")
