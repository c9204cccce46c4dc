"""The home agent (RFC 5944 3.8): who is away, where, and until when.

Theory. A request passes gates in a fixed order; the first that refuses it decides the code, and
what a request may change grows with the gates that it has passed:

1. form — else dropped, nobody can be told anything that he would believe;
2. the node's authenticator (131), then that of the foreign agent (132) — until here nothing that
   arrives changes anything at all, so that a flood of forgeries costs computing time only;
3. freshness of the identification (133) — a request that passes is remembered as the last one,
   whatever the later gates say, so that it can never be used again;
4. what is asked for: reserved bits and care-of address (134), our address (136), reverse tunnel
   (137, 138), encapsulation (139), number of bindings (135, 130): `refusals` has the table.

What an accepted request does to the bindings of its home address is the table `EFFECTS` of
`bindings`. Bindings end by themselves: every call with a time first removes what has expired.

Time is Unix time in seconds, for timestamps are compared with it. A caller whose clock may jump
gives a steady clock plus a constant, and moves the constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address

from netcont.errors import ConfigurationError
from netcont.mobileip.authentication import (
    AuthenticationError,
    Failure,
    SecurityAssociation,
    sign,
    verify,
)
from netcont.mobileip.binding import Binding, BindingChange, Removal
from netcont.mobileip.bindings import Asked, Bindings
from netcont.mobileip.codes import Code
from netcont.mobileip.datagram import Datagram, Endpoint
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
from netcont.mobileip.extensions import Authentication, AuthenticationKind, RevocationSupport
from netcont.mobileip.freshness import Freshness
from netcont.mobileip.keyring import Keyring
from netcont.mobileip.messages import (
    INFINITE_LIFETIME_S,
    Flags,
    RegistrationReply,
    RegistrationRequest,
    parse,
)
from netcont.mobileip.policy import HomePolicy
from netcont.mobileip.refusals import Question, accepted_code, asked_by, refusal
from netcont.mobileip.replay import Replay
from netcont.mobileip.revocation import Revocation, RevocationAck
from netcont.mobileip.revoking import Revocations, acknowledge, authentic, not_older, stamp_of
from netcont.mobileip.snapshot import HomeSnapshot

_D = int(Flags.D)

_MOBILE_HOME = AuthenticationKind.MOBILE_HOME
_FOREIGN_HOME = AuthenticationKind.FOREIGN_HOME

_Keys = tuple[SecurityAssociation, SecurityAssociation | None]
"""Of the node and of the foreign agent that relays for it, if that has one."""


class HomeAgent:
    """One home agent address and the nodes it serves.

    nonces: gives 32 random bits a call; needed by associations that use nonces.
    """

    def __init__(
        self,
        address: IPv4Address,
        *,
        policy: HomePolicy | None = None,
        nonces: Callable[[], int] | None = None,
    ) -> None:
        self.address = address
        self.policy = policy or HomePolicy()
        self._nodes = Keyring()
        self._agents = Keyring()
        self._bindings = Bindings()
        self._freshness = Freshness(self.policy.tolerance_s, nonces)
        self._revocations = Revocations()

    # --- configuration -------------------------------------------------------------------------

    def add_node(
        self, home_address: IPv4Address, associations: Iterable[SecurityAssociation]
    ) -> None:
        """Serve a home address, with these security associations instead of any earlier ones.

        Raises ConfigurationError for none at all, and for nonces without a source of them.
        """
        keys = tuple(associations)
        if not self._freshness.has_nonces and any(one.replay is Replay.NONCE for one in keys):
            raise ConfigurationError(
                f"{home_address} uses nonces and the agent has no source of them",
                remedy="give the home agent one, or use timestamps",
            )
        self._nodes.add(home_address, keys)

    def remove_node(self, home_address: IPv4Address) -> Step[BindingChange]:
        """Serve a home address no more; what it had is gone."""
        home = int(home_address)
        changes: list[BindingChange] = []
        for binding in self._bindings.of(home):
            changes += self._bindings.remove(binding, Removal.REVOKED)
        self._nodes.pop(home, None)
        self._freshness.forget(home)
        return Step(changes=tuple(changes))

    def add_foreign_agent(
        self, address: IPv4Address, associations: Iterable[SecurityAssociation]
    ) -> None:
        """Believe what comes from this foreign agent only with its authenticator."""
        self._agents.add(address, associations)

    # --- what is known -------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._bindings)

    def __iter__(self) -> Iterator[Binding]:
        return iter(self._bindings)

    def bindings_of(self, home_address: IPv4Address) -> tuple[Binding, ...]:
        """The bindings of one node, oldest first; none while it is at home or unknown."""
        return self._bindings.of(int(home_address))

    def numbers_of(self, home: IPv4Address) -> tuple[int | None, int | None]:
        """The last identification accepted from a node, and the nonce given to it."""
        return self._freshness.of(int(home))

    def snapshot(self) -> HomeSnapshot:
        """Everything that messages have changed."""
        ordered = sorted(self._bindings, key=lambda one: one.home_address)
        return HomeSnapshot(tuple(ordered), *self._freshness.snapshot())

    def restore(
        self, snapshot: HomeSnapshot, *, restarted_at: float | None = None
    ) -> Step[BindingChange]:
        """Go on where a snapshot ends.

        restarted_at: refuse every timestamp that is not after it. For snapshots that may miss the
        last requests: nobody can replay those, and nodes whose clocks lag resynchronise.
        """
        self._bindings.restore(snapshot.bindings)
        self._freshness.restore(snapshot.identifications, snapshot.nonces)
        if restarted_at is None:
            return Step()
        self._freshness.refuse_until(restarted_at)
        return self.expire(restarted_at)

    # --- time ----------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `expire` has something to do."""
        times = (self._bindings.next_deadline(), self._revocations.next_deadline())
        return min((one for one in times if one is not None), default=None)

    def expire(self, now: float) -> Step[BindingChange]:
        """End what has ended at now, and send again what was not acknowledged."""
        return Step(self._revocations.retry(now), tuple(self._bindings.expire(now)))

    # --- messages ------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Endpoint, now: float) -> Step[BindingChange]:
        """Take a datagram that came to port 434; never raises, whatever it holds."""
        deadline = self._bindings.next_deadline()
        if deadline is not None and deadline <= now:
            return self.expire(now) + self.receive(data, source, now)
        try:
            message = parse(data)
        except MessageError as error:
            return Step(events=(Dropped(source, error.message),))
        if type(message) is RegistrationRequest:
            return self._request(message, data, source, now)
        if type(message) is Revocation:
            return self._revoked(message, data, source)
        if type(message) is RevocationAck:
            return self._acknowledged(message, data, source)
        return Step(events=(Dropped(source, "a home agent waits for no reply"),))

    def revoke(self, home_address: IPv4Address, now: float) -> Step[BindingChange]:
        """End all bindings of a node; foreign agents that take part are told (RFC 3543)."""
        changes: list[BindingChange] = []
        sent: list[Datagram] = []
        for binding in self._bindings.of(int(home_address)):
            changes += self._bindings.remove(binding, Removal.REVOKED)
            agent = binding.foreign_agent
            key = None if agent is None else self._agents.first(agent)
            if agent is None or key is None or binding.revocation_stamp is None:
                continue
            ends = (self.address, binding.care_of_address)
            sent.append(self._revocations.start(home_address, ends, agent, key, now, by_home=True))
        return Step(tuple(sent), tuple(changes))

    # --- gates ---------------------------------------------------------------------------------

    def _request(
        self, request: RegistrationRequest, data: bytes, source: Endpoint, now: float
    ) -> Step[BindingChange]:
        home = int(request.home_address)
        associations = self._nodes.get(home)
        if associations is None:
            return self._forged(request, source, Violation.UNKNOWN_NODE, None)
        try:
            association = verify(data, _MOBILE_HOME, associations)
        except AuthenticationError as error:
            key = next(iter(associations.values()))
            return self._forged(request, source, error.failure, key)
        agent_key = None
        agent_keys = self._agents.get(int(source[0])) if self._agents else None
        try:
            if agent_keys is not None:
                agent_key = verify(data, _FOREIGN_HOME, agent_keys, sealed=True)
            elif _has_agent_authenticator(request):
                verify(data, _FOREIGN_HOME, {})
        except AuthenticationError as error:
            event = SecurityViolation(source, error.failure, request.home_address)
            code = Code.HA_FOREIGN_AGENT_FAILED_AUTHENTICATION
            number = request.identification
            return self._deny(request, source, code, number, (association, None), event)
        return self._authentic(request, source, now, (association, agent_key))

    def _authentic(
        self, request: RegistrationRequest, source: Endpoint, now: float, keys: _Keys
    ) -> Step[BindingChange]:
        home = int(request.home_address)
        fresh = self._freshness.check(request.identification, home, now, keys[0].replay)
        number = fresh.reply_identification
        if not fresh.ok:
            replayed = SecurityViolation(source, Violation.REPLAYED, request.home_address)
            code = Code.HA_IDENTIFICATION_MISMATCH
            return self._deny(request, source, code, number, keys, replayed)
        bits = int(request.flags)
        asked = asked_by(request, bits, self.policy)
        asking = Question(
            request,
            bits,
            asked,
            self.address,
            self.policy,
            self._nodes,
            self._bindings.held(home, int(request.care_of_address)),
            len(self._bindings.of(home)),
            len(self._bindings),
        )
        refused = refusal(asking)
        if refused is not None:
            return self._deny(request, source, refused, number, keys)
        event, lifetime_s, changes = (
            self._bind(request, source, now, keys, asked)
            if request.lifetime_s
            else self._unbind(request, asked)
        )
        code = accepted_code(bits, self.policy)
        reply = self._reply(request, code, lifetime_s, number, keys, now)
        return Step((Datagram(source, reply),), tuple(changes), (event,))

    # --- effects -------------------------------------------------------------------------------

    def _bind(
        self,
        request: RegistrationRequest,
        source: Endpoint,
        now: float,
        keys: _Keys,
        asked: Asked,
    ) -> tuple[Event, int, list[BindingChange]]:
        lifetime_s = min(request.lifetime_s, self.policy.max_lifetime_s)
        binding = Binding(
            request.home_address,
            request.care_of_address,
            request.flags,
            lifetime_s,
            math.inf if lifetime_s == INFINITE_LIFETIME_S else now + lifetime_s,
            request.identification,
            keys[0].spi,
            None if int(request.flags) & _D else source[0],
            stamp_of(request.extensions) if keys[1] is not None else None,
        )
        changes = self._bindings.bind(binding, asked)
        event = Registered(request.home_address, request.care_of_address, lifetime_s)
        return event, lifetime_s, changes

    def _unbind(
        self, request: RegistrationRequest, asked: Asked
    ) -> tuple[Event, int, list[BindingChange]]:
        home, care_of = int(request.home_address), int(request.care_of_address)
        changes = self._bindings.unbind(home, care_of, asked)
        return Deregistered(request.home_address, request.care_of_address), 0, changes

    # --- replies -------------------------------------------------------------------------------

    def _forged(
        self,
        request: RegistrationRequest,
        source: Endpoint,
        why: Failure | Violation,
        key: SecurityAssociation | None,
    ) -> Step[BindingChange]:
        """Deny what is not the node's; without any key of it the reply goes out unsigned."""
        event = SecurityViolation(source, why, request.home_address)
        code = Code.HA_MOBILE_NODE_FAILED_AUTHENTICATION
        return self._deny(request, source, code, request.identification, (key, None), event)

    def _deny(
        self,
        request: RegistrationRequest,
        source: Endpoint,
        code: Code,
        number: int,
        keys: tuple[SecurityAssociation | None, SecurityAssociation | None],
        *events: Event,
    ) -> Step[BindingChange]:
        reply = self._reply(request, code, 0, number, keys)
        denied = Denied(
            request.home_address,
            request.care_of_address,
            code,
            authenticated=code is not Code.HA_MOBILE_NODE_FAILED_AUTHENTICATION,
        )
        return Step((Datagram(source, reply),), (), (*events, denied))

    def _reply(
        self,
        request: RegistrationRequest,
        code: Code,
        lifetime_s: int,
        number: int,
        keys: tuple[SecurityAssociation | None, SecurityAssociation | None],
        now: float | None = None,
    ) -> bytes:
        """The reply's bytes; with a stamp for revocations if the foreign agent takes part."""
        reply = RegistrationReply(code, lifetime_s, request.home_address, self.address, number)
        data = reply.to_bytes()
        if keys[0] is not None:
            data = sign(data, _MOBILE_HOME, keys[0])
        if keys[1] is not None:
            if now is not None and stamp_of(request.extensions) is not None:
                data += RevocationSupport(self._revocations.stamp(now)).to_bytes()
            data = sign(data, _FOREIGN_HOME, keys[1])
        return data

    # --- revocation ----------------------------------------------------------------------------

    def _revoked(self, message: Revocation, data: bytes, source: Endpoint) -> Step[BindingChange]:
        """A foreign agent ends a registration; acknowledged even if there is none any more."""
        key = self._agent_key(data, source)
        if not isinstance(key, SecurityAssociation):
            return Step(events=(SecurityViolation(source, key, message.home_address),))
        changes: list[BindingChange] = []
        for binding in self._bindings.of(int(message.home_address)):
            stamp = binding.revocation_stamp
            if (
                binding.care_of_address == message.foreign_domain_address
                and binding.foreign_agent == source[0]
                and stamp is not None
                and not_older(message.revocation_identifier, stamp)
            ):
                changes += self._bindings.remove(binding, Removal.REVOKED)
        return Step((acknowledge(message, source, key),), tuple(changes))

    def _acknowledged(
        self, message: RevocationAck, data: bytes, source: Endpoint
    ) -> Step[BindingChange]:
        key = self._agent_key(data, source)
        if not isinstance(key, SecurityAssociation):
            return Step(events=(SecurityViolation(source, key, message.home_address),))
        if self._revocations.acknowledged(message, source[0]):
            return Step()
        return Step(events=(Dropped(source, "acknowledges no revocation under way"),))

    def _agent_key(
        self, data: bytes, source: Endpoint
    ) -> SecurityAssociation | Failure | Violation:
        keys = self._agents.get(int(source[0]))
        if keys is None:
            return Violation.UNKNOWN_AGENT
        try:
            return authentic(data, keys)
        except AuthenticationError as error:
            return error.failure


def _has_agent_authenticator(request: RegistrationRequest) -> bool:
    return any(
        type(one) is Authentication and one.kind is _FOREIGN_HOME for one in request.extensions
    )
