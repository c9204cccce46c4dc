"""What an agent is told: who it is, whom it knows, where it keeps what must survive."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from netcont.mobileip.authentication import SecurityAssociation
from netcont.mobileip.policy import ForeignPolicy, HomePolicy, NodePolicy

NODE = "localhost"
"""What changes of a daemon's call its host."""

DEFAULT_CONTROL = "/run/netcont/{role}.sock"
DEFAULT_STATE = "/var/lib/netcont/{role}.sqlite"


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody with whom keys are shared; the first one signs."""

    address: IPv4Address
    keys: tuple[SecurityAssociation, ...]


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every agent has.

    address: where it takes registrations (UDP port 434). link: the home link, the visitors' link or
    the node's own. control: the Unix socket of `netcont agent status` ("@name": without a file).
    state: the file with what must survive the daemon; None: nothing does. advertises: whether it
    says on its link that it is there. forwards False: the kernel is left alone.
    """

    address: IPv4Address
    link: str
    control: str
    state: Path | None = None
    advertises: bool = True
    forwards: bool = True


@dataclass(frozen=True, kw_only=True)
class HomeSettings(Common):
    """A home agent's."""

    nodes: tuple[Peer, ...] = ()
    foreign_agents: tuple[Peer, ...] = ()
    policy: HomePolicy = field(default_factory=HomePolicy)


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A machine without Mobile IP of its own, for which its foreign agent registers.

    gateway: the address that the guest takes for its router, and neighbours, addresses on its home
    link that it may know: this agent answers for them, and says so when the guest comes.
    home_network: addresses that are reached through the home agent even without reverse tunnel.
    """

    home_address: IPv4Address
    home_agent: IPv4Address
    key: SecurityAssociation
    gateway: IPv4Address | None = None
    neighbours: tuple[IPv4Address, ...] = ()
    home_network: str | None = None
    policy: NodePolicy = field(default_factory=NodePolicy)


@dataclass(frozen=True, kw_only=True)
class ForeignSettings(Common):
    """A foreign agent's. care_of_address: where tunnels end, its own address if None."""

    care_of_address: IPv4Address | None = None
    home_agents: tuple[Peer, ...] = ()
    nodes: tuple[Peer, ...] = ()
    guests: tuple[Guest, ...] = ()
    policy: ForeignPolicy = field(default_factory=ForeignPolicy)


@dataclass(frozen=True, kw_only=True)
class NodeSettings(Common):
    """A mobile node's. address: its home address, which stays on link wherever it is.

    colocated: it uses an address of its own at the foreign site, else that of a foreign agent whose
    advertisements it hears. gateway: its router at home.
    """

    home_agent: IPv4Address
    prefixlen: int
    key: SecurityAssociation
    colocated: bool = False
    gateway: IPv4Address | None = None
    foreign_agents: tuple[Peer, ...] = ()
    policy: NodePolicy = field(default_factory=NodePolicy)


Settings = HomeSettings | ForeignSettings | NodeSettings
