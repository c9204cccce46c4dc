"""Why an authentic, fresh request is refused all the same: the last gates of a home agent.

`REFUSALS` is the table of these gates in the order in which they are tried. Those that speak of
what a binding needs do not apply to lifetime 0: whoever leaves may leave in any manner.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from ipaddress import IPv4Address

from netcont.mobileip.bindings import Asked, Held
from netcont.mobileip.codes import Code
from netcont.mobileip.messages import Flags, RegistrationRequest
from netcont.mobileip.policy import HomePolicy, ReverseTunnel

# Plain numbers: comparing members of an IntFlag costs more than the rest of a gate.
_S, _M, _G, _T = int(Flags.S), int(Flags.M), int(Flags.G), int(Flags.T)
_RESERVED = int(Flags.r | Flags.x)

_LOOPBACK, _FIRST_MULTICAST = 127, 224
"""First bytes: 127 is loopback; from 224 on there is multicast, reserved space, broadcast."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and the circumstances in which it is to be granted.

    bits: its flags; served: the home addresses that the agent serves; held and simultaneous: what
    is bound for its home address; total: what is bound for all.
    """

    request: RegistrationRequest
    bits: int
    asked: Asked
    agent: IPv4Address
    policy: HomePolicy
    served: Container[int]
    held: Held
    simultaneous: int
    total: int


def unusable_address(address: int) -> bool:
    """Whether no tunnel can end at an address: unspecified, loopback, multicast, reserved."""
    first = address >> 24
    return first in (0, _LOOPBACK) or first >= _FIRST_MULTICAST


def _impossible_care_of(asking: Question) -> bool:
    care_of = int(asking.request.care_of_address)
    # A home address of ours, this one or another: the tunnel would lead back to us.
    return care_of in asking.served or care_of == int(asking.agent) or unusable_address(care_of)


def _too_many(asking: Question) -> bool:
    return (
        asking.asked is Asked.ALSO
        and asking.held is Held.OTHERS
        and asking.simultaneous >= asking.policy.max_simultaneous
    )


def _no_room(asking: Question) -> bool:
    # One that takes others' place needs none.
    adds = asking.held is Held.NOTHING or (
        asking.held is Held.OTHERS and asking.asked is Asked.ALSO
    )
    return adds and asking.total >= asking.policy.max_bindings


Gate = Callable[[Question], bool]

_FOR_ALL: tuple[tuple[Code, Gate], ...] = (
    (Code.HA_POORLY_FORMED_REQUEST, lambda asking: bool(asking.bits & _RESERVED)),
    (Code.HA_UNKNOWN_HOME_AGENT, lambda asking: asking.request.home_agent != asking.agent),
)

_FOR_BINDINGS: tuple[tuple[Code, Gate], ...] = (
    *_FOR_ALL,
    (Code.HA_POORLY_FORMED_REQUEST, _impossible_care_of),
    (
        Code.HA_REVERSE_TUNNEL_UNAVAILABLE,
        lambda asking: (
            bool(asking.bits & _T) and asking.policy.reverse_tunnel is ReverseTunnel.UNSUPPORTED
        ),
    ),
    (
        Code.HA_REVERSE_TUNNEL_MANDATORY,
        lambda asking: (
            not asking.bits & _T and asking.policy.reverse_tunnel is ReverseTunnel.REQUIRED
        ),
    ),
    (Code.HA_ENCAPSULATION_UNAVAILABLE, lambda asking: bool(asking.bits & _M)),
    (
        Code.HA_ENCAPSULATION_UNAVAILABLE,
        lambda asking: bool(asking.bits & _G) and not asking.policy.gre,
    ),
    (Code.HA_TOO_MANY_BINDINGS, _too_many),
    (Code.HA_INSUFFICIENT_RESOURCES, _no_room),
)

REFUSALS = {
    Asked.SOLE: _FOR_BINDINGS,
    Asked.ALSO: _FOR_BINDINGS,
    Asked.LEAVE: _FOR_ALL,
    Asked.HOME: _FOR_ALL,
}
"""The gates for each kind of request, in order, with the code of the one that stays shut."""


def asked_by(request: RegistrationRequest, bits: int, policy: HomePolicy) -> Asked:
    """What a request asks for; one binding at most is granted where the policy says so."""
    if request.lifetime_s:
        return Asked.ALSO if bits & _S and policy.max_simultaneous > 1 else Asked.SOLE
    at_home = request.care_of_address == request.home_address
    return Asked.HOME if at_home else Asked.LEAVE


def refusal(asking: Question) -> Code | None:
    """The code of the first gate that refuses; None if the request is granted."""
    for code, refuses in REFUSALS[asking.asked]:
        if refuses(asking):
            return code
    return None


def accepted_code(bits: int, policy: HomePolicy) -> Code:
    """Accepted; without simultaneous bindings if they were asked for and are not to be had."""
    if bits & _S and policy.max_simultaneous == 1:
        return Code.ACCEPTED_WITHOUT_SIMULTANEOUS_BINDINGS
    return Code.ACCEPTED
