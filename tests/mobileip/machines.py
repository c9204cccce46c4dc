"""Home agents, foreign agents and nodes for tests, joined in memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from random import Random

from netcont.mobileip import ntp
from netcont.mobileip.authentication import Algorithm, SecurityAssociation, sign
from netcont.mobileip.datagram import Datagram, Endpoint
from netcont.mobileip.events import Event
from netcont.mobileip.extensions import AuthenticationKind
from netcont.mobileip.foreign import ForeignAgent
from netcont.mobileip.home import HomeAgent
from netcont.mobileip.messages import Flags, RegistrationReply, RegistrationRequest
from netcont.mobileip.node import MobileNode
from netcont.mobileip.policy import ForeignPolicy, HomePolicy, NodePolicy
from netcont.mobileip.registration import Identity
from netcont.mobileip.replay import Replay

NOW = 1_700_000_000.0
HOME_AGENT = IPv4Address("10.0.0.1")
HOME = IPv4Address("10.0.0.50")
OTHER_HOME = IPv4Address("10.0.0.51")
AGENT_A = IPv4Address("192.0.2.1")
AGENT_B = IPv4Address("198.51.100.1")
NODE_A: Endpoint = (IPv4Address("192.0.2.77"), 5434)
STRANGER: Endpoint = (IPv4Address("203.0.113.66"), 666)

KEY = SecurityAssociation(1000, Algorithm.HMAC_SHA256, b"node and home agent " * 2)
OTHER_KEY = SecurityAssociation(1000, Algorithm.HMAC_SHA256, b"somebody else's key " * 2)
NONCE_KEY = SecurityAssociation(
    1001, Algorithm.HMAC_SHA256, b"with nonces, please " * 2, Replay.NONCE
)
AGENT_KEY = SecurityAssociation(2000, Algorithm.HMAC_SHA256, b"foreign and home agent " * 2)
VISIT_KEY = SecurityAssociation(3000, Algorithm.HMAC_MD5, b"node and foreign agent " * 2)

IDENTITY = Identity(HOME, HOME_AGENT, KEY)
MOBILE_HOME = AuthenticationKind.MOBILE_HOME
FOREIGN_HOME = AuthenticationKind.FOREIGN_HOME
NONE = Flags(0)


def home_agent(
    policy: HomePolicy | None = None, *, key: SecurityAssociation = KEY, signed: bool = False
) -> HomeAgent:
    """A home agent that serves HOME and OTHER_HOME; signed: foreign agents must sign."""
    nonces = iter(range(0x1000, 0xFFFF_FFFF))
    agent = HomeAgent(HOME_AGENT, policy=policy, nonces=lambda: next(nonces))
    agent.add_node(HOME, [key])
    agent.add_node(OTHER_HOME, [OTHER_KEY])
    if signed:
        for address in (AGENT_A, AGENT_B):
            agent.add_foreign_agent(address, [AGENT_KEY])
    return agent


def foreign_agent(
    address: IPv4Address = AGENT_A, policy: ForeignPolicy | None = None, *, signed: bool = False
) -> ForeignAgent:
    agent = ForeignAgent(address, policy=policy)
    if signed:
        agent.add_home_agent(HOME_AGENT, [AGENT_KEY])
    return agent


def node(policy: NodePolicy | None = None, *, key: SecurityAssociation = KEY) -> MobileNode:
    return MobileNode(Identity(HOME, HOME_AGENT, key), policy=policy)


def unsigned(
    at: float = NOW,
    *,
    care_of: IPv4Address = AGENT_A,
    lifetime_s: int = 300,
    flags: Flags = NONE,
    home: IPv4Address = HOME,
    agent: IPv4Address = HOME_AGENT,
    identification: int | None = None,
) -> RegistrationRequest:
    number = ntp.to_ntp(at) if identification is None else identification
    return RegistrationRequest(flags, lifetime_s, home, agent, care_of, number)


def request(
    at: float = NOW,
    *,
    key: SecurityAssociation = KEY,
    care_of: IPv4Address = AGENT_A,
    lifetime_s: int = 300,
    flags: Flags = NONE,
    home: IPv4Address = HOME,
    agent: IPv4Address = HOME_AGENT,
    identification: int | None = None,
) -> bytes:
    """A request as a node signs it."""
    message = unsigned(
        at,
        care_of=care_of,
        lifetime_s=lifetime_s,
        flags=flags,
        home=home,
        agent=agent,
        identification=identification,
    )
    return sign(message, MOBILE_HOME, key)


def only_reply(replies: tuple[Datagram, ...]) -> RegistrationReply:
    (datagram,) = replies
    return RegistrationReply.from_bytes(datagram.data)


@dataclass
class Weather:
    """What happens to datagrams on their way: chances of 0 to 1, and delays in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_s: tuple[float, float] = (0.01, 0.01)


Port = Callable[[bytes, Endpoint, float], tuple[tuple[Datagram, ...], tuple[Event, ...]]]


@dataclass
class Network:
    """Machines by address; time runs from event to event, and chance comes from a seed."""

    random: Random
    weather: Weather = field(default_factory=Weather)
    now: float = NOW
    sent: int = 0
    events: list[tuple[float, Event]] = field(default_factory=list)
    _ports: dict[IPv4Address, Port] = field(default_factory=dict)
    _clocks: list[tuple[Callable[[], float | None], Callable[[float], object], Endpoint]] = field(
        default_factory=list
    )
    _flying: list[tuple[float, int, Endpoint, Datagram]] = field(default_factory=list)

    def join(self, address: IPv4Address, machine: HomeAgent | ForeignAgent | MobileNode) -> None:
        def take(
            data: bytes, source: Endpoint, now: float
        ) -> tuple[tuple[Datagram, ...], tuple[Event, ...]]:
            step = machine.receive(data, source, now)
            return step.replies, step.events

        self._ports[address] = take
        tick = machine.tick if isinstance(machine, MobileNode) else machine.expire
        self._clocks.append((machine.next_deadline, tick, (address, 434)))

    def leave(self, address: IPv4Address) -> None:
        self._ports.pop(address, None)
        self._clocks = [one for one in self._clocks if one[2][0] != address]

    def send(self, source: Endpoint, datagrams: tuple[Datagram, ...]) -> None:
        for datagram in datagrams:
            copies = 1 + (self.random.random() < self.weather.duplication)
            for _ in range(copies):
                self.sent += 1
                if self.random.random() < self.weather.loss:
                    continue
                at = self.now + self.random.uniform(*self.weather.delay_s)
                heapq.heappush(self._flying, (at, self.sent, source, datagram))

    def step_taken(self, source: Endpoint, step: object) -> None:
        """Take what a machine wants after it was called by a test."""
        self.send(source, getattr(step, "replies"))  # noqa: B009
        self.events += [(self.now, event) for event in getattr(step, "events")]  # noqa: B009

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            due = [(at, one) for one in self._clocks if (at := one[0]()) is not None]
            first = min((at for at, _ in due), default=end)
            arrival = self._flying[0][0] if self._flying else end
            at = max(self.now, min(first, arrival))
            if at >= end:
                self.now = end
                return
            self.now = at
            if arrival <= first:
                _, _, source, datagram = heapq.heappop(self._flying)
                port = self._ports.get(datagram.to[0])
                if port is not None:
                    replies, events = port(datagram.data, source, self.now)
                    self.send((datagram.to[0], 434), replies)
                    self.events += [(self.now, event) for event in events]
            else:
                tick, source = next(one[1:] for when, one in due if when == first)
                self.step_taken(source, tick(self.now))
