"""What a comparison is about: the network, the guest, its clients, the move. Pure values.

Every quantity is in SI units and says so in its name. In a file a quantity may also be written
with a unit ("50 ms", "100 Mbit/s", "16 MiB"); ``netcont.units`` reads those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from netcont.units import BITS_PER_SECOND, BYTES, BYTES_PER_SECOND, SECONDS

SCHEMA_VERSION = 1

Family = Literal[4, 6]
"""The version of IP."""

TRANSIT_PREFIX: Mapping[int, str] = MappingProxyType({4: "192.0.2.0/24", 6: "2001:db8:ffff::/64"})
"""By family, addresses between providers and gateways (RFC 5737, RFC 3849), which no site has."""

SITE_PREFIXES: Mapping[int, Mapping[str, str]] = MappingProxyType(
    {
        4: {
            "client_prefix": "10.3.0.0/24",
            "a_prefix": "10.1.0.0/24",
            "b_prefix": "10.2.0.0/24",
            "client2_prefix": "10.4.0.0/24",
        },
        6: {
            "client_prefix": "2001:db8:3::/64",
            "a_prefix": "2001:db8:1::/64",
            "b_prefix": "2001:db8:2::/64",
            "client2_prefix": "2001:db8:4::/64",
        },
    }
)
"""By family, the sites' addresses unless a scenario says others (RFC 3849 for IPv6)."""

ONE_LAN = frozenset({"lan"})
"""Topologies in which A and B are one LAN: one prefix, one gateway, and B behind A's switch."""

SECOND_CLIENTS_NODE = "cld"
"""Where remote clients of the second clients' site stand (topology three_site)."""

Seconds = Annotated[float, SECONDS, Ge(0), Le(86400)]
PositiveSeconds = Annotated[float, SECONDS, Gt(0), Le(86400)]
PathSeconds = Annotated[float, SECONDS, Ge(0), Le(60)]
BitsPerSecond = Annotated[float, BITS_PER_SECOND, Ge(1000), Le(1e12)]
Bytes = Annotated[int, BYTES, Gt(0)]
BytesPerSecond = Annotated[float, BYTES_PER_SECOND, Ge(0)]
Probability = Annotated[float, Ge(0), Lt(1)]
Prefix = Annotated[str, MinLen(1)]


