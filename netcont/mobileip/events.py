"""What the machines report: frozen values, for logs, statistics and the daemon."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address
from typing import Generic, TypeVar

from netcont.mobileip.authentication import Failure
from netcont.mobileip.codes import describe
from netcont.mobileip.datagram import Datagram, Endpoint, IcmpMessage

Change = TypeVar("Change")


class Violation(Enum):
    """Why a message with a right authenticator, or none to compare, is a security exception."""

    UNKNOWN_NODE = "no security association with this home address"
    UNKNOWN_AGENT = "no security association with this agent"
    REPLAYED = "the identification is not fresh"


@dataclass(frozen=True, slots=True)
class SecurityViolation:
    """A message that its sender could not prove to be his; nothing has changed.

    source: where it came from as the network says, so possibly forged. RFC 5944 3.6.2.1, 3.7.2.1
    and 3.8.2.1 ask for these to be logged.
    """

    source: Endpoint
    why: Failure | Violation
    home_address: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A message that got no answer: malformed, or nobody waits for it."""

    source: Endpoint
    why: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A care-of address is registered, first or again."""

    home_address: IPv4Address
    care_of_address: IPv4Address
    lifetime_s: int
    code: int = 0


@dataclass(frozen=True, slots=True)
class Deregistered:
    """The home agent has forgotten one care-of address; all of them if it is the home address."""

    home_address: IPv4Address
    care_of_address: IPv4Address


@dataclass(frozen=True, slots=True)
class Denied:
    """A registration was refused.

    authenticated: whether the refusal is proven to be the home agent's; one that is not may be
    anybody's.
    """

    home_address: IPv4Address
    care_of_address: IPv4Address
    code: int
    authenticated: bool = True

    @property
    def why(self) -> str:
        """The code in words."""
        return describe(self.code)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request has got no reply in time and was sent again."""

    home_address: IPv4Address
    care_of_address: IPv4Address
    attempts: int


@dataclass(frozen=True, slots=True)
class RegistrationLost:
    """A registration expired although its renewal was tried, or its agent revoked it."""

    home_address: IPv4Address
    care_of_address: IPv4Address
    why: str


@dataclass(frozen=True, slots=True)
class Resynchronised:
    """The node took over the home agent's time: what it adds to its own clock from now on."""

    home_address: IPv4Address
    offset_s: float


@dataclass(frozen=True, slots=True)
class AgentFound:
    """The node turned to this agent."""

    agent: IPv4Address
    care_of_address: IPv4Address | None


@dataclass(frozen=True, slots=True)
class AgentLost:
    """The agent that the node had turned to is no longer heard."""

    agent: IPv4Address


@dataclass(frozen=True, slots=True)
class AgentRestarted:
    """The agent's sequence numbers began anew: it has forgotten its visitors."""

    agent: IPv4Address


Event = (
    SecurityViolation
    | Dropped
    | Registered
    | Deregistered
    | Denied
    | Unanswered
    | RegistrationLost
    | Resynchronised
    | AgentFound
    | AgentLost
    | AgentRestarted
)


@dataclass(frozen=True, slots=True)
class Step(Generic[Change]):
    """What one input leads to: messages to send, changes to carry out, events to report.

    In the order in which they arose; the machine itself has changed already.
    """

    replies: tuple[Datagram, ...] = ()
    changes: tuple[Change, ...] = ()
    events: tuple[Event, ...] = ()
    icmp: tuple[IcmpMessage, ...] = ()

    def __add__(self, other: Step[Change]) -> Step[Change]:
        return Step(
            self.replies + other.replies,
            self.changes + other.changes,
            self.events + other.events,
            self.icmp + other.icmp,
        )
