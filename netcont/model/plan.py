"""Effects as values: what is to be changed on which node, how it is undone, and which command
line says the same. Nothing here acts; ``netcont.kernel`` does.

A change's ``undo()`` is the change that takes it back (None: there is nothing to take back).
``commands()`` gives the equal ``ip``, ``bridge``, ``tc``, ``sysctl`` or ``nsupdate`` lines for a
reader; netcont itself never runs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Change:
    """One change on one node."""

    node: str

    def undo(self) -> Change | None:
        """The change that takes this one back."""
        return None

    def commands(self) -> tuple[str, ...]:
        """Equal command lines."""
        raise NotImplementedError(type(self).__name__)


@dataclass(frozen=True)
class DelLink(Change):
    """Removes a link and all that hangs on it."""

    name: str

    def commands(self) -> tuple[str, ...]:
        return (f"ip link del {self.name}",)


@dataclass(frozen=True)
class AddLink(Change):
    """Common to all new links: a name, and its removal as the undo."""

    name: str

    def undo(self) -> Change:
        return DelLink(self.node, self.name)


@dataclass(frozen=True)
class AddTunnel(AddLink):
    """An IP-in-IP (RFC 2003) or GRE (RFC 2784, key: RFC 2890) tunnel.

    ttl 0, tos 1: the inner packet's. pmtudisc: outer packets have the DF bit; the kernel takes
    False together with ttl 0 only.
    """

    kind: str
    local: str
    remote: str
    ttl: int = 64
    key: int | None = None
    mtu_bytes: int | None = None
    tos: int = 0
    pmtudisc: bool = True

    def commands(self) -> tuple[str, ...]:
        key = f" key {self.key}" if self.key is not None else ""
        mtu = f" mtu {self.mtu_bytes}" if self.mtu_bytes else ""
        # Else iproute2 would have it carry MPLS as well.
        mode = " mode ipip" if self.kind == "ipip" else ""
        tos = f" tos {'inherit' if self.tos == 1 else f'0x{self.tos:x}'}" if self.tos else ""
        ttl = self.ttl or "inherit"
        pmtudisc = "" if self.pmtudisc else " nopmtudisc"
        return (
            f"ip link add {self.name}{mtu} type {self.kind}{mode} local {self.local}"
            f" remote {self.remote} ttl {ttl}{tos}{key}{pmtudisc}",
        )


@dataclass(frozen=True)
class AddBridge(AddLink):
    """A bridge without spanning tree. learning False: a hub, that floods every frame. mac None:
    the kernel's choice."""

    mtu_bytes: int | None = None
    learning: bool = True
    mac: str | None = None

    def commands(self) -> tuple[str, ...]:
        ageing = "" if self.learning else " ageing_time 0"
        mac = f" address {self.mac}" if self.mac else ""
        mtu = f" mtu {self.mtu_bytes}" if self.mtu_bytes else ""
        return (
            f"ip link add {self.name}{mac}{mtu} type bridge"
            f" stp_state 0 forward_delay 0 mcast_snooping 0{ageing}",
        )


@dataclass(frozen=True)
class AddVlan(AddLink):
    """An 802.1Q sub-interface of parent."""

    parent: str
    vlan_id: int

    def commands(self) -> tuple[str, ...]:
        return (f"ip link add link {self.parent} name {self.name} type vlan id {self.vlan_id}",)


@dataclass(frozen=True)
class AddVxlan(AddLink):
    """A VTEP (RFC 7348). Its MTU is set on purpose: the kernel would leave 1500 regardless.

    mac None: the kernel's choice.
    """

    vni: int
    local: str
    port: int
    mtu_bytes: int
    mac: str | None = None

    def commands(self) -> tuple[str, ...]:
        mac = f" address {self.mac}" if self.mac else ""
        return (
            f"ip link add {self.name}{mac} mtu {self.mtu_bytes} type vxlan id {self.vni}"
            f" local {self.local} dstport {self.port}",
        )


@dataclass(frozen=True)
class SetAlias(Change):
    """Says on a link, for `ip link` to show, whose it is."""

    link: str
    alias: str

    def commands(self) -> tuple[str, ...]:
        return (f'ip link set {self.link} alias "{self.alias}"',)


@dataclass(frozen=True)
class SetUp(Change):
    """A link's administrative state; was is read from the kernel when the change is applied."""

    link: str
    up: bool = True
    was: bool | None = None

    def undo(self) -> Change | None:
        return None if self.was is None else SetUp(self.node, self.link, self.was)

    def commands(self) -> tuple[str, ...]:
        return (f"ip link set {self.link} {'up' if self.up else 'down'}",)


