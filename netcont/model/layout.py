"""Who is where: the nodes, links and addresses that a plan may speak of. Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from netcont.model.plan import TsigKey, is_ipv6


@dataclass(frozen=True)
class Site:
    """One place with its own addresses.

    gateway_lan, gateway_wan: the gateway's links; wan_address: where tunnels end; bridge: the
    hypervisor's bridge into the LAN; guest_port: the hypervisor's end of the guest's cable;
    circuit: the hypervisor's link to the carrier's layer-2
    circuit (None: there is none). nodes: everything that this site's engine may change.
    """

    prefix: str
    prefixlen: int
    gateway: str
    gateway_lan: str
    gateway_wan: str
    gateway_address: str
    gateway_mac: str
    wan_address: str
    hypervisor: str
    hypervisor_address: str
    bridge: str
    guest_port: str
    circuit: str | None
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class GuestPort:
    """The guest's network card: link in node."""

    node: str
    link: str
    mac: str
    address: str
    prefixlen: int
    gateway_address: str
    new_address: str


@dataclass(frozen=True)
class NameService:
    """Where the guest's name lives. server: authoritative; resolver: what clients ask."""

    server: str
    resolver: str
    server_node: str
    resolver_node: str
    zone: str
    name: str
    ttl_s: int
    key: TsigKey

    @property
    def record(self) -> str:
        """The kind of the records that hold addresses: the servers speak no other family."""
        return "AAAA" if is_ipv6(self.server) else "A"


@dataclass(frozen=True)
class Layout:
    """Everything an approach needs to know about the network it works in.

    on_link: addresses on A's LAN that the guest may have in its ARP cache, or its neighbour cache
    (its gateway aside).
    """

    a: Site
    b: Site
    guest: GuestPort
    names: NameService
    on_link: tuple[str, ...]
    mtu_bytes: int

    @property
    def family(self) -> int:
        """Which IP is spoken, 4 or 6."""
        return 6 if is_ipv6(self.guest.address) else 4
