"""What is said to others: announcements on a link, DNS updates."""

from __future__ import annotations

from dataclasses import dataclass, field

from netcont.model.plan.change import Change, change, is_ipv6


@change
class Announce(Change):
    """Says on a link that address is at mac: gratuitous ARP (RFC 5227), for IPv6 an unsolicited
    Neighbour Advertisement (RFC 4861 §7.2.6); rarp: and RARP for switches.

    router: the advertisement says that the address is a router's: else hosts that learned a default
    route from that router forget it (RFC 4861 §7.2.5). Sent at once and then in QEMU's rhythm:
    after 50 ms, then rounds - 1 times more, each pause 100 ms longer than the one before, and
    550 ms at most.
    """

    link: str
    address: str
    mac: str
    rarp: bool = False
    rounds: int = 5
    router: bool = False

    def commands(self) -> tuple[str, ...]:
        if is_ipv6(self.address):
            return (f"ndsend {self.address} {self.link}  # as {self.mac}",)
        return (f"arping -c 1 -A -I {self.link} {self.address}  # as {self.mac}",)


@dataclass(frozen=True)
class TsigKey:
    """A key for RFC 8945; the secret never shows."""

    name: str
    algorithm: str
    secret: str = field(repr=False)


@change
class UpdateRecord(Change):
    """RFC 2136: the record gets value, provided that it has the value was (prerequisite)."""

    server: str
    zone: str
    name: str
    kind: str
    value: str
    was: str
    ttl_s: int
    key: TsigKey

    def undo(self) -> Change:
        return UpdateRecord(
            self.node,
            self.server,
            self.zone,
            self.name,
            self.kind,
            value=self.was,
            was=self.value,
            ttl_s=self.ttl_s,
            key=self.key,
        )

    def commands(self) -> tuple[str, ...]:
        owner = f"{self.name}.{self.zone}."
        return (
            f"nsupdate -k {self.key.name}.key  # server {self.server}; "
            f"prereq yxrrset {owner} {self.kind} {self.was}; "
            f"update delete {owner} {self.kind}; "
            f"update add {owner} {self.ttl_s} {self.kind} {self.value}; send",
        )
