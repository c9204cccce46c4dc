"""What a foreign agent refuses to relay, and how it relays the rest (RFC 5944 3.7.2, 3.7.3).

`REFUSALS` is the table of its gates in the order in which they are tried. Those that speak of what
a visit needs do not apply to lifetime 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from netcont.mobileip.authentication import SecurityAssociation, sign
from netcont.mobileip.codes import Code
from netcont.mobileip.extensions import (
    Authentication,
    AuthenticationKind,
    EncapsulatingDelivery,
    Extension,
    RevocationSupport,
)
from netcont.mobileip.messages import Flags, RegistrationReply, RegistrationRequest
from netcont.mobileip.policy import ForeignPolicy, ReverseTunnel
from netcont.mobileip.refusals import unusable_address

_REQUEST_BYTES, _REPLY_BYTES = 24, 20
"""Where extensions begin. RFC 5944 3.3 and 3.4."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and the circumstances in which it is to be relayed.

    own: the agent's addresses; signed: whether the node signed it for its home agent; room: for
    this request in the list of those that wait, and for its node in the visitor list.
    """

    request: RegistrationRequest
    policy: ForeignPolicy
    own: tuple[IPv4Address, ...]
    care_of_address: IPv4Address
    signed: bool
    room: bool

    def asks(self, flags: Flags) -> bool:
        """Whether the request has one of these flags."""
        return bool(int(self.request.flags) & int(flags))


def _poorly_formed(asking: Question) -> bool:
    home = asking.request.home_address
    return not asking.signed or asking.asks(Flags.r | Flags.x) or unusable_address(int(home))


def _invalid_home_agent(asking: Question) -> bool:
    agent = asking.request.home_agent
    return agent in asking.own or unusable_address(int(agent))


def _invalid_care_of(asking: Question) -> bool:
    # A co-located address is the node's own: the home agent judges it.
    request = asking.request
    if asking.asks(Flags.D):
        return request.care_of_address in asking.own
    return request.care_of_address != asking.care_of_address


Gate = Callable[[Question], bool]

_FOR_ALL: tuple[tuple[Code, Gate], ...] = (
    (Code.FA_POORLY_FORMED_REQUEST, _poorly_formed),
    (Code.FA_INVALID_HOME_AGENT_ADDRESS, _invalid_home_agent),
)
_ROOM: tuple[Code, Gate] = (Code.FA_INSUFFICIENT_RESOURCES, lambda asking: not asking.room)

LEAVING: tuple[tuple[Code, Gate], ...] = (*_FOR_ALL, _ROOM)
REFUSALS: tuple[tuple[Code, Gate], ...] = (
    *_FOR_ALL,
    (
        Code.FA_LIFETIME_TOO_LONG,
        lambda asking: asking.request.lifetime_s > asking.policy.max_lifetime_s,
    ),
    (Code.FA_INVALID_CARE_OF_ADDRESS, _invalid_care_of),
    (Code.FA_ENCAPSULATION_UNAVAILABLE, lambda asking: asking.asks(Flags.M)),
    (
        Code.FA_ENCAPSULATION_UNAVAILABLE,
        lambda asking: asking.asks(Flags.G) and not asking.policy.gre,
    ),
    (
        Code.FA_REVERSE_TUNNEL_UNAVAILABLE,
        lambda asking: (
            asking.asks(Flags.T) and asking.policy.reverse_tunnel is ReverseTunnel.UNSUPPORTED
        ),
    ),
    (
        Code.FA_REVERSE_TUNNEL_MANDATORY,
        lambda asking: (
            not asking.asks(Flags.T) and asking.policy.reverse_tunnel is ReverseTunnel.REQUIRED
        ),
    ),
    (
        Code.FA_DELIVERY_STYLE_UNSUPPORTED,
        lambda asking: encapsulated(asking.request.extensions) and not asking.policy.encapsulating,
    ),
    _ROOM,
)


def encapsulated(extensions: tuple[Extension, ...]) -> bool:
    """Whether the node asks for the encapsulating delivery style (RFC 3024 3.3)."""
    return any(isinstance(one, EncapsulatingDelivery) for one in extensions)


def refusal(asking: Question) -> Code | None:
    """The code of the first gate that refuses; None if the request is relayed."""
    for code, refuses in REFUSALS if asking.request.lifetime_s else LEAVING:
        if refuses(asking):
            return code
    return None


def relayed_request(
    request: RegistrationRequest, data: bytes, key: SecurityAssociation | None, stamp: int
) -> bytes:
    """What goes to the home agent: all that the node signed for it, signed again with its key.

    What the node appended for the foreign agent stays behind (RFC 5944 3.7.2.2).
    """
    relayed = _signed_part(data, _REQUEST_BYTES, request.extensions)
    if key is None:
        return relayed
    return sign(relayed + RevocationSupport(stamp).to_bytes(), AuthenticationKind.FOREIGN_HOME, key)


def relayed_reply(reply: RegistrationReply, data: bytes, key: SecurityAssociation | None) -> bytes:
    """What goes to the node: all that the home agent signed for it (RFC 5944 3.7.3.2)."""
    relayed = _signed_part(data, _REPLY_BYTES, reply.extensions)
    return relayed if key is None else sign(relayed, AuthenticationKind.MOBILE_FOREIGN, key)


def signed_for_home(extensions: tuple[Extension, ...]) -> bool:
    """Whether the node's authenticator for its home agent is there, right or wrong."""
    return any(
        isinstance(one, Authentication) and one.kind is AuthenticationKind.MOBILE_HOME
        for one in extensions
    )


def _signed_part(data: bytes, start: int, extensions: tuple[Extension, ...]) -> bytes:
    """The message through the authenticator between node and home agent; without it, no more
    than the fixed part."""
    end = start
    for extension in extensions:
        end += len(extension.to_bytes())
        if isinstance(extension, Authentication) and (
            extension.kind is AuthenticationKind.MOBILE_HOME
        ):
            return data[:end]
    return data[:start]
