"""Who is where on a link: neighbours, proxies, what is behind a VTEP, which MACs are a bridge's."""

from __future__ import annotations

from netcont.model.plan.change import Change, change, ip


@change
class AddNeighbour(Change):
    """A permanent neighbour entry, or (mac None) an address that the node answers ARP for.

    For an IPv6 address without mac it answers Neighbour Solicitations (RFC 4389 §4.1), if the
    setting net.ipv6.conf.LINK.proxy_ndp is 1 and it forwards; router: saying that it is a router's,
    without which a host forgets what it learned of that router (RFC 4861 §7.2.5).
    """

    link: str
    address: str
    mac: str | None = None
    router: bool = False

    def undo(self) -> Change:
        return DelNeighbour(self.node, self.link, self.address, self.mac, self.router)

    def commands(self) -> tuple[str, ...]:
        word = ip(self.address)
        router = " router" if self.router else ""
        if self.mac is None:
            return (f"{word} neigh add proxy {self.address} dev {self.link}{router}",)
        return (
            f"{word} neigh replace {self.address} lladdr {self.mac} dev {self.link}"
            f" nud permanent{router}",
        )


@change
class DelNeighbour(Change):
    """Removes what AddNeighbour with the same fields added."""

    link: str
    address: str
    mac: str | None = None
    router: bool = False

    def undo(self) -> Change:
        return AddNeighbour(self.node, self.link, self.address, self.mac, self.router)

    def commands(self) -> tuple[str, ...]:
        proxy = "proxy " if self.mac is None else ""
        return (f"{ip(self.address)} neigh del {proxy}{self.address} dev {self.link}",)


@change
class AddFdb(Change):
    """Where a VTEP sends frames for mac; the zero mac stands for all others (head-end list)."""

    link: str
    mac: str
    remote: str

    def undo(self) -> Change:
        return DelFdb(self.node, self.link, self.mac, self.remote)

    def commands(self) -> tuple[str, ...]:
        return (f"bridge fdb append {self.mac} dev {self.link} dst {self.remote}",)


@change
class DelFdb(Change):
    """Removes what AddFdb with the same fields added."""

    link: str
    mac: str
    remote: str

    def undo(self) -> Change:
        return AddFdb(self.node, self.link, self.mac, self.remote)

    def commands(self) -> tuple[str, ...]:
        return (f"bridge fdb del {self.mac} dev {self.link} dst {self.remote}",)


@change
class AddBridgeMac(Change):
    """One of a bridge's own addresses has its place at the port link; frames to it stay its own.

    If that port has neigh_suppress, the bridge answers whoever asks on its other ports for an
    address that its neighbour table gives this mac, be it by ARP or by Neighbour Discovery; nobody
    behind the port itself is answered (br_arp_nd_proxy.c of the kernel).
    """

    link: str
    mac: str

    def undo(self) -> Change:
        return DelBridgeMac(self.node, self.link, self.mac)

    def commands(self) -> tuple[str, ...]:
        return (f"bridge fdb replace {self.mac} dev {self.link} master permanent",)


@change
class DelBridgeMac(Change):
    """Removes what AddBridgeMac with the same fields added."""

    link: str
    mac: str

    def undo(self) -> Change:
        return AddBridgeMac(self.node, self.link, self.mac)

    def commands(self) -> tuple[str, ...]:
        return (f"bridge fdb del {self.mac} dev {self.link} master",)