class Strict:
    """Unknown keys are refused (read by pydantic, which the lab itself does not import)."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


class Place(StrEnum):
    """Where a client stands."""

    REMOTE = "remote"
    AT_A = "at-a"
    AT_B = "at-b"


class ClientKind(StrEnum):
    """What a client does with its connection."""

    TCP_ECHO = "tcp-echo"
    TCP_BULK_UP = "tcp-bulk-up"
    TCP_BULK_DOWN = "tcp-bulk-down"
    REQUEST = "request"
    UDP_UP = "udp-up"
    UDP_DOWN = "udp-down"
    PROGRAM = "program"


class Phase(StrEnum):
    """The phases of a move, in their order."""

    PREPARE = "prepare"
    COPY = "copy"
    PAUSE = "pause"
    SWITCH = "switch"
    RESUME = "resume"
    ANNOUNCE = "announce"
    SETTLE = "settle"
    RETIRE = "retire"


class FaultKind(StrEnum):
    """What goes wrong on purpose."""

    WAN_CUT = "wan-cut"
    KILL_SOURCE = "kill-source"
    KILL_DESTINATION = "kill-destination"


@dataclass(frozen=True)
class Path(Strict):
    """One wide-area path between two places; reverse_* default to the forward values."""

    delay_s: PathSeconds = 0.025
    reverse_delay_s: PathSeconds | None = None
    rate_bps: BitsPerSecond = 200e6
    reverse_rate_bps: BitsPerSecond | None = None
    loss: Probability = 0.0
    reverse_loss: Probability | None = None

    def reversed(self) -> Path:
        """The same path seen from its other end."""
        return Path(
            delay_s=self.delay_s if self.reverse_delay_s is None else self.reverse_delay_s,
            reverse_delay_s=self.delay_s,
            rate_bps=self.rate_bps if self.reverse_rate_bps is None else self.reverse_rate_bps,
            reverse_rate_bps=self.rate_bps,
            loss=self.loss if self.reverse_loss is None else self.reverse_loss,
            reverse_loss=self.loss,
        )


@dataclass(frozen=True)
class Network(Strict):
    """The topology and its paths. Delays are one way. family: 4 or 6, the only one that is spoken.

    clients_a, clients_b: from the clients' site to A and to B; a_b: from A to B; circuit: the
    carrier's layer-2 circuit from A to B (default: like a_b). clients2_a, clients2_b: from the
    second clients' site of three_site (default: like clients_a and clients_b). source_filtering:
    providers drop packets whose source does not belong to the site they come from (BCP 38).
    client_prefix, client2_prefix, a_prefix, b_prefix: the addresses of the clients' sites and of
    the sites' LANs (default: the family's in SITE_PREFIXES); in each, 1 is the gateway, 2 the
    hypervisor, 10 the guest, and clients begin at 50. On one LAN both sites have a_prefix; B's
    hypervisor is 3, and a_b its cable.
    """

    topology: str = "two_site"
    family: Family = 4
    clients_a: Path = field(default_factory=Path)
    clients_b: Path = field(default_factory=Path)
    a_b: Path = field(default_factory=Path)
    circuit: Path | None = None
    clients2_a: Path | None = None
    clients2_b: Path | None = None
    mtu_bytes: Annotated[int, Ge(576), Le(9000)] = 1500
    source_filtering: bool = True
    client_prefix: Prefix = ""
    a_prefix: Prefix = ""
    b_prefix: Prefix = ""
    client2_prefix: Prefix = ""

    def __post_init__(self) -> None:
        for key, prefix in SITE_PREFIXES[self.family].items():
            if not getattr(self, key):
                object.__setattr__(self, key, prefix)

    def from_clients(self, node: str = "") -> tuple[Path, Path]:
        """The paths to A and to B from the clients' site in which node, a remote host, stands."""
        if node != SECOND_CLIENTS_NODE:
            return self.clients_a, self.clients_b
        return self.clients2_a or self.clients_a, self.clients2_b or self.clients_b


@dataclass(frozen=True)
class Guest(Strict):
    """What moves, and the memory that must move with it.

    dirty_rate: bytes written per second by its workload, within working_set_bytes.
    """

    kind: Annotated[str, MinLen(1)] = "namespace"
    memory_bytes: Bytes = 16 * 2**20
    dirty_rate_bytes_per_s: BytesPerSecond = 2 * 2**20
    working_set_bytes: Bytes = 2**20


@dataclass(frozen=True)
class Migration(Strict):
    """How the memory is copied: pre-copy rounds until what is left fits into downtime_target_s.

    bandwidth_bps bounds the copying (None: 80 % of the path's rate); timeout_s is how long the
    engine waits for the other side before it takes the move for failed.
    """

    strategy: str = "pre-copy"
    bandwidth_bps: BitsPerSecond | None = None
    downtime_target_s: PositiveSeconds = 0.1
    max_rounds: Annotated[int, Ge(1), Le(100)] = 10
    timeout_s: PositiveSeconds = 5.0


@dataclass(frozen=True)
class Dns(Strict):
    """The guest's name and how long resolvers keep its address."""

    zone: str = "lab.test"
    name: str = "server"
    ttl_s: Annotated[int, Ge(0), Le(86400)] = 5
    algorithm: str = "hmac-sha256"


@dataclass(frozen=True)
class Tunnel(Strict):
    """IP-in-IP and GRE. key None: no GRE key. reverse: the guest's packets go back through A
    (needed where B's provider filters sources); otherwise they leave B directly."""

    key: Annotated[int, Ge(0), Le(2**32 - 1)] | None = 42
    ttl: Annotated[int, Ge(1), Le(255)] = 64
    reverse: bool = True


@dataclass(frozen=True)
class Vlan(Strict):
    """The stretched 802.1Q VLAN on the carrier's circuit."""

    vlan_id: Annotated[int, Ge(1), Le(4094)] = 100


@dataclass(frozen=True)
class Vxlan(Strict):
    """The stretched VXLAN segment."""

    vni: Annotated[int, Ge(1), Le(2**24 - 1)] = 100
    port: Annotated[int, Ge(1), Le(65535)] = 4789
    arp_suppression: bool = True


