"""Links: tunnels, bridges, VLANs, VTEPs."""

from __future__ import annotations

from netcont.model.plan.change import Change, change, is_ipv6

TOS_OF_INNER = 1
"""As AddTunnel's tos: the inner packet's."""


@change
class DelLink(Change):
    """Removes a link and all that hangs on it."""

    name: str

    def commands(self) -> tuple[str, ...]:
        return (f"ip link del {self.name}",)


@change
class AddLink(Change):
    """Common to all new links: a name, and its removal as the undo."""

    name: str

    def undo(self) -> Change:
        return DelLink(self.node, self.name)


@change
class AddTunnel(AddLink):
    """A GRE (RFC 2784, RFC 7676; key: RFC 2890) or IP-in-IP tunnel (RFC 2003, RFC 2473).

    kind: gre or ipip. Between IPv4 addresses ipip carries IPv4 only; the other three carry both
    families. ttl 0, tos 1: the inner packet's. pmtudisc: outer packets have the DF bit; the kernel
    takes False together with ttl 0 only, and IPv6 knows nothing else than True. Over IPv6 there is
    no encapsulation limit option (RFC 2473 §4.1.1), which would cost 8 bytes more.
    """

    kind: str
    local: str
    remote: str
    ttl: int = 64
    key: int | None = None
    mtu_bytes: int | None = None
    tos: int = 0
    pmtudisc: bool = True

    @property
    def link_kind(self) -> str:
        """What the kernel calls it: gre, ipip, ip6gre or ip6tnl."""
        if is_ipv6(self.local):
            return {"gre": "ip6gre", "ipip": "ip6tnl"}[self.kind]
        return self.kind

    def commands(self) -> tuple[str, ...]:
        key = f" key {self.key}" if self.key is not None else ""
        mtu = f" mtu {self.mtu_bytes}" if self.mtu_bytes else ""
        # Else iproute2 would have ipip carry MPLS as well, and ip6tnl IPv6 only.
        mode = {"ipip": " mode ipip", "ip6tnl": " mode any"}.get(self.link_kind, "")
        ttl = self.ttl or "inherit"
        return (
            f"ip link add {self.name}{mtu} type {self.link_kind}{mode} local {self.local}"
            f" remote {self.remote} ttl {ttl}{self._outer()}{key}",
        )

    def _outer(self) -> str:
        six = is_ipv6(self.local)
        tos = "inherit" if self.tos == TOS_OF_INNER else f"0x{self.tos:x}"
        shown = f" {'tclass' if six else 'tos'} {tos}" if self.tos else ""
        return shown + (" encaplimit none" if six else "" if self.pmtudisc else " nopmtudisc")


@change
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


@change
class AddVlan(AddLink):
    """An 802.1Q sub-interface of parent."""

    parent: str
    vlan_id: int

    def commands(self) -> tuple[str, ...]:
        return (f"ip link add link {self.parent} name {self.name} type vlan id {self.vlan_id}",)


@change
class AddVxlan(AddLink):
    """A VTEP (RFC 7348). Its MTU is set on purpose: the kernel would leave 1500 regardless.

    mac None: the kernel's choice. remote, group: where frames for everybody go: one VTEP, or an IP
    multicast group of local's family that is joined on the link device (at most one of the two;
    None: only where its FDB says). To a group outer packets have ttl 64, since the kernel's 1 would
    not leave the link.
    """

    vni: int
    local: str
    port: int
    mtu_bytes: int
    mac: str | None = None
    group: str | None = None
    device: str | None = None
    remote: str | None = None

    @property
    def ttl(self) -> int:
        """Of outer packets; 0: the kernel's choice, the system's own for a unicast address."""
        return 64 if self.group else 0

    def commands(self) -> tuple[str, ...]:
        mac = f" address {self.mac}" if self.mac else ""
        group = f" group {self.group}" if self.group else ""
        remote = f" remote {self.remote}" if self.remote else ""
        device = f" dev {self.device}" if self.device else ""
        ttl = f" ttl {self.ttl}" if self.ttl else ""
        return (
            f"ip link add {self.name}{mac} mtu {self.mtu_bytes} type vxlan id {self.vni}"
            f" local {self.local}{remote}{group}{device}{ttl} dstport {self.port}",
        )
