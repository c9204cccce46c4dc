"""Routes, and rules that say which table of them is looked into."""

from __future__ import annotations

from netcont.model.own import ROUTE_PROTOCOL
from netcont.model.plan.change import Change, change, ip, is_ipv6

MAIN_TABLE = 254


def default_route(address: str) -> str:
    """The destination of the default route of an address's family."""
    return "::/0" if is_ipv6(address) else "default"


@change
class AddRoute(Change):
    """A route to destination by a gateway or straight through a link.

    destination: a prefix; "default" is IPv4's default route, "::/0" IPv6's. replace: instead of
    another one of netcont's that is there, in one step. kind: "unicast"; or "blackhole" (dropped)
    or "unreachable" (answered so), both without via and link.
    """

    destination: str
    via: str | None = None
    link: str | None = None
    table: int = MAIN_TABLE
    replace: bool = False
    kind: str = "unicast"

    def undo(self) -> Change:
        return DelRoute(self.node, self.destination, self.via, self.link, self.table, self.kind)

    def commands(self) -> tuple[str, ...]:
        verb = "replace" if self.replace else "add"
        return (f"{ip(self.destination)} route {verb} {_route(self)}",)


@change
class DelRoute(Change):
    """Removes the route that AddRoute with the same fields added."""

    destination: str
    via: str | None = None
    link: str | None = None
    table: int = MAIN_TABLE
    kind: str = "unicast"

    def undo(self) -> Change:
        return AddRoute(
            self.node, self.destination, self.via, self.link, self.table, kind=self.kind
        )

    def commands(self) -> tuple[str, ...]:
        return (f"{ip(self.destination)} route del {_route(self)}",)


def _route(route: AddRoute | DelRoute) -> str:
    kind = "" if route.kind == "unicast" else f"{route.kind} "
    via = f" via {route.via}" if route.via else ""
    link = f" dev {route.link}" if route.link else ""
    table = f" table {route.table}" if route.table != MAIN_TABLE else ""
    return f"{kind}{route.destination}{via}{link}{table} proto {ROUTE_PROTOCOL}"


@change
class AddRule(Change):
    """Policy routing: packets from source (and to destination) look into table.

    source: a prefix; "0.0.0.0/0" and "::/0" are any of that family. incoming: only what came in
    through this link.
    """

    priority: int
    source: str
    table: int
    destination: str | None = None
    incoming: str | None = None

    def undo(self) -> Change:
        return DelRule(
            self.node, self.priority, self.source, self.table, self.destination, self.incoming
        )

    def commands(self) -> tuple[str, ...]:
        return (f"{ip(self.source)} rule add {_rule(self)}",)


@change
class DelRule(Change):
    """Removes the rule that AddRule with the same fields added."""

    priority: int
    source: str
    table: int
    destination: str | None = None
    incoming: str | None = None

    def undo(self) -> Change:
        return AddRule(
            self.node, self.priority, self.source, self.table, self.destination, self.incoming
        )

    def commands(self) -> tuple[str, ...]:
        return (f"{ip(self.source)} rule del {_rule(self)}",)


def _rule(rule: AddRule | DelRule) -> str:
    to = f" to {rule.destination}" if rule.destination else ""
    incoming = f" iif {rule.incoming}" if rule.incoming else ""
    return (
        f"pref {rule.priority} from {rule.source}{to}{incoming} lookup {rule.table}"
        f" protocol {ROUTE_PROTOCOL}"
    )
