"""The mobile node as a daemon: it notices where it is, registers, and follows with its routes.

At home there is nothing to do. With a co-located care-of address (an address of its link that is
not the home address) it ends the tunnel itself; else it turns to a foreign agent that it hears.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from netcont.agent import forwarding
from netcont.agent.datapath import DataPath
from netcont.agent.role import Out
from netcont.agent.settings import NodeSettings
from netcont.agent.store import Store
from netcont.errors import ConfigurationError, KernelError
from netcont.kernel.lookup import addresses_of, link_mac
from netcont.kernel.namespace import Namespace
from netcont.mobileip.attachment import Attachment
from netcont.mobileip.datagram import Datagram, Endpoint
from netcont.mobileip.events import (
    AgentFound,
    Deregistered,
    Registered,
    RegistrationLost,
    Step,
)
from netcont.mobileip.node import MobileNode
from netcont.mobileip.registration import Identity, Registration, State
from netcont.model.plan import is_ipv6

_TABLE = forwarding.FIRST_TABLE
_TUNNEL, _BACK = "tunnel", "back"


class NodeDaemon:
    """The machine, and this host's addresses and routes."""

    def __init__(self, settings: NodeSettings, node: Namespace, store: Store) -> None:
        self.settings = settings
        self._node = node
        self._path = DataPath(node, store, enabled=settings.forwards)
        self._home = IPv4Network((settings.address, settings.prefixlen), strict=False)
        keys = {peer.address: peer.keys[0] for peer in settings.foreign_agents}
        if settings.colocated and settings.home_agent in self._home:
            raise ConfigurationError(
                f"home_agent {settings.home_agent} is in the home network {self._home}: with a"
                " co-located address no packet to it would leave the foreign link",
                remedy="use an address of the home agent's outside of the home network",
            )
        identity = Identity(settings.address, settings.home_agent, settings.key)
        self._machine = MobileNode(identity, policy=settings.policy, agent_keys=keys)
        self._agent: IPv4Address | None = None
        self._failure: str | None = None

    # ---- the role

    def start(self, now: float) -> Out:
        if self.settings.forwards:
            # What an earlier daemon left is taken over once it is known where this one is.
            self._path.take_over((_TUNNEL, _BACK))
        if self.settings.colocated:
            return self.links_changed(now)
        return self._follow(self._machine.search(now))

    def receive(self, datagrams: Sequence[tuple[bytes, Endpoint]], now: float) -> Out:
        out: Out = Step()
        for data, source in datagrams:
            out += self._follow(self._machine.receive(data, source, now))
        return out

    def receive_icmp(self, data: bytes, source: IPv4Address, now: float) -> Out:
        if self.settings.colocated:
            return Step()
        return self._follow(self._machine.receive_icmp(data, source, now))

    def is_near(self, datagram: Datagram) -> bool:
        # A foreign agent is on the link; routes to it begin with its consent.
        return not self.settings.colocated and datagram.to[0] != self.settings.home_agent

    def links_changed(self, now: float) -> Out:
        if not self.settings.colocated:
            return Step()
        care_of = self._care_of_address()
        current = self._machine.current
        if care_of is None:
            if current is None or current.attachment.care_of_address == self.settings.address:
                return Step()
            return self._follow(self._machine.detach(now))
        place = Attachment.co_located(care_of, self.settings.home_agent)
        if current is not None and current.attachment == place:
            return Step()
        return self._follow(self._machine.attach(place, now))

    def deadline(self) -> float | None:
        return self._machine.next_deadline()

    def expire(self, now: float) -> Out:
        return self._follow(self._machine.tick(now))

    def command(self, request: Mapping[str, Any], now: float) -> Out:
        match request.get("do"):
            case "register":
                current = self._machine.current
                if current is None:
                    raise ConfigurationError("the node is at home: there is nothing to register")
                return self._follow(self._machine.attach(current.attachment, now))
            case "leave":
                return self._follow(self._machine.detach(now))
            case other:
                raise ConfigurationError(f"a node cannot {other!r}")

    def status(self, now: float) -> dict[str, Any]:
        current = self._machine.current
        place = None if current is None else current.attachment
        return {
            "role": "node",
            "home_address": str(self.settings.address),
            "home_agent": str(self.settings.home_agent),
            "state": "home" if current is None or self._is_home(current) else current.state.value,
            "registered": self._machine.registered,
            "care_of_address": None if place is None else str(place.care_of_address),
            "foreign_agent": None if self._agent is None else str(self._agent),
            "forwarding_failure": self._failure,
        }

    def hand_over(self) -> None:
        self._path.hand_over()

    def _is_home(self, current: Registration) -> bool:
        at_home = current.attachment.care_of_address == self.settings.address
        return at_home and current.state is State.GONE

    def stop(self, now: float) -> Out:
        self._path.close()
        return Step()

    # ---- where it is, and what follows

    def _care_of_address(self) -> IPv4Address | None:
        """An address of the link that is not of the home network."""
        try:
            found = self._path.kernel(self._addresses)
        except KernelError:
            return None
        outside = [one for one in found if one not in self._home and not one.is_link_local]
        return min(outside) if outside else None

    def _addresses(self, node: Namespace) -> list[IPv4Address]:
        found = addresses_of(node, self.settings.link)
        return [IPv4Address(each) for each in found if not is_ipv6(each)]

    def _follow(self, step: Out) -> Out:
        for event in step.events:
            try:
                match event:
                    case AgentFound(agent, care_of) if care_of is not None:
                        self._agent = agent
                    case AgentFound():
                        self._agent = None
                        self._back_home()
                    case Registered(_, care_of):
                        self._away(care_of)
                    case Deregistered():
                        self._back_home()
                        self._announce()
                    case RegistrationLost():
                        self._back_home()
                self._failure = None
            except KernelError as error:
                self._failure = error.message
        return Step(step.replies, events=step.events, icmp=step.icmp)

    def _away(self, care_of: IPv4Address) -> None:
        settings, name = self.settings, self._node.name
        if not settings.colocated:
            if self._agent is not None:
                # Its default router is the foreign agent (RFC 5944 3.7.3), reached on the link.
                self._through(self._agent)
            return
        gre = settings.policy.gre
        own, agent = settings.address, settings.home_agent
        tunnel = forwarding.tunnel(name, care_of, agent, gre=gre, address=own)
        if not self._path.stands(_TUNNEL, tunnel):
            self._back_home()  # its routes would go with the tunnel
        self._path.ensure(_TUNNEL, tunnel)
        link = forwarding.tunnel_name(settings.home_agent, gre=gre)
        back = (
            forwarding.way_back(name, settings.address, link, table=_TABLE)
            if settings.policy.reverse_tunnel
            else forwarding.way_back(
                name, settings.address, link, table=_TABLE, only=str(self._home)
            )
        )
        self._path.ensure(_BACK, back + forwarding.to_home(name, link, self._home))

    def _through(self, agent: IPv4Address) -> None:
        settings, name = self.settings, self._node.name
        inner: str | None = None
        if settings.policy.reverse_tunnel and settings.policy.encapsulating:
            inner = forwarding.tunnel_name(agent, gre=False)
            own = settings.address
            plan = forwarding.tunnel(name, own, agent, gre=False, address=own)
            if not self._path.stands(_TUNNEL, plan):
                self._back_home()
            self._path.ensure(_TUNNEL, plan)
        way = forwarding.through_agent(
            name, settings.link, settings.address, self._home, agent, tunnel=inner
        )
        self._path.ensure(_BACK, way)

    def _announce(self) -> None:
        """Who heard on the home link that the home agent has the address hears of the node."""
        settings = self.settings
        away = self._agent is not None or (
            settings.colocated and self._care_of_address() is not None
        )
        if settings.forwards and not away:
            mac = self._path.kernel(lambda node: link_mac(node, settings.link))
            self._path.once(
                forwarding.release(self._node.name, settings.link, mac, settings.address)
            )

    def _back_home(self) -> None:
        self._path.drop(_BACK)
        self._path.drop(_TUNNEL)