@dataclass(frozen=True)
class SetMaster(Change):
    """Makes a link a port of a bridge (master None: of none).

    was is read from the kernel when the change is applied.
    """

    link: str
    master: str | None
    was: str | None = None

    def undo(self) -> Change | None:
        return SetMaster(self.node, self.link, self.was) if self.master != self.was else None

    def commands(self) -> tuple[str, ...]:
        target = f"master {self.master}" if self.master else "nomaster"
        return (f"ip link set {self.link} {target}",)


@dataclass(frozen=True)
class SetBridgePort(Change):
    """How a bridge treats one port: neigh_suppress answers ARP locally instead of flooding it."""

    link: str
    neigh_suppress: bool

    def commands(self) -> tuple[str, ...]:
        state = "on" if self.neigh_suppress else "off"
        return (f"bridge link set dev {self.link} neigh_suppress {state}",)


@dataclass(frozen=True)
class DelAddress(Change):
    """Takes an address from a link."""

    link: str
    address: str
    prefixlen: int

    def undo(self) -> Change:
        return AddAddress(self.node, self.link, self.address, self.prefixlen)

    def commands(self) -> tuple[str, ...]:
        return (f"ip addr del {self.address}/{self.prefixlen} dev {self.link}",)


@dataclass(frozen=True)
class AddAddress(Change):
    """Gives an address to a link."""

    link: str
    address: str
    prefixlen: int

    def undo(self) -> Change:
        return DelAddress(self.node, self.link, self.address, self.prefixlen)

    def commands(self) -> tuple[str, ...]:
        return (f"ip addr add {self.address}/{self.prefixlen} dev {self.link}",)


MAIN_TABLE = 254


@dataclass(frozen=True)
class AddRoute(Change):
    """A route to destination (a prefix, or "default") by a gateway or straight through a link.

    replace: instead of another one of netcont's that is there, in one step.
    """

    destination: str
    via: str | None = None
    link: str | None = None
    table: int = MAIN_TABLE
    replace: bool = False

    def undo(self) -> Change:
        return DelRoute(self.node, self.destination, self.via, self.link, self.table)

    def commands(self) -> tuple[str, ...]:
        return (f"ip route {'replace' if self.replace else 'add'} {_route(self)}",)


@dataclass(frozen=True)
class DelRoute(Change):
    """Removes the route that AddRoute with the same fields added."""

    destination: str
    via: str | None = None
    link: str | None = None
    table: int = MAIN_TABLE

    def undo(self) -> Change:
        return AddRoute(self.node, self.destination, self.via, self.link, self.table)

    def commands(self) -> tuple[str, ...]:
        return (f"ip route del {_route(self)}",)


def _route(route: AddRoute | DelRoute) -> str:
    via = f" via {route.via}" if route.via else ""
    link = f" dev {route.link}" if route.link else ""
    table = f" table {route.table}" if route.table != MAIN_TABLE else ""
    return f"{route.destination}{via}{link}{table} proto {ROUTE_PROTOCOL}"


ROUTE_PROTOCOL = 77
"""Marks every route and rule of netcont's, so that they are known among others."""


@dataclass(frozen=True)
class AddRule(Change):
    """Policy routing: packets from source (and to destination) look into table."""

    priority: int
    source: str
    table: int
    destination: str | None = None

    def undo(self) -> Change:
        return DelRule(self.node, self.priority, self.source, self.table, self.destination)

    def commands(self) -> tuple[str, ...]:
        return (f"ip rule add {_rule(self)}",)


@dataclass(frozen=True)
class DelRule(Change):
    """Removes the rule that AddRule with the same fields added."""

    priority: int
    source: str
    table: int
    destination: str | None = None

    def undo(self) -> Change:
        return AddRule(self.node, self.priority, self.source, self.table, self.destination)

    def commands(self) -> tuple[str, ...]:
        return (f"ip rule del {_rule(self)}",)


def _rule(rule: AddRule | DelRule) -> str:
    to = f" to {rule.destination}" if rule.destination else ""
    return (
        f"pref {rule.priority} from {rule.source}{to} lookup {rule.table} protocol {ROUTE_PROTOCOL}"
    )


@dataclass(frozen=True)
class AddNeighbour(Change):
    """A permanent neighbour entry, or (mac None) an address that the node answers ARP for."""

    link: str
    address: str
    mac: str | None = None

    def undo(self) -> Change:
        return DelNeighbour(self.node, self.link, self.address, self.mac)

    def commands(self) -> tuple[str, ...]:
        if self.mac is None:
            return (f"ip neigh add proxy {self.address} dev {self.link}",)
        return (f"ip neigh replace {self.address} lladdr {self.mac} dev {self.link} nud permanent",)


