"""One registration of a mobile node: one care-of address, from the first request to the end.

Theory. A registration is in one of six states, and nothing but the inputs below moves it. `TABLE`
gives for each pair the next state and what to do; a pair that is not there changes nothing.

- IDLE: nothing was asked.                     - HELD: granted, and not yet due for renewal.
- ASKING: asked, and nothing is granted.       - RENEWING: granted, and asked again.
- LEAVING: asked to be forgotten.              - GONE: forgotten; the end.

Requests are repeated until they are answered, each time with a new identification and after twice
the time (RFC 5944 3.6.3). A refusal by somebody who cannot be authenticated ends nothing: the
request stays pending, so that the true answer counts, and the next one goes out when it would have
gone anyway. An identification that the home agent calls stale (133, authenticated) is replaced at
once; if the next one is stale too, only after the usual time, so that two ends that disagree do not
exhaust each other. Lifetimes count from when the request was sent (3.6.2.2): the node then never
believes in a registration longer than its home agent does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address
from types import MappingProxyType

from netcont.mobileip import replay
from netcont.mobileip.attachment import Attachment
from netcont.mobileip.authentication import SecurityAssociation, sign
from netcont.mobileip.codes import Code
from netcont.mobileip.datagram import Datagram
from netcont.mobileip.events import (
    Denied,
    Deregistered,
    Event,
    Registered,
    RegistrationLost,
    Resynchronised,
    Unanswered,
)
from netcont.mobileip.extensions import AuthenticationKind, EncapsulatingDelivery
from netcont.mobileip.identification import Identifications
from netcont.mobileip.messages import (
    INFINITE_LIFETIME_S,
    Flags,
    RegistrationReply,
    RegistrationRequest,
)
from netcont.mobileip.policy import NodePolicy

LEAVING_ATTEMPTS = 6
"""Requests to be forgotten before the rest is left to the lifetime."""

_SHORTEST_RENEWAL_S = 1.0


class State(Enum):
    """Where a registration stands."""

    IDLE = "idle"
    ASKING = "asking"
    HELD = "held"
    RENEWING = "renewing"
    LEAVING = "leaving"
    GONE = "gone"


class Input(Enum):
    """What moves a registration."""

    START = "told to register, now"
    LEAVE = "told to deregister"
    GRANTED = "the home agent agreed"
    REFUSED = "the request was refused"
    STALE = "the identification was refused"
    RETRY = "no answer in time"
    RENEW = "time to renew"
    EXPIRED = "the lifetime is over"


class Action(Enum):
    """What to do about it."""

    SEND = "send a request, and begin with the shortest wait"
    REPEAT = "send another request, and wait longer"
    ANEW = "send a request at once if that was not tried just now, else wait"
    KEEP = "note the lifetime"
    WAIT = "report, and let the wait go on"
    LOSE = "report the loss; the renewal goes on as a first request"
    LOSE_AND_SEND = "report the loss, and ask"
    FINISH = "report the end"


_S, _I, _A = State, Input, Action

TABLE = MappingProxyType(
    {
        (_S.IDLE, _I.START): (_S.ASKING, _A.SEND),
        (_S.ASKING, _I.START): (_S.ASKING, _A.SEND),
        (_S.HELD, _I.START): (_S.RENEWING, _A.SEND),
        (_S.RENEWING, _I.START): (_S.RENEWING, _A.SEND),
        (_S.LEAVING, _I.START): (_S.ASKING, _A.SEND),
        (_S.GONE, _I.START): (_S.ASKING, _A.SEND),
        (_S.IDLE, _I.LEAVE): (_S.LEAVING, _A.SEND),
        (_S.ASKING, _I.LEAVE): (_S.LEAVING, _A.SEND),
        (_S.HELD, _I.LEAVE): (_S.LEAVING, _A.SEND),
        (_S.RENEWING, _I.LEAVE): (_S.LEAVING, _A.SEND),
        (_S.ASKING, _I.GRANTED): (_S.HELD, _A.KEEP),
        (_S.RENEWING, _I.GRANTED): (_S.HELD, _A.KEEP),
        (_S.LEAVING, _I.GRANTED): (_S.GONE, _A.FINISH),
        (_S.ASKING, _I.REFUSED): (_S.ASKING, _A.WAIT),
        (_S.RENEWING, _I.REFUSED): (_S.RENEWING, _A.WAIT),
        (_S.LEAVING, _I.REFUSED): (_S.LEAVING, _A.WAIT),
        (_S.ASKING, _I.STALE): (_S.ASKING, _A.ANEW),
        (_S.RENEWING, _I.STALE): (_S.RENEWING, _A.ANEW),
        (_S.LEAVING, _I.STALE): (_S.LEAVING, _A.ANEW),
        (_S.ASKING, _I.RETRY): (_S.ASKING, _A.REPEAT),
        (_S.RENEWING, _I.RETRY): (_S.RENEWING, _A.REPEAT),
        (_S.LEAVING, _I.RETRY): (_S.LEAVING, _A.REPEAT),
        (_S.HELD, _I.RENEW): (_S.RENEWING, _A.SEND),
        (_S.HELD, _I.EXPIRED): (_S.ASKING, _A.LOSE_AND_SEND),
        (_S.RENEWING, _I.EXPIRED): (_S.ASKING, _A.LOSE),
    }
)
"""The next state and the action, by state and input."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A mobile node as its home agent knows it."""

    home_address: IPv4Address
    home_agent: IPv4Address
    key: SecurityAssociation


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that waits for its reply."""

    identification: int
    lifetime_s: int
    sent_at: float


class Registration:
    """Registers, renews and ends one care-of address; returns what to send and report."""

    def __init__(
        self,
        identity: Identity,
        attachment: Attachment,
        identifications: Identifications,
        policy: NodePolicy,
        *,
        simultaneous: bool = False,
    ) -> None:
        self.identity = identity
        self.attachment = attachment
        self.policy = policy
        self.simultaneous = simultaneous
        self.state = State.IDLE
        self.pending: Asked | None = None
        self.expires_at = math.inf
        self.renew_at = math.inf
        self.retry_at = math.inf
        self.attempts = 0
        self._identifications = identifications
        self._retry_s = policy.first_retry_s
        self._limit_s = INFINITE_LIFETIME_S
        self._tried_anew = False
        self._sent: list[Datagram] = []
        self._events: list[Event] = []

    @property
    def held(self) -> bool:
        """Whether the home agent has granted a lifetime that is not over."""
        return self.state in (State.HELD, State.RENEWING)

    # --- inputs --------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Register, or register again right now."""
        self._feed(Input.START, now)

    def leave(self, now: float) -> None:
        """Ask the home agent to forget this care-of address; the home address: all of them."""
        self._feed(Input.LEAVE, now)

    def lost(self, why: str, now: float) -> None:
        """The agent has forgotten the registration: ask again."""
        if self.held:
            self.expires_at = now
            self._events.append(self._lost(why))
            self.state = State.ASKING
            self._feed(Input.START, now)

    def granted(self, reply: RegistrationReply, now: float) -> None:
        """An authentic acceptance of the pending request."""
        if self.pending is None:
            return
        asked = self.pending
        self._identifications.answered(asked.identification, reply.identification, accepted=True)
        if asked.lifetime_s and not reply.lifetime_s:
            self._feed(Input.REFUSED, now)
            return
        lifetime_s = min(reply.lifetime_s, asked.lifetime_s)
        endless = lifetime_s == INFINITE_LIFETIME_S
        if lifetime_s:
            self.expires_at = math.inf if endless else asked.sent_at + lifetime_s
            wait_s = max(lifetime_s * self.policy.renew_at, _SHORTEST_RENEWAL_S)
            self.renew_at = math.inf if endless else asked.sent_at + wait_s
            self._events.append(
                Registered(
                    self.identity.home_address,
                    self.attachment.care_of_address,
                    lifetime_s,
                    int(reply.code),
                )
            )
        self._feed(Input.GRANTED, now)

    def refused(self, reply: RegistrationReply, now: float, *, authenticated: bool) -> None:
        """A denial of the pending request; `authenticated`: by the home agent."""
        if self.pending is None:
            return
        self._events.append(
            Denied(
                self.identity.home_address,
                self.attachment.care_of_address,
                int(reply.code),
                authenticated,
            )
        )
        # Anybody can have the home agent deny a forgery (131), with numbers of his choice.
        if authenticated and reply.code != Code.HA_MOBILE_NODE_FAILED_AUTHENTICATION:
            number = self.pending.identification
            self._identifications.answered(number, reply.identification, accepted=False)
        if authenticated and reply.code == Code.HA_IDENTIFICATION_MISMATCH:
            self._identifications.resynchronise(reply.identification, now)
            offset_s = self._identifications.offset_s
            self._events.append(Resynchronised(self.identity.home_address, offset_s))
            self._feed(Input.STALE, now)
        elif self._shorter(reply):
            self._feed(Input.STALE, now)
        else:
            self._feed(Input.REFUSED, now)

    def answers(self, identification: int) -> bool:
        """Whether a reply with this identification belongs to the pending request."""
        pending = self.pending
        return pending is not None and replay.answers(identification, pending.identification)

    # --- time ----------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When `tick` has something to do; infinite for never."""
        if self.state in (State.IDLE, State.GONE):
            return math.inf
        if self.state is State.HELD:
            return min(self.renew_at, self.expires_at)
        if self.state is State.RENEWING:
            return min(self.retry_at, self.expires_at)
        return self.retry_at

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self.held and now >= self.expires_at:
            self._feed(Input.EXPIRED, now)
        if self.state is State.HELD and now >= self.renew_at:
            self._feed(Input.RENEW, now)
        elif self.pending is not None and now >= self.retry_at:
            self._feed(Input.RETRY, now)

    def take(self) -> tuple[tuple[Datagram, ...], tuple[Event, ...]]:
        """What is to be sent and reported since the last call."""
        taken = tuple(self._sent), tuple(self._events)
        self._sent.clear()
        self._events.clear()
        return taken

    # --- the machine ---------------------------------------------------------------------------

    def _feed(self, event: Input, now: float) -> None:
        step = TABLE.get((self.state, event))
        if step is None:
            return
        self.state, action = step
        if action is Action.SEND or action is Action.LOSE_AND_SEND:
            if action is Action.LOSE_AND_SEND:
                self._events.append(self._lost("it expired before it was renewed"))
            self._first(now)
        elif action is Action.REPEAT:
            self._repeat(now)
        elif action is Action.ANEW:
            if not self._tried_anew:
                self._tried_anew = True
                self._send(now)
        elif action is Action.KEEP or action is Action.FINISH:
            self.pending = None
            self.retry_at = math.inf
            self._tried_anew = False
            if action is Action.FINISH:
                self.expires_at = self.renew_at = math.inf
                self._events.append(self._deregistered())
        elif action is Action.LOSE:
            self._events.append(self._lost("it expired while its renewal was not answered"))

    def _first(self, now: float) -> None:
        self.attempts = 0
        self._retry_s = self.policy.first_retry_s
        self._tried_anew = False
        self._send(now)

    def _repeat(self, now: float) -> None:
        home, care_of = self.identity.home_address, self.attachment.care_of_address
        self._events.append(Unanswered(home, care_of, self.attempts))
        if self.state is State.LEAVING and self.attempts >= LEAVING_ATTEMPTS:
            self.pending, self.state = None, State.GONE
            self._events.append(self._lost("the home agent did not confirm its end"))
            return
        self._retry_s = min(2 * self._retry_s, self.policy.last_retry_s)
        self._tried_anew = False
        self._send(now)

    def _send(self, now: float) -> None:
        identity, attachment = self.identity, self.attachment
        lifetime_s = min(self.policy.lifetime_s, attachment.max_lifetime_s, self._limit_s)
        request = RegistrationRequest(
            self._flags(),
            0 if self.state is State.LEAVING else lifetime_s,
            identity.home_address,
            identity.home_agent,
            attachment.care_of_address,
            self._identifications.next(now),
        )
        data = sign(request, AuthenticationKind.MOBILE_HOME, identity.key)
        relayed = attachment.send_to[0] != identity.home_agent
        if relayed and self.policy.reverse_tunnel and self.policy.encapsulating:
            # After the authenticator for the home agent: it is for the foreign agent alone.
            data += EncapsulatingDelivery().to_bytes()
        if attachment.agent_key is not None:
            data = sign(data, AuthenticationKind.MOBILE_FOREIGN, attachment.agent_key)
        if attachment.proxy_key is not None:
            data = sign(data, AuthenticationKind.FOREIGN_HOME, attachment.proxy_key)
        self._sent.append(Datagram(attachment.send_to, data))
        self.pending = Asked(request.identification, request.lifetime_s, now)
        self.attempts += 1
        self.retry_at = now + self._retry_s

    def _flags(self) -> Flags:
        flags = Flags(0)
        if self.simultaneous and self.state is not State.LEAVING:
            flags |= Flags.S
        if self.attachment.colocated:
            flags |= Flags.D
        if self.policy.reverse_tunnel:
            flags |= Flags.T
        if self.policy.gre:
            flags |= Flags.G
        if self.policy.broadcasts:
            flags |= Flags.B
        return flags

    def _shorter(self, reply: RegistrationReply) -> bool:
        """Whether a refusal proposes a shorter lifetime that is worth having; it is taken over."""
        asked = self.pending.lifetime_s if self.pending is not None else 0
        if reply.code != Code.FA_LIFETIME_TOO_LONG:
            return False
        if not self.policy.min_lifetime_s <= reply.lifetime_s < asked:
            return False
        self._limit_s = reply.lifetime_s
        return True

    def _deregistered(self) -> Deregistered:
        return Deregistered(self.identity.home_address, self.attachment.care_of_address)

    def _lost(self, why: str) -> RegistrationLost:
        care_of = self.attachment.care_of_address
        return RegistrationLost(self.identity.home_address, care_of, why)
