"""Addresses of links."""

from __future__ import annotations

from netcont.model.plan.change import Change, change, ip, is_ipv6


@change
class DelAddress(Change):
    """Takes an address from a link."""

    link: str
    address: str
    prefixlen: int

    def undo(self) -> Change:
        return AddAddress(self.node, self.link, self.address, self.prefixlen)

    def commands(self) -> tuple[str, ...]:
        return (f"{ip(self.address)} addr del {self.address}/{self.prefixlen} dev {self.link}",)


@change
class AddAddress(Change):
    """Gives an address to a link. One of IPv6 can be used at once: nobody is asked whether they
    have it (RFC 4862 §5.4)."""

    link: str
    address: str
    prefixlen: int

    def undo(self) -> Change:
        return DelAddress(self.node, self.link, self.address, self.prefixlen)

    def commands(self) -> tuple[str, ...]:
        nodad = " nodad" if is_ipv6(self.address) else ""
        return (
            f"{ip(self.address)} addr add {self.address}/{self.prefixlen} dev {self.link}{nodad}",
        )