@dataclass(frozen=True)
class DelNeighbour(Change):
    """Removes what AddNeighbour with the same fields added."""

    link: str
    address: str
    mac: str | None = None

    def undo(self) -> Change:
        return AddNeighbour(self.node, self.link, self.address, self.mac)

    def commands(self) -> tuple[str, ...]:
        proxy = "proxy " if self.mac is None else ""
        return (f"ip neigh del {proxy}{self.address} dev {self.link}",)


@dataclass(frozen=True)
class AddFdb(Change):
    """Where a VTEP sends frames for mac; the zero mac stands for all others (head-end list)."""

    link: str
    mac: str
    remote: str

    def undo(self) -> Change:
        return DelFdb(self.node, self.link, self.mac, self.remote)

    def commands(self) -> tuple[str, ...]:
        return (f"bridge fdb append {self.mac} dev {self.link} dst {self.remote}",)


@dataclass(frozen=True)
class DelFdb(Change):
    """Removes what AddFdb with the same fields added."""

    link: str
    mac: str
    remote: str

    def undo(self) -> Change:
        return AddFdb(self.node, self.link, self.mac, self.remote)

    def commands(self) -> tuple[str, ...]:
        return (f"bridge fdb del {self.mac} dev {self.link} dst {self.remote}",)


@dataclass(frozen=True)
class SetSysctl(Change):
    """A kernel setting; was is read from the kernel when the change is applied.

    optional: a kernel that has no such setting is left as it is.
    """

    key: str
    value: str
    was: str | None = None
    optional: bool = False

    def undo(self) -> Change | None:
        return None if self.was is None else SetSysctl(self.node, self.key, self.was)

    def commands(self) -> tuple[str, ...]:
        # sysctl(8): a dot within a link's name is written as a slash.
        *head, last = self.key.split(".")
        key = ".".join([*head[:3], "/".join(head[3:]), last]) if len(head) > 4 else self.key
        return (f"sysctl -w {key}={self.value}",)


@dataclass(frozen=True)
class SetNetem(Change):
    """A link's egress: one-way delay, rate, and loss (0..1), queue sized in packets."""

    link: str
    delay_s: float
    rate_bps: float | None
    loss: float
    limit_packets: int

    def commands(self) -> tuple[str, ...]:
        rate = f" rate {self.rate_bps:.0f}bit" if self.rate_bps else ""
        loss = f" loss {self.loss:.4%}" if self.loss else ""
        return (
            f"tc qdisc replace dev {self.link} root handle 1: netem limit {self.limit_packets}"
            f" delay {self.delay_s * 1e6:.0f}us{rate}{loss}",
        )


@dataclass(frozen=True)
class Announce(Change):
    """Says on a link that address is at mac: gratuitous ARP (RFC 5227), for IPv6 an unsolicited
    Neighbour Advertisement (RFC 4861 §7.2.6); rarp: and RARP for switches.

    Sent at once and then in QEMU's rhythm: after 50 ms, then rounds - 1 times more, each pause
    100 ms longer than the one before, and 550 ms at most.
    """

    link: str
    address: str
    mac: str
    rarp: bool = False
    rounds: int = 5

    def commands(self) -> tuple[str, ...]:
        if ":" in self.address:
            return (f"ndsend {self.address} {self.link}  # as {self.mac}",)
        return (f"arping -c 1 -A -I {self.link} {self.address}  # as {self.mac}",)


@dataclass(frozen=True)
class TsigKey:
    """A key for RFC 8945; the secret never shows."""

    name: str
    algorithm: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Leave(Change):
    """Mobile IP: what Register with the same fields registered is ended."""

    control: str
    home_address: str

    def commands(self) -> tuple[str, ...]:
        return (f"netcont agent leave {self.home_address} --control {self.control}",)


@dataclass(frozen=True)
class Register(Change):
    """Mobile IP: the foreign agent on this node registers a guest with its home agent.

    control: the agent's socket. ahead: beside the guest's present place, which goes on. wait: until
    the home agent has agreed; else the request is only sent.
    """

    control: str
    home_address: str
    ahead: bool
    wait: bool

    def undo(self) -> Change:
        return Leave(self.node, self.control, self.home_address)

    def commands(self) -> tuple[str, ...]:
        verb = "prepare" if self.ahead else "register"
        no_wait = "" if self.wait else " --no-wait"
        return (f"netcont agent {verb} {self.home_address} --control {self.control}{no_wait}",)


@dataclass(frozen=True)
class Plan:
    """Changes in the order in which they are applied."""

    changes: tuple[Change, ...] = ()

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.changes + other.changes)

    def on(self, nodes: Iterable[str]) -> Plan:
        """The part of the plan that acts on the given nodes."""
        wanted = frozenset(nodes)
        return Plan(tuple(change for change in self.changes if change.node in wanted))

    def commands(self) -> tuple[str, ...]:
        """Every equal command line, with its node."""
        return tuple(f"[{c.node}] {line}" for c in self.changes for line in c.commands())
