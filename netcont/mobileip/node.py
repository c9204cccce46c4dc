"""The mobile node (RFC 5944 2.4, 3.6), or whoever registers for one.

Theory. A node is made of machines that know nothing of each other: `Movement` says where it is,
each `Registration` takes care of one care-of address, and `Identifications` numbers the requests of
them all. What is here is the table that joins them:

| what happens        | current registration                  | registration ahead             |
|---------------------|---------------------------------------|--------------------------------|
| attach              | is replaced by one for the new place  | dropped, or becomes current    |
| prepare             | goes on, with the S bit from now on   | begins, with the S bit         |
| switch              | dropped: the next request replaces it | becomes current, without S bit |
| abandon             | goes on, without the S bit            | deregisters                    |
| share               | renews with the S bit from now on     | goes on                        |
| hand over           | dropped, and nothing is sent          | dropped, and nothing is sent   |
| come home, detach   | deregisters everything                | dropped                        |
| agent restarted     | begins again                          | goes on                        |

Make before break: `prepare` binds the next care-of address beside the present one, while the node
still is where it was. The home agent then sends to both. `switch` is one message, and until it
arrives packets reach the new place already.

A node without Mobile IP software is moved by its hosts: each foreign agent holds the node's key and
uses this class with `Attachment.by_proxy`. Then nothing is discovered; places are given, and the
two hosts' machines act together: before the destination calls `prepare`, the source calls `share`,
lest its renewal end what is prepared; before the destination calls `switch`, the source calls
`hand_over`, lest its renewal take the guest back.
"""

from __future__ import annotations

import math
from ipaddress import IPv4Address

from netcont.mobileip import discovery
from netcont.mobileip.attachment import Attachment
from netcont.mobileip.authentication import (
    AuthenticationError,
    Failure,
    SecurityAssociation,
    verify,
)
from netcont.mobileip.codes import Code, is_accepted, is_by_foreign
from netcont.mobileip.datagram import ALL_ROUTERS, Datagram, Endpoint, IcmpMessage
from netcont.mobileip.discovery import AgentAdvertisement, AgentSolicitation
from netcont.mobileip.errors import MessageError
from netcont.mobileip.events import (
    AgentFound,
    AgentLost,
    AgentRestarted,
    Denied,
    Dropped,
    Event,
    SecurityViolation,
    Step,
)
from netcont.mobileip.extensions import AuthenticationKind
from netcont.mobileip.identification import Identifications
from netcont.mobileip.messages import PORT, RegistrationReply, parse
from netcont.mobileip.movement import Move, Movement
from netcont.mobileip.policy import NodePolicy
from netcont.mobileip.registration import Identity, Registration

FIRST_SOLICITATION_S, LAST_SOLICITATION_S = 1.0, 64.0
"""Between solicitations; the time doubles. RFC 5944 2.4."""

NodeStep = Step[None]
"""A node's data path follows its events: Registered, Deregistered, RegistrationLost."""


