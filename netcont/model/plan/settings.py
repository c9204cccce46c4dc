"""How links are: up, ports of bridges, named; their queues, and the kernel's other settings."""

from __future__ import annotations

from netcont.model.plan.change import Change, change


@change
class SetUp(Change):
    """A link's administrative state; was is read from the kernel when the change is applied.

    alias: what the link says from then on of whose it is; None: what it said.
    """

    link: str
    up: bool = True
    was: bool | None = None
    alias: str | None = None

    def undo(self) -> Change | None:
        return None if self.was is None else SetUp(self.node, self.link, self.was)

    def commands(self) -> tuple[str, ...]:
        alias = f' alias "{self.alias}"' if self.alias is not None else ""
        return (f"ip link set {self.link}{alias} {'up' if self.up else 'down'}",)


@change
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


@change
class SetBridgePort(Change):
    """How a bridge treats one port; None: as it did.

    neigh_suppress: ARP and Neighbour Solicitations are answered locally instead of being flooded to
    it. guard: a port on which a bridge that speaks STP hears another one is shut.
    """

    link: str
    neigh_suppress: bool | None = None
    guard: bool | None = None

    def commands(self) -> tuple[str, ...]:
        wanted = {"neigh_suppress": self.neigh_suppress, "guard": self.guard}
        words = [f" {key} {'on' if on else 'off'}" for key, on in wanted.items() if on is not None]
        return (f"bridge link set dev {self.link}{''.join(words)}",)


@change
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


@change
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