@dataclass(frozen=True)
class Timing(Strict):
    """When things happen, in seconds of the run's clock.

    warmup_s: clients run before the move; observe_s: probes go on after the guest resumed (short
    connections until the TTL has passed as well);
    give_up_s: how long a silent established connection is watched for its end.
    """

    warmup_s: PositiveSeconds = 3.0
    observe_s: PositiveSeconds = 4.0
    give_up_s: PositiveSeconds = 1200.0


@dataclass(frozen=True)
class Server(Strict):
    """A program of the user's that serves in the guest."""

    command: Annotated[str, MinLen(1)]
    ready_port: Annotated[int, Ge(1), Le(65535)] | None = None


@dataclass(frozen=True)
class Client(Strict):
    """count clients of one kind at one place; rate_bps paces bulk kinds; command is for programs.

    name defaults to "kind@place"; with count > 1 a number is appended ("tcp-echo@remote-1").
    """

    kind: ClientKind
    place: Place = Place.REMOTE
    count: Annotated[int, Ge(1), Le(1000)] = 1
    name: str | None = None
    rate_bps: BitsPerSecond = 1e6
    command: str | None = None


def each_client(clients: Iterable[Client]) -> tuple[Client, ...]:
    """Every single client: count 1 each, and each with its name."""
    single = []
    for client in clients:
        name = client.name or f"{client.kind.value}@{client.place.value}"
        for number in range(1, client.count + 1):
            own = name if client.count == 1 else f"{name}-{number}"
            single.append(replace(client, count=1, name=own))
    return tuple(single)


@dataclass(frozen=True)
class Fault(Strict):
    """Something goes wrong after_s into a phase; duration_s is for cuts."""

    kind: FaultKind
    phase: Phase
    after_s: Seconds = 0.0
    duration_s: Seconds = 3.0


@dataclass(frozen=True)
class Expect(Strict):
    """Thresholds; a run that misses one ends the command with exit code 4. Keys: approach names."""

    max_broken: dict[str, Annotated[int, Ge(0)]] = field(default_factory=dict)
    max_gap_s: dict[str, Seconds] = field(default_factory=dict)
    max_downtime_s: dict[str, Seconds] = field(default_factory=dict)


def default_clients() -> tuple[Client, ...]:
    """Twenty connections: eight remote, six on the guest's own LAN at A, six at B."""
    on_site = tuple(
        Client(kind=kind, place=place)
        for place in (Place.AT_A, Place.AT_B)
        for kind in (
            ClientKind.TCP_ECHO,
            ClientKind.TCP_BULK_UP,
            ClientKind.TCP_BULK_DOWN,
            ClientKind.REQUEST,
            ClientKind.UDP_UP,
            ClientKind.UDP_DOWN,
        )
    )
    remote = (
        Client(kind=ClientKind.TCP_ECHO, count=3),
        Client(kind=ClientKind.TCP_BULK_UP),
        Client(kind=ClientKind.TCP_BULK_DOWN),
        Client(kind=ClientKind.REQUEST),
        Client(kind=ClientKind.UDP_UP),
        Client(kind=ClientKind.UDP_DOWN),
    )
    return remote + on_site


@dataclass(frozen=True)
class Scenario(Strict):
    """One comparison: everything that a run depends on but the approach."""

    name: str = "default"
    description: str = ""
    seed: Annotated[int, Ge(0)] = 1
    approaches: tuple[str, ...] = ()
    network: Network = field(default_factory=Network)
    guest: Guest = field(default_factory=Guest)
    migration: Migration = field(default_factory=Migration)
    dns: Dns = field(default_factory=Dns)
    tunnel: Tunnel = field(default_factory=Tunnel)
    vlan: Vlan = field(default_factory=Vlan)
    vxlan: Vxlan = field(default_factory=Vxlan)
    timing: Timing = field(default_factory=Timing)
    server: Server | None = None
    client: tuple[Client, ...] = field(default_factory=default_clients)
    fault: tuple[Fault, ...] = ()
    expect: Expect = field(default_factory=Expect)