class MobileNode:
    """A home address on its way.

    agent_keys: shared with foreign agents, by their addresses.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        policy: NodePolicy | None = None,
        agent_keys: dict[IPv4Address, SecurityAssociation] | None = None,
    ) -> None:
        self.identity = identity
        self.policy = policy or NodePolicy()
        self._agent_keys = dict(agent_keys or {})
        self._identifications = Identifications(identity.key.replay)
        self._movement: Movement | None = None
        self._solicit_at = math.inf
        self._solicit_s = FIRST_SOLICITATION_S
        self.current: Registration | None = None
        self.ahead: Registration | None = None

    @property
    def registered(self) -> bool:
        """Whether the home agent sends to where the node is."""
        return self.current is not None and self.current.held

    @property
    def prepared(self) -> bool:
        """Whether the home agent sends to where the node will be as well."""
        return self.ahead is not None and self.ahead.held

    # --- places given --------------------------------------------------------------------------

    def attach(self, attachment: Attachment, now: float) -> NodeStep:
        """The node is there now: register this care-of address instead of any other."""
        ahead = self.ahead
        if ahead is not None and ahead.attachment == attachment:
            return self.switch(now)
        if self.current is None or self.current.attachment != attachment:
            self.current = self._registration(attachment)
        self.ahead = None
        self.current.simultaneous = False
        self.current.start(now)
        return self._collect()

    def prepare(self, attachment: Attachment, now: float) -> NodeStep:
        """The node will be there: register it beside the present place (S bit)."""
        if self.ahead is None or self.ahead.attachment != attachment:
            self.ahead = self._registration(attachment)
        self.ahead.simultaneous = True
        if self.current is not None:
            # Without the bit its renewal would end what is prepared here.
            self.current.simultaneous = True
        self.ahead.start(now)
        return self._collect()

    def switch(self, now: float) -> NodeStep:
        """The node is where it was prepared to be: one request ends the old binding."""
        if self.ahead is None:
            return Step()
        self.current, self.ahead = self.ahead, None
        self.current.simultaneous = False
        self.current.start(now)
        return self._collect()

    def abandon(self, now: float) -> NodeStep:
        """The node stays where it is: end what was prepared."""
        if self.ahead is None:
            return Step()
        if self.current is not None:
            self.current.simultaneous = False
        self.ahead.leave(now)
        return self._collect()

    def share(self, *, shared: bool = True) -> None:
        """Another host binds another place for this node: renewals leave it alone (S bit)."""
        if self.current is not None:
            self.current.simultaneous = shared

    def hand_over(self) -> None:
        """Another host registers for this node from now on: say nothing more."""
        self.current = self.ahead = None

    def detach(self, now: float) -> NodeStep:
        """Deregister every care-of address, as a node that is at home does (RFC 5944 3.6.1)."""
        home = Attachment(self.identity.home_address, (self.identity.home_agent, PORT))
        if self.current is None or self.current.attachment != home:
            proxy_key = self.current.attachment.proxy_key if self.current is not None else None
            if proxy_key is not None:
                home = Attachment(home.care_of_address, home.send_to, proxy_key=proxy_key)
            self.current = self._registration(home)
        self.ahead = None
        self.current.leave(now)
        return self._collect()

    # --- places discovered ---------------------------------------------------------------------

    def search(self, now: float) -> NodeStep:
        """Follow agents' advertisements from now on, and ask for them."""
        self._movement = Movement(self.identity.home_agent, self.policy)
        self._solicit_s = FIRST_SOLICITATION_S
        self._solicit_at = now
        return self.tick(now)

    def receive_icmp(self, data: bytes, source: IPv4Address, now: float) -> NodeStep:
        """Take an ICMP message; never raises, whatever it holds."""
        if self._movement is None:
            return Step()
        try:
            message = discovery.parse(data)
        except MessageError as error:
            return Step(events=(Dropped((source, 0), error.message),))
        if not isinstance(message, AgentAdvertisement):
            return Step()
        before = self._movement.current
        return self._moved(self._movement.hear(message, source, now), before, now)

    # --- time ----------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        at = self._solicit_at
        if self._movement is not None:
            at = min(at, self._movement.next_deadline())
        for registration in (self.current, self.ahead):
            if registration is not None:
                at = min(at, registration.next_deadline())
        return None if math.isinf(at) else at

    def tick(self, now: float) -> NodeStep:
        """Send again, renew, notice losses, ask for agents: whatever is due."""
        step: NodeStep = Step()
        if self._movement is not None:
            before = self._movement.current
            step += self._moved(self._movement.tick(now), before, now)
        for registration in (self.current, self.ahead):
            if registration is not None:
                registration.tick(now)
        step += self._collect()
        if now >= self._solicit_at:
            self._solicit_at = now + self._solicit_s
            self._solicit_s = min(2 * self._solicit_s, LAST_SOLICITATION_S)
            step += Step(icmp=(IcmpMessage(ALL_ROUTERS, AgentSolicitation().to_bytes()),))
        return step

    # --- replies -------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Endpoint, now: float) -> NodeStep:
        """Take a datagram that came to the node's port; never raises, whatever it holds."""
        try:
            reply = parse(data)
        except MessageError as error:
            return Step(events=(Dropped(source, error.message),))
        if not isinstance(reply, RegistrationReply):
            return Step(events=(Dropped(source, "a mobile node takes replies only"),))
        registration = self._waiting_for(reply)
        if registration is None:
            return Step(events=(Dropped(source, "the reply matches no pending request"),))
        failure = self._failure(data, reply, registration.attachment)
        if failure is not None:
            return Step(events=self._disbelieved(reply, source, failure, registration))
        if is_accepted(reply.code):
            registration.granted(reply, now)
        else:
            by_home = not is_by_foreign(reply.code)
            registration.refused(reply, now, authenticated=by_home)
        step = self._collect()
        if reply.code == Code.ACCEPTED_WITHOUT_SIMULTANEOUS_BINDINGS and registration is self.ahead:
            step += self._not_beside(now)
        return step

    def waits_for(self, reply: RegistrationReply) -> bool:
        """Whether a reply belongs to a request that is pending, authentic or not."""
        return self._waiting_for(reply) is not None

    def _waiting_for(self, reply: RegistrationReply) -> Registration | None:
        if reply.home_address != self.identity.home_address:
            return None
        for registration in (self.current, self.ahead):
            if registration is not None and registration.answers(reply.identification):
                return registration
        return None

    def _failure(
        self, data: bytes, reply: RegistrationReply, attachment: Attachment
    ) -> Failure | None:
        """Why a reply is not to be believed (RFC 5944 3.6.2.1): each key that is there counts."""
        kinds = []
        if attachment.agent_key is not None:
            kinds.append((AuthenticationKind.MOBILE_FOREIGN, attachment.agent_key))
        if attachment.proxy_key is not None:
            kinds.append((AuthenticationKind.FOREIGN_HOME, attachment.proxy_key))
        if not is_by_foreign(reply.code):
            kinds.append((AuthenticationKind.MOBILE_HOME, self.identity.key))
        try:
            for kind, key in kinds:
                verify(data, kind, {key.spi: key})
        except AuthenticationError as error:
            return error.failure
        return None

    def _disbelieved(
        self,
        reply: RegistrationReply,
        source: Endpoint,
        failure: Failure,
        registration: Registration,
    ) -> tuple[Event, ...]:
        """Report a reply that changes nothing; people want to know the code all the same."""
        home, care_of = self.identity.home_address, registration.attachment.care_of_address
        violation = SecurityViolation(source, failure, home)
        if is_accepted(reply.code):
            return (violation,)
        return violation, Denied(home, care_of, int(reply.code), authenticated=False)

    def _not_beside(self, now: float) -> NodeStep:
        """The home agent knows no simultaneous bindings: what was prepared took our place away."""
        self.ahead = None
        if self.current is None:
            return Step()
        self.current.simultaneous = False
        self.current.start(now)
        return self._collect()

    # --- the joints ----------------------------------------------------------------------------

    def _moved(self, move: Move | None, before: object, now: float) -> NodeStep:
        movement = self._movement
        if move is None or movement is None:
            return Step()
        heard = movement.current
        if heard is None or move is Move.LOST:
            self._solicit_s = FIRST_SOLICITATION_S
            self._solicit_at = now
            gone = getattr(before, "agent", self.identity.home_agent)
            return Step(events=(AgentLost(gone),))
        self._solicit_at = math.inf
        if move is Move.HOME:
            found: NodeStep = Step(events=(AgentFound(heard.agent, None),))
            return found + self.detach(now)
        if move is Move.RESTARTED:
            if self.current is not None:
                self.current.start(now)
            restarted: NodeStep = Step(events=(AgentRestarted(heard.agent),))
            return restarted + self._collect()
        care_of = movement.care_of_address
        if care_of is None:
            return Step()
        attachment = Attachment.through(
            heard.agent,
            care_of,
            max_lifetime_s=max(1, heard.advertisement.registration_lifetime_s),
            key=self._agent_keys.get(heard.agent),
        )
        turned: NodeStep = Step(events=(AgentFound(heard.agent, care_of),))
        return turned + self.attach(attachment, now)

    def _registration(self, attachment: Attachment) -> Registration:
        return Registration(self.identity, attachment, self._identifications, self.policy)

    def _collect(self) -> NodeStep:
        sent: tuple[Datagram, ...] = ()
        events: tuple[Event, ...] = ()
        for registration in (self.current, self.ahead):
            if registration is not None:
                out, happened = registration.take()
                sent, events = sent + out, events + happened
        return Step(sent, events=events)
