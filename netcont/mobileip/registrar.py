"""Registers many guests that run no Mobile IP software: what a host does beside its foreign agent.

Each guest is a `MobileNode` with `Attachment.by_proxy`. Foreign agent and registrar share port 434:
a reply is the registrar's if it `waits_for` it, everything else is the foreign agent's.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from netcont.mobileip.attachment import Attachment
from netcont.mobileip.authentication import SecurityAssociation
from netcont.mobileip.datagram import Endpoint
from netcont.mobileip.deadlines import Deadlines
from netcont.mobileip.errors import MessageError
from netcont.mobileip.events import Dropped, Step
from netcont.mobileip.messages import RegistrationReply
from netcont.mobileip.node import MobileNode, NodeStep
from netcont.mobileip.policy import NodePolicy
from netcont.mobileip.registration import Identity


class Registrar:
    """The guests of one host, all with the care-of address of its foreign agent.

    home_agent_keys: shared by this foreign agent with home agents, by their addresses.
    """

    def __init__(
        self,
        care_of_address: IPv4Address,
        *,
        policy: NodePolicy | None = None,
        home_agent_keys: dict[IPv4Address, SecurityAssociation] | None = None,
    ) -> None:
        self.care_of_address = care_of_address
        self.policy = policy or NodePolicy()
        self._home_agent_keys = dict(home_agent_keys or {})
        self._guests: dict[int, MobileNode] = {}
        self._policies: dict[int, NodePolicy] = {}
        self._deadlines: Deadlines[int] = Deadlines()

    def __len__(self) -> int:
        return len(self._guests)

    def __iter__(self) -> Iterator[MobileNode]:
        return iter(tuple(self._guests.values()))

    def guest(self, home_address: IPv4Address) -> MobileNode | None:
        """The machine of a guest; None for one that is not served here."""
        return self._guests.get(int(home_address))

    def admit(self, home_address: IPv4Address, policy: NodePolicy) -> None:
        """A guest that may come has a policy of its own."""
        self._policies[int(home_address)] = policy

    # --- the guests' moves ---------------------------------------------------------------------

    def prepare(self, identity: Identity, now: float) -> NodeStep:
        """A guest will come: bind this place beside the one where it is."""
        guest = self._serve(identity)
        return self._acted(guest, guest.prepare(self._place(identity), now))

    def arrive(self, identity: Identity, now: float) -> NodeStep:
        """A guest runs here now: one request ends all other bindings, prepared or not."""
        guest = self._serve(identity)
        return self._acted(guest, guest.attach(self._place(identity), now))

    def share(self, home_address: IPv4Address, *, shared: bool = True) -> None:
        """A guest prepares to leave: do not end what its next place binds."""
        guest = self.guest(home_address)
        if guest is not None:
            guest.share(shared=shared)

    def hand_over(self, home_address: IPv4Address) -> None:
        """A guest has left: its next place registers for it."""
        self._guests.pop(int(home_address), None)
        self._deadlines.discard(int(home_address))

    def abandon(self, home_address: IPv4Address, now: float) -> NodeStep:
        """A guest will not come after all: end what was prepared."""
        guest = self.guest(home_address)
        return Step() if guest is None else self._acted(guest, guest.abandon(now))

    def leave(self, home_address: IPv4Address, now: float) -> NodeStep:
        """A guest will not come, or is elsewhere by now: end what was bound from here, only."""
        guest = self.guest(home_address)
        if guest is None:
            return Step()
        step = guest.abandon(now)
        if guest.current is not None:
            guest.current.leave(now)
            step += guest.tick(now)
        return self._acted(guest, step)

    def dismiss(self, home_address: IPv4Address, now: float) -> NodeStep:
        """A guest is at home, or has ended: end all its bindings."""
        guest = self.guest(home_address)
        return Step() if guest is None else self._acted(guest, guest.detach(now))

    # --- messages and time ---------------------------------------------------------------------

    def waits_for(self, data: bytes) -> bool:
        """Whether a datagram is the reply to a request of a guest here."""
        try:
            reply = RegistrationReply.from_bytes(data)
        except MessageError:
            return False
        guest = self.guest(reply.home_address)
        return guest is not None and guest.waits_for(reply)

    def receive(self, data: bytes, source: Endpoint, now: float) -> NodeStep:
        """Take a reply; never raises, whatever it holds."""
        try:
            home_address = RegistrationReply.from_bytes(data).home_address
        except MessageError as error:
            return Step(events=(Dropped(source, error.message),))
        guest = self.guest(home_address)
        if guest is None:
            return Step(events=(Dropped(source, f"{home_address} is no guest here"),))
        return self._acted(guest, guest.receive(data, source, now))

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        return self._deadlines.next()

    def tick(self, now: float) -> NodeStep:
        """Do what is due for the guests that something is due for."""
        step: NodeStep = Step()
        for home in self._deadlines.take_due(now):
            guest = self._guests[home]
            step += self._acted(guest, guest.tick(now))
        return step

    def _serve(self, identity: Identity) -> MobileNode:
        home = int(identity.home_address)
        guest = self._guests.get(home)
        if guest is None or guest.identity != identity:
            guest = self._guests[home] = MobileNode(
                identity, policy=self._policies.get(home, self.policy)
            )
        return guest

    def _place(self, identity: Identity) -> Attachment:
        agent = identity.home_agent
        return Attachment.by_proxy(self.care_of_address, agent, self._home_agent_keys.get(agent))

    def _acted(self, guest: MobileNode, step: NodeStep) -> NodeStep:
        home = int(guest.identity.home_address)
        at = guest.next_deadline()
        if at is None:
            self._deadlines.discard(home)
        else:
            self._deadlines.set(home, at)
        return step
