"""What an operator decides about agents and nodes; every default is one that the RFC suggests."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from netcont.errors import ConfigurationError
from netcont.mobileip.messages import INFINITE_LIFETIME_S
from netcont.mobileip.replay import TOLERANCE_S


class ReverseTunnel(Enum):
    """What an agent thinks of the T bit (RFC 3024)."""

    UNSUPPORTED = "unsupported"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class HomePolicy:
    """What a home agent grants.

    max_simultaneous: bindings of one home address; 1 turns the S bit down (code 1). max_bindings:
    of all home addresses together. tolerance_s: how far clocks may be apart.
    """

    max_lifetime_s: int = 1800
    max_simultaneous: int = 8
    max_bindings: int = 1_000_000
    reverse_tunnel: ReverseTunnel = ReverseTunnel.OPTIONAL
    gre: bool = True
    tolerance_s: float = TOLERANCE_S

    def __post_init__(self) -> None:
        _check_lifetime("max_lifetime_s", self.max_lifetime_s)
        _at_least("max_simultaneous", self.max_simultaneous, 1)
        _at_least("max_bindings", self.max_bindings, 1)


@dataclass(frozen=True, slots=True)
class ForeignPolicy:
    """What a foreign agent grants and how much it takes upon itself.

    max_pending: requests that wait for a reply, and max_pending_from_source: those of one address;
    beyond them it is busy. pending_timeout_s: RFC 5944 3.7.1. advertisement_interval_s: a third of
    the lifetime that advertisements carry, at most (RFC 5944 2.3).
    """

    max_lifetime_s: int = 1800
    max_visitors: int = 10_000
    max_pending: int = 1_000
    max_pending_from_source: int = 16
    pending_timeout_s: float = 7.0
    reverse_tunnel: ReverseTunnel = ReverseTunnel.OPTIONAL
    encapsulating: bool = True
    gre: bool = True
    registration_required: bool = True
    advertisement_interval_s: float = 1.0
    solicited_interval_s: float = 1.0
    prefix_length: int | None = None

    def __post_init__(self) -> None:
        _check_lifetime("max_lifetime_s", self.max_lifetime_s)
        _at_least("max_visitors", self.max_visitors, 1)
        _at_least("max_pending", self.max_pending, 1)
        _at_least("max_pending_from_source", self.max_pending_from_source, 1)
        if not 0.05 <= self.advertisement_interval_s <= 1800:
            raise ConfigurationError(
                f"advertisement_interval_s is {self.advertisement_interval_s}",
                remedy="choose between 0.05 and 1800 seconds",
            )


@dataclass(frozen=True, slots=True)
class NodePolicy:
    """How a mobile node, or who registers for one, behaves.

    lifetime_s: what it asks for. renew_at: the share of the granted lifetime after which it renews.
    first_retry_s doubles up to last_retry_s (RFC 5944 3.6.3: at least one second, at least
    doubled). min_lifetime_s: a grant or a proposal under it is not worth having. dwell_s: how long
    it stays with an agent at least, and the least time between two registrations that
    advertisements cause. encapsulating: what is tunnelled back reaches the foreign agent in a
    tunnel as well (RFC 3024 5.2), not as it is.
    """

    lifetime_s: int = 300
    renew_at: float = 0.5
    first_retry_s: float = 1.0
    last_retry_s: float = 32.0
    min_lifetime_s: int = 5
    dwell_s: float = 3.0
    reverse_tunnel: bool = False
    encapsulating: bool = False
    gre: bool = False
    broadcasts: bool = False
    max_agents: int = 16

    def __post_init__(self) -> None:
        _check_lifetime("lifetime_s", self.lifetime_s)
        _at_least("min_lifetime_s", self.min_lifetime_s, 1)
        _at_least("max_agents", self.max_agents, 1)
        if not 0 < self.renew_at < 1:
            raise ConfigurationError(
                f"renew_at is {self.renew_at}", remedy="choose a share between 0 and 1"
            )
        if not 1 <= self.first_retry_s <= self.last_retry_s:
            raise ConfigurationError(
                f"retries begin after {self.first_retry_s} s and end at {self.last_retry_s} s",
                remedy="begin with at least 1 second, and end no earlier",
            )


def _check_lifetime(name: str, value: int) -> None:
    if not 1 <= value <= INFINITE_LIFETIME_S:
        raise ConfigurationError(
            f"{name} is {value}",
            remedy=f"choose 1 to {INFINITE_LIFETIME_S} seconds; the last one means forever",
        )


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ConfigurationError(f"{name} is {value}", remedy=f"choose at least {least}")
