"""The foreign agent (RFC 5944 3.7): relays registrations and keeps a list of visitors.

Theory. Two things are remembered, and they are apart. A relayed request waits in a bounded list for
its reply, for a few seconds; nothing else comes of a request, since anybody can send one. Only a
reply that finds its request there, from the home agent that it was relayed to, makes or ends a
visitor: `visitors` has the table. What is refused without asking the home agent: `relaying`.

A reply that fails authentication with the home agent's key leaves its request waiting, so that
forgeries cannot suppress the true reply; if none comes, the node is told why (68 instead of 78).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address

from netcont.mobileip import discovery
from netcont.mobileip.advertiser import Advertiser
from netcont.mobileip.authentication import (
    AuthenticationError,
    SecurityAssociation,
    sign,
    verify,
)
from netcont.mobileip.binding import Removal
from netcont.mobileip.codes import Code, is_accepted
from netcont.mobileip.datagram import Datagram, Endpoint
from netcont.mobileip.discovery import AgentFlags, AgentSolicitation
from netcont.mobileip.errors import MessageError
from netcont.mobileip.events import (
    Denied,
    Deregistered,
    Dropped,
    Event,
    Registered,
    SecurityViolation,
    Step,
    Violation,
)
from netcont.mobileip.extensions import AuthenticationKind
from netcont.mobileip.keyring import Keyring
from netcont.mobileip.messages import (
    INFINITE_LIFETIME_S,
    PORT,
    Flags,
    RegistrationReply,
    RegistrationRequest,
    parse,
)
from netcont.mobileip.pending import Pending, PendingRequests
from netcont.mobileip.policy import ForeignPolicy, ReverseTunnel
from netcont.mobileip.relaying import (
    Question,
    encapsulated,
    refusal,
    relayed_reply,
    relayed_request,
    signed_for_home,
)
from netcont.mobileip.revocation import Revocation, RevocationAck
from netcont.mobileip.revoking import Revocations, acknowledge, authentic, not_older, stamp_of
from netcont.mobileip.visitor import Visitor, VisitorChange
from netcont.mobileip.visitors import Visitors

_MOBILE_FOREIGN = AuthenticationKind.MOBILE_FOREIGN
_FOREIGN_HOME = AuthenticationKind.FOREIGN_HOME


class ForeignAgent:
    """An agent that lends its care-of address to visitors.

    jitter: for advertisements, see `Advertiser`.
    """

    def __init__(
        self,
        address: IPv4Address,
        *,
        care_of_address: IPv4Address | None = None,
        policy: ForeignPolicy | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self.address = address
        self.care_of_address = care_of_address or address
        self.policy = policy or ForeignPolicy()
        self._home_agents = Keyring()
        self._nodes = Keyring()
        self._visitors = Visitors()
        self._pending = PendingRequests(
            self.policy.max_pending,
            self.policy.max_pending_from_source,
            self.policy.pending_timeout_s,
        )
        self._revocations = Revocations()
        self._advertiser = Advertiser(
            address,
            self._flags(),
            registration_lifetime_s=self.policy.max_lifetime_s,
            care_of_addresses=(self.care_of_address,),
            prefix_length=self.policy.prefix_length,
            interval_s=self.policy.advertisement_interval_s,
            solicited_interval_s=self.policy.solicited_interval_s,
            jitter=jitter,
        )

    def add_home_agent(
        self, address: IPv4Address, associations: Iterable[SecurityAssociation]
    ) -> None:
        """Sign to this home agent, and believe what it sends only with its authenticator."""
        self._home_agents.add(address, associations)

    def add_node(
        self, home_address: IPv4Address, associations: Iterable[SecurityAssociation]
    ) -> None:
        """Relay for this node only with an authenticator for this agent (else 67)."""
        self._nodes.add(home_address, associations)

    def __len__(self) -> int:
        return len(self._visitors)

    def __iter__(self) -> Iterator[Visitor]:
        return iter(self._visitors)

    def visitor(self, home_address: IPv4Address) -> Visitor | None:
        """The visitor of this home address."""
        return self._visitors.get(home_address)

    @property
    def pending(self) -> int:
        """How many requests wait for their replies."""
        return len(self._pending)

    @property
    def busy(self) -> bool:
        """Whether no further node can register now; advertisements say so (B bit)."""
        return self._pending.full or len(self._visitors) >= self.policy.max_visitors

    # --- time ----------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `expire` has something to do."""
        times = (
            self._visitors.next_deadline(),
            self._pending.next_deadline(),
            self._revocations.next_deadline(),
            self._advertiser.next_deadline(),
        )
        return min((one for one in times if one is not None), default=None)

    def expire(self, now: float) -> Step[VisitorChange]:
        """Advertise, end what has ended, give up waiting; the first call begins advertising."""
        step = self._expire_state(now)
        return step + Step(
            self._revocations.retry(now), icmp=self._advertiser.due(now, busy=self.busy)
        )

    def _expire_state(self, now: float) -> Step[VisitorChange]:
        step: Step[VisitorChange] = Step(changes=self._visitors.expire(now))
        for pending in self._pending.take_due(now):
            code = (
                Code.FA_HOME_AGENT_FAILED_AUTHENTICATION
                if pending.forged_reply
                else Code.FA_REGISTRATION_TIMEOUT
            )
            step += self._deny(pending.request, pending.endpoint, code)
        return step

    # --- messages ------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Endpoint, now: float) -> Step[VisitorChange]:
        """Take a datagram that came to port 434; never raises, whatever it holds."""
        ended = self._expire_state(now)
        return ended + self._take(data, source, now)

    def receive_icmp(self, data: bytes, source: IPv4Address, now: float) -> Step[VisitorChange]:
        """Take an ICMP message; solicitations are answered, the rest is not for agents."""
        try:
            message = discovery.parse(data)
        except MessageError as error:
            return Step(events=(Dropped((source, 0), error.message),))
        if isinstance(message, AgentSolicitation):
            return Step(icmp=self._advertiser.solicited(source, now, busy=self.busy))
        return Step()

    def revoke(self, home_address: IPv4Address, now: float) -> Step[VisitorChange]:
        """End a visit; a home agent that takes part in revocation is told (RFC 3543)."""
        visitor = self._visitors.get(home_address)
        if visitor is None:
            return Step()
        changes = self._visitors.remove(visitor, Removal.REVOKED)
        agent = visitor.home_agent
        key = self._home_agents.first(agent)
        if key is None or visitor.revocation_stamp is None:
            return Step(changes=changes)
        ends = (agent, visitor.care_of_address)
        sent = self._revocations.start(home_address, ends, agent, key, now, by_home=False)
        return Step((sent,), changes)

    def _take(self, data: bytes, source: Endpoint, now: float) -> Step[VisitorChange]:
        try:
            message = parse(data)
        except MessageError as error:
            return self._malformed(data, source, error)
        if isinstance(message, RegistrationRequest):
            return self._request(message, data, source, now)
        if isinstance(message, RegistrationReply):
            return self._reply(message, data, source)
        return self._revocation(message, data, source)

    def _malformed(self, data: bytes, source: Endpoint, error: MessageError) -> Step[VisitorChange]:
        dropped = Dropped(source, error.message)
        code = error.foreign_code
        if not error.poorly_formed or code is None:
            return Step(events=(dropped,))
        request = RegistrationRequest.head_from_bytes(data)
        return self._deny(request, source, code, dropped)

    # --- requests ------------------------------------------------------------------------------

    def _request(
        self, request: RegistrationRequest, data: bytes, source: Endpoint, now: float
    ) -> Step[VisitorChange]:
        keys = self._nodes.get(int(request.home_address))
        if keys is not None:
            try:
                verify(data, _MOBILE_FOREIGN, keys)
            except AuthenticationError as error:
                event = SecurityViolation(source, error.failure, request.home_address)
                code = Code.FA_MOBILE_NODE_FAILED_AUTHENTICATION
                return self._deny(request, source, code, event)
        known = self._pending.find(request.home_address, request.identification)
        if known is not None and known.endpoint != source:
            return Step(events=(Dropped(source, "somebody else's request has this number"),))
        asking = Question(
            request,
            self.policy,
            (self.address, self.care_of_address),
            self.care_of_address,
            signed_for_home(request.extensions),
            known is not None or self._has_room(request, source),
        )
        refused = refusal(asking)
        if refused is not None:
            return self._deny(request, source, refused)
        if known is None:
            self._pending.add(Pending(request, source, request.home_agent, now))
        key = self._home_agents.first(request.home_agent)
        relayed = relayed_request(request, data, key, self._revocations.stamp(now))
        return Step((Datagram((request.home_agent, PORT), relayed),))

    def _has_room(self, request: RegistrationRequest, source: Endpoint) -> bool:
        if self._pending.full_for(source[0]):
            return False
        if not request.lifetime_s or self._visitors.get(request.home_address):
            return True
        return len(self._visitors) + len(self._pending) < self.policy.max_visitors

    def _deny(
        self, request: RegistrationRequest, to: Endpoint, code: Code, *events: Event
    ) -> Step[VisitorChange]:
        """Refuse in the agent's own name; a lifetime that is too long is told the longest one."""
        lifetime_s = self.policy.max_lifetime_s if code is Code.FA_LIFETIME_TOO_LONG else 0
        reply = RegistrationReply(
            code, lifetime_s, request.home_address, request.home_agent, request.identification
        )
        key = self._nodes.first(request.home_address)
        data = reply.to_bytes() if key is None else sign(reply, _MOBILE_FOREIGN, key)
        denied = Denied(request.home_address, request.care_of_address, code)
        return Step((Datagram(to, data),), events=(*events, denied))

    # --- replies -------------------------------------------------------------------------------

    def _reply(
        self, reply: RegistrationReply, data: bytes, source: Endpoint
    ) -> Step[VisitorChange]:
        pending = self._pending.find(reply.home_address, reply.identification)
        if pending is None or pending.home_agent != source[0]:
            return Step(events=(Dropped(source, "the reply matches no pending request"),))
        keys = self._home_agents.get(int(source[0]))
        if keys is not None:
            try:
                verify(data, _FOREIGN_HOME, keys, sealed=True)
            except AuthenticationError as error:
                pending.forged_reply = True
                forged = SecurityViolation(source, error.failure, reply.home_address)
                return Step(events=(forged,))
        self._pending.remove(pending)
        stamp = None if keys is None else stamp_of(reply.extensions)
        event, changes = self._conclude(pending, reply, stamp)
        key = self._nodes.first(reply.home_address)
        relayed = relayed_reply(reply, data, key)
        return Step((Datagram(pending.endpoint, relayed),), changes, (event,))

    def _conclude(
        self, pending: Pending, reply: RegistrationReply, stamp: int | None
    ) -> tuple[Event, tuple[VisitorChange, ...]]:
        """Carry out what a reply means for the visitor list."""
        request = pending.request
        home, care_of = request.home_address, request.care_of_address
        lifetime_s = min(reply.lifetime_s, request.lifetime_s)
        if not is_accepted(reply.code):
            return Denied(home, care_of, reply.code, authenticated=stamp is not None), ()
        if not lifetime_s:
            return Deregistered(home, care_of), self._visitors.end(home, care_of)
        endless = lifetime_s == INFINITE_LIFETIME_S
        visitor = Visitor(
            home,
            request.home_agent,
            care_of,
            pending.endpoint,
            request.flags,
            lifetime_s,
            math.inf if endless else pending.relayed_at + lifetime_s,
            stamp,
            bool(request.flags & Flags.T) and encapsulated(request.extensions),
        )
        event = Registered(home, care_of, lifetime_s, reply.code)
        return event, self._visitors.grant(visitor)

    # --- revocation ----------------------------------------------------------------------------

    def _revocation(
        self, message: Revocation | RevocationAck, data: bytes, source: Endpoint
    ) -> Step[VisitorChange]:
        keys = self._home_agents.get(int(source[0]))
        if keys is None:
            event = SecurityViolation(source, Violation.UNKNOWN_AGENT, message.home_address)
            return Step(events=(event,))
        try:
            key = authentic(data, keys)
        except AuthenticationError as error:
            event = SecurityViolation(source, error.failure, message.home_address)
            return Step(events=(event,))
        if isinstance(message, RevocationAck):
            if self._revocations.acknowledged(message, source[0]):
                return Step()
            return Step(events=(Dropped(source, "acknowledges no revocation under way"),))
        visitor = self._visitors.get(message.home_address)
        changes: tuple[VisitorChange, ...] = ()
        if (
            visitor is not None
            and visitor.home_agent == source[0]
            and visitor.care_of_address == message.foreign_domain_address
            and visitor.revocation_stamp is not None
            and not_older(message.revocation_identifier, visitor.revocation_stamp)
        ):
            changes = self._visitors.remove(visitor, Removal.REVOKED)
        return Step((acknowledge(message, source, key),), changes)

    def _flags(self) -> AgentFlags:
        flags = AgentFlags.F | AgentFlags.X
        if self.policy.registration_required:
            flags |= AgentFlags.R
        if self.policy.gre:
            flags |= AgentFlags.G
        if self.policy.reverse_tunnel is not ReverseTunnel.UNSUPPORTED:
            flags |= AgentFlags.T
        return flags
