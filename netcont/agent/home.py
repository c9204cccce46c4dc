"""The home agent as a daemon: bindings in a file, tunnels and routes in the kernel."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from netcont.agent import forwarding
from netcont.agent.datapath import DataPath, Users
from netcont.agent.role import Out
from netcont.agent.settings import HomeSettings
from netcont.agent.store import Store
from netcont.errors import ConfigurationError, KernelError
from netcont.kernel.lookup import link_mac
from netcont.kernel.namespace import Namespace
from netcont.mobileip.advertiser import Advertiser
from netcont.mobileip.binding import Binding, BindingChange, BindingRemoved, BindingReplaced
from netcont.mobileip.datagram import Datagram, Endpoint
from netcont.mobileip.discovery import AgentFlags, AgentSolicitation, parse
from netcont.mobileip.errors import MessageError
from netcont.mobileip.events import Denied, Deregistered, Registered, Step
from netcont.mobileip.home import HomeAgent
from netcont.mobileip.messages import Flags

_BASE = "base"


class HomeDaemon:
    """The machine, its store and its data path."""

    def __init__(self, settings: HomeSettings, node: Namespace, store: Store) -> None:
        self.settings = settings
        self._node = node
        self._store = store
        self._path = DataPath(node, store, enabled=settings.forwards)
        self._agent = HomeAgent(
            settings.address, policy=settings.policy, nonces=lambda: secrets.randbits(32)
        )
        self._homes = {int(peer.address) for peer in settings.nodes}
        for peer in settings.nodes:
            self._agent.add_node(peer.address, peer.keys)
        for peer in settings.foreign_agents:
            self._agent.add_foreign_agent(peer.address, peer.keys)
        self._advertiser = Advertiser(
            settings.address,
            AgentFlags.H | AgentFlags.T,
            registration_lifetime_s=settings.policy.max_lifetime_s,
        )
        self._mac = ""
        self._users = Users()
        self._failures: dict[int, str] = {}
        self._unsaved: set[int] = set()

    # ---- the role

    def start(self, now: float) -> Out:
        snapshot = self._store.load()
        # Nobody may remember identifications from before: those timestamps are refused.
        fresh = now if self._store.since is None else self._store.since
        out: Out = self._agent.restore(snapshot, restarted_at=fresh)
        gone = {int(b.home_address) for b in snapshot.bindings} - self._homes
        for home in gone:
            out += self._agent.remove_node(IPv4Address(home))
        out += self._agent.expire(now)
        self._save(gone | {int(b.home_address) for b in snapshot.bindings})
        if self.settings.forwards:
            self._mac = self._path.kernel(lambda node: link_mac(node, self.settings.link))
            self._path.take_over(self._wanted())
            link = self.settings.link
            filtered = self._path.kernel(lambda node: forwarding.is_filtered(node, link))
            base = forwarding.answering(self._node.name, link, filtered=filtered)
            self._path.ensure(_BASE, base)
            for home in {int(binding.home_address) for binding in self._agent}:
                self._follow(home)
        return Step(out.replies, events=out.events)

    def receive(self, datagrams: Sequence[tuple[bytes, Endpoint]], now: float) -> Out:
        replies: list[Datagram] = []
        events: list[Any] = []
        touched: set[int] = set()
        for data, source in datagrams:
            step = self._agent.receive(data, source, now)
            changed = self._changed(step.changes)
            for home in changed:
                self._follow(home)
            touched |= changed | self._numbered(step)
            events += step.events
            if not any(self._failures.get(home) for home in changed):
                replies += step.replies
        # Before anybody is told that it is so.
        self._save(touched)
        return Step(tuple(replies), events=tuple(events))

    def receive_icmp(self, data: bytes, source: IPv4Address, now: float) -> Out:
        try:
            message = parse(data)
        except MessageError:
            return Step()
        if not isinstance(message, AgentSolicitation):
            return Step()
        return Step(icmp=self._advertiser.solicited(source, now))

    def is_near(self, datagram: Datagram) -> bool:
        # Who asks from a home address is back on the home link, bound elsewhere or not.
        return int(datagram.to[0]) in self._homes

    def links_changed(self, now: float) -> Out:
        return Step()

    def deadline(self) -> float | None:
        times = [self._agent.next_deadline()]
        if self.settings.advertises:
            times.append(self._advertiser.next_deadline() or 0.0)
        return min((at for at in times if at is not None), default=None)

    def expire(self, now: float) -> Out:
        step = self._agent.expire(now)
        self._carry_out(step.changes)
        icmp = self._advertiser.due(now) if self.settings.advertises else ()
        return Step(step.replies, events=step.events, icmp=icmp)

    def command(self, request: Mapping[str, Any], now: float) -> Out:
        if request.get("do") != "revoke":
            raise ConfigurationError(f"a home agent cannot {request.get('do')!r}")
        home_address = IPv4Address(str(request.get("home_address")))
        step = self._agent.revoke(home_address, now)
        if not step.changes:
            raise ConfigurationError(
                f"{home_address} is not bound", remedy="`netcont agent status` lists what is"
            )
        self._carry_out(step.changes)
        ended = [one.binding for one in step.changes if isinstance(one, BindingRemoved)]
        events = tuple(Deregistered(one.home_address, one.care_of_address) for one in ended)
        return Step(step.replies, events=(*step.events, *events))

    def status(self, now: float) -> dict[str, Any]:
        return {
            "role": "home",
            "address": str(self.settings.address),
            "nodes": len(self.settings.nodes),
            "bindings": [_told(binding, now) for binding in self._agent],
            "forwarding_failures": {
                str(IPv4Address(home)): why for home, why in self._failures.items()
            },
        }

    def hand_over(self) -> None:
        self._path.hand_over()

    def stop(self, now: float) -> Out:
        self._path.close()
        return Step()

    # ---- what must survive

    def _numbered(self, step: Any) -> set[int]:
        """Home addresses whose identification may have been used up without a new binding."""
        return {
            int(event.home_address)
            for event in step.events
            if isinstance(event, Registered | Deregistered)
            or (isinstance(event, Denied) and event.authenticated)
        }

    def _save(self, homes: set[int]) -> None:
        """Raises PrerequisiteError if it cannot be; what was not saved is when the next is."""
        self._unsaved |= homes
        homes = self._unsaved
        if not homes:
            return
        bindings = [one for home in homes for one in self._agent.bindings_of(IPv4Address(home))]
        numbers = [(home, *self._agent.numbers_of(IPv4Address(home))) for home in homes]
        self._store.save(homes, bindings, numbers)
        homes.clear()

    # ---- what the kernel must do

    def _changed(self, changes: Sequence[BindingChange]) -> set[int]:
        return {
            int(
                (change.new if isinstance(change, BindingReplaced) else change.binding).home_address
            )
            for change in changes
        }

    def _carry_out(self, changes: Sequence[BindingChange]) -> None:
        homes = self._changed(changes)
        for home in homes:
            self._follow(home)
        self._save(homes)

    def _follow(self, home: int) -> None:
        """The kernel does what the bindings of a home address say. A refusal is kept for status."""
        try:
            self._forward(home)
            self._failures.pop(home, None)
        except KernelError as error:
            self._failures[home] = error.message

    def _forward(self, home: int) -> None:
        if not self.settings.forwards:
            return
        address = IPv4Address(home)
        bindings = self._agent.bindings_of(address)
        unused = self._users.uses(home, (_tunnel_key(binding) for binding in bindings))
        for binding in bindings:
            self._path.ensure(_tunnel_key(binding), self._tunnel(binding))
        active = active_of(bindings)
        route, claim = f"route {address}", f"claim {address}"
        node, link = self._node.name, self.settings.link
        if active is not None:
            name = forwarding.tunnel_name(active.care_of_address, gre=active.gre)
            self._path.ensure(route, forwarding.route_to(node, address, name), replaces=True)
            self._path.ensure(claim, forwarding.claim(node, link, self._mac, address))
        else:
            self._path.drop(route)
            self._path.drop(claim)
        for key in unused:
            self._path.drop(key)

    def _tunnel(self, binding: Binding) -> Any:
        return forwarding.tunnel(
            self._node.name,
            self.settings.address,
            binding.care_of_address,
            gre=binding.gre,
        )

    def _wanted(self) -> set[str]:
        wanted = {_BASE, *(_tunnel_key(binding) for binding in self._agent)}
        for binding in self._agent:
            if active_of(self._agent.bindings_of(binding.home_address)) is not None:
                wanted |= {f"route {binding.home_address}", f"claim {binding.home_address}"}
        return wanted


def active_of(bindings: Sequence[Binding]) -> Binding | None:
    """Of a node's bindings the one that packets follow: the last without the S bit."""
    settled = [binding for binding in bindings if not binding.flags & Flags.S]
    return settled[-1] if settled else None


def _tunnel_key(binding: Binding) -> str:
    return f"tunnel {binding.care_of_address} {'gre' if binding.gre else 'ipip'}"


def _told(binding: Binding, now: float) -> dict[str, Any]:
    return {
        "home_address": str(binding.home_address),
        "care_of_address": str(binding.care_of_address),
        "lifetime_s": binding.lifetime_s,
        "remaining_s": round(binding.remaining_s(now), 1),
        "flags": [flag.name for flag in Flags if flag in binding.flags],
        "foreign_agent": None if binding.foreign_agent is None else str(binding.foreign_agent),
        "spi": binding.spi,
    }
