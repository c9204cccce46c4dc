"""A segment's gateway that each side has for itself: what is said about it stays on one side."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from netcont.model.plan.change import Change, change, is_ipv6


class About(Enum):
    """Frames in which an address is spoken of, in nft's words.

    ARP (RFC 826): it is asked for, or told of; Neighbour Discovery (RFC 4861 §4.3, §4.4): it is
    asked for, told of, or asks.
    """

    ARP_TARGET = "arp daddr ip {}"
    ARP_SENDER = "arp saddr ip {}"
    ARP_ASKER = "arp operation request arp saddr ip {}"
    ND_SOLICITED = "icmpv6 type nd-neighbor-solicit @th,64,128 {}"
    ND_ADVERTISED = "icmpv6 type nd-neighbor-advert @th,64,128 {}"
    ND_SOLICITOR = "ip6 saddr {} icmpv6 type nd-neighbor-solicit"


class Direction(NamedTuple):
    """A chain. word: its name; hook, match: where it is, and by which link, in nft's words."""

    word: str
    hook: str
    match: str


IN = Direction("in", "prerouting", "iifname")
OUT = Direction("out", "postrouting", "oifname")


class Rule(NamedTuple):
    """Frames about a gateway that pass a port one way are dropped.

    anonymous: they are not dropped, but lose their sender's address: a probe, from which nobody
    learns anything (RFC 5227 §2.1.1), and which is answered all the same.
    """

    way: Direction
    about: About
    gateway: str
    anonymous: bool = False


_ALWAYS = {4: (About.ARP_TARGET, About.ARP_SENDER), 6: tuple(About)[3:]}


@change
class AddIsolation(Change):
    """A table of nftables for a bridge's port, through which nobody hears who the gateway is.

    port: the table is called so as well. What the gateway asks itself passes, without saying who
    asks. comment: on the table, says whose it is.
    """

    port: str
    gateways: tuple[str, ...]
    comment: str

    def undo(self) -> Change:
        return DelIsolation(self.node, self.port)

    def rules(self) -> Iterator[Rule]:
        """All rules of the table, in their order."""
        for way in (IN, OUT):
            for gateway in self.gateways:
                first, *others = _ALWAYS[6 if is_ipv6(gateway) else 4]
                yield Rule(way, first, gateway)
                if way is OUT and not is_ipv6(gateway):
                    yield Rule(way, About.ARP_ASKER, gateway, anonymous=True)
                for each in others:
                    yield Rule(way, each, gateway)

    def commands(self) -> tuple[str, ...]:
        chains = "".join(self._chain(way) for way in (IN, OUT))
        return (f"nft 'table bridge {self.port} {{ comment \"{self.comment}\";{chains} }}'",)

    def _chain(self, way: Direction) -> str:
        rules = "".join(f" {self._rule(each)};" for each in self.rules() if each.way is way)
        priority = PRIORITIES[way]
        return f" chain {way.word} {{ type filter hook {way.hook} priority {priority};{rules} }};"

    def _rule(self, rule: Rule) -> str:
        about = rule.about.value.format(_operand(rule))
        verdict = "arp saddr ip set 0.0.0.0" if rule.anonymous else "drop"
        return f'{rule.way.match} "{self.port}" {about} counter {verdict}'


PRIORITIES = {IN: -300, OUT: 300}
"""Before everything else, and after it."""


def _operand(rule: Rule) -> str:
    if "@th" not in rule.about.value:
        return rule.gateway
    from ipaddress import IPv6Address  # few plans need it

    return f"0x{IPv6Address(rule.gateway).packed.hex()}"


@change
class DelIsolation(Change):
    """Removes the table of a port."""

    port: str

    def commands(self) -> tuple[str, ...]:
        return (f"nft delete table bridge {self.port}",)
