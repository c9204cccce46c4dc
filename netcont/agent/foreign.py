"""The foreign agent as a daemon: visitors that register through it, guests that it registers.

A guest runs nothing of ours: its hypervisor's foreign agent holds its key and registers it. It is
told when the guest will come (`prepare`), has come (`register`) and has left (`leave`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from netcont.agent import forwarding
from netcont.agent.datapath import DataPath, Users
from netcont.agent.role import Out
from netcont.agent.settings import ForeignSettings, Guest
from netcont.agent.store import Store
from netcont.errors import ConfigurationError, KernelError
from netcont.kernel.lookup import link_mac
from netcont.kernel.namespace import Namespace
from netcont.mobileip.datagram import Datagram, Endpoint
from netcont.mobileip.events import Step
from netcont.mobileip.foreign import ForeignAgent
from netcont.mobileip.messages import Flags, RegistrationReply
from netcont.mobileip.registrar import Registrar
from netcont.mobileip.registration import Identity
from netcont.mobileip.visitor import VisitorChange, VisitorReplaced

_BASE = "base"


class ForeignDaemon:
    """The machine, a registrar for each guest, and the data path."""

    def __init__(self, settings: ForeignSettings, node: Namespace, store: Store) -> None:
        self.settings = settings
        self._node = node
        self._store = store
        self._path = DataPath(node, store, enabled=settings.forwards)
        self._users = Users()
        self._care_of = settings.care_of_address or settings.address
        self._agent = ForeignAgent(
            settings.address, care_of_address=self._care_of, policy=settings.policy
        )
        keys = {}
        for peer in settings.home_agents:
            self._agent.add_home_agent(peer.address, peer.keys)
            keys[peer.address] = peer.keys[0]
        for peer in settings.nodes:
            self._agent.add_node(peer.address, peer.keys)
        self._registrar = Registrar(self._care_of, home_agent_keys=keys)
        self._guests = {int(guest.home_address): guest for guest in settings.guests}
        for guest in settings.guests:
            self._registrar.admit(guest.home_address, guest.policy)
        self._tables = {
            home: forwarding.FIRST_TABLE + index for index, home in enumerate(self._guests)
        }
        self._mac = ""
        self._failures: dict[int, str] = {}

    # ---- the role

    def start(self, now: float) -> Out:
        attached = {h: ahead for h, ahead in self._store.guests().items() if h in self._guests}
        if self.settings.forwards:
            self._mac = self._path.kernel(lambda node: link_mac(node, self.settings.link))
            # Visitors are forgotten with the daemon: they hear it, and register again.
            self._path.take_over(
                {_BASE, *(key for home in attached for key in self._keys_of(home))}
            )
            link = self.settings.link
            filtered = self._path.kernel(lambda node: forwarding.is_filtered(node, link))
            base = forwarding.answering(self._node.name, link, filtered=filtered)
            self._path.ensure(_BASE, base)
        out: Out = Step()
        for home, ahead in attached.items():
            out += self._begin(home, now, ahead=ahead)
        return out

    def receive(self, datagrams: Sequence[tuple[bytes, Endpoint]], now: float) -> Out:
        out: Out = Step()
        for data, source in datagrams:
            if self._registrar.waits_for(data):
                out += self._registrar.receive(data, source, now)
            else:
                step = self._agent.receive(data, source, now)
                self._carry_out(step.changes)
                out += Step(step.replies, events=step.events, icmp=step.icmp)
        return out

    def receive_icmp(self, data: bytes, source: IPv4Address, now: float) -> Out:
        step = self._agent.receive_icmp(data, source, now)
        return Step(step.replies, events=step.events, icmp=step.icmp)

    def is_near(self, datagram: Datagram) -> bool:
        # To whom it is relayed is a visitor, or is refused: no route leads to his home address.
        return datagram.data[0] == RegistrationReply.TYPE

    def links_changed(self, now: float) -> Out:
        return Step()

    def deadline(self) -> float | None:
        times = [self._registrar.next_deadline()]
        if self.settings.advertises:
            # Its first call of expire begins advertising.
            times.append(self._agent.next_deadline() or 0.0)
        return min((at for at in times if at is not None), default=None)

    def expire(self, now: float) -> Out:
        out = self._registrar.tick(now)
        step = self._agent.expire(now)
        self._carry_out(step.changes)
        icmp = step.icmp if self.settings.advertises else ()
        return out + Step(step.replies, events=step.events, icmp=icmp)

    def command(self, request: Mapping[str, Any], now: float) -> Out:
        do, home = request.get("do"), int(IPv4Address(str(request.get("home_address"))))
        if home not in self._guests:
            raise ConfigurationError(
                f"{IPv4Address(home)} is no guest of this agent", remedy="name it in [[guest]]"
            )
        if do in ("prepare", "register"):
            return self._begin(home, now, ahead=do == "prepare")
        if do == "leave":
            return self._end(home, now)
        raise ConfigurationError(f"a foreign agent cannot {do!r}")

    def status(self, now: float) -> dict[str, Any]:
        asked = {home: "ahead" if ahead else "here" for home, ahead in self._store.guests().items()}
        return {
            "role": "foreign",
            "address": str(self.settings.address),
            "care_of_address": str(self._care_of),
            "visitors": [
                {
                    "home_address": str(visitor.home_address),
                    "home_agent": str(visitor.home_agent),
                    "remaining_s": round(max(0.0, visitor.expires_at - now), 1),
                }
                for visitor in self._agent
            ],
            "guests": [
                {
                    "home_address": str(guest.home_address),
                    "home_agent": str(guest.home_agent),
                    "registered": node is not None and node.registered,
                    "prepared": node is not None and node.prepared,
                    "asked": asked.get(int(guest.home_address)),
                }
                for guest in self.settings.guests
                for node in (self._registrar.guest(guest.home_address),)
            ],
            "forwarding_failures": {
                str(IPv4Address(home)): why for home, why in self._failures.items()
            },
        }

    def hand_over(self) -> None:
        self._path.hand_over()

    def stop(self, now: float) -> Out:
        self._path.close()
        return Step()

    # ---- guests

    def _begin(self, home: int, now: float, *, ahead: bool) -> Out:
        """The kernel first: what comes through the tunnel must find its way.

        Only the greeting does not keep the request waiting: a guest that says nothing misses none.
        """
        guest = self._guests[home]
        self._host(home, guest)
        if not ahead:
            self._greet(home, guest)
        self._store.save_guest(home, ahead=ahead)
        identity = Identity(guest.home_address, guest.home_agent, guest.key)
        if ahead:
            return self._registrar.prepare(identity, now)
        return self._registrar.arrive(identity, now)

    def _end(self, home: int, now: float) -> Out:
        self._store.forget_guest(home)
        self._unhost(home)
        return self._registrar.leave(IPv4Address(home), now)

    def _host(self, home: int, guest: Guest) -> None:
        link, name = self.settings.link, self._node.name
        tunnel = self._tunnel(home, guest.home_agent, gre=guest.policy.gre)
        only = None if guest.policy.reverse_tunnel else guest.home_network
        with self._noting(home):
            self._path.ensure(
                f"visit {guest.home_address}",
                forwarding.visit(name, link, guest.home_address) + forwarding.hosting(name, link),
            )
            if only is not None or guest.policy.reverse_tunnel:
                back = forwarding.way_back(
                    name, guest.home_address, tunnel, table=self._tables[home], only=only
                )
                self._path.ensure(f"back {guest.home_address}", back)

    def _greet(self, home: int, guest: Guest) -> None:
        if not self.settings.forwards:
            return
        known = guest.neighbours if guest.gateway is None else (guest.gateway, *guest.neighbours)
        plan = forwarding.greeting(self._node.name, self.settings.link, self._mac, known)

        def note(error: KernelError) -> None:
            self._failures[home] = error.message

        self._path.soon(plan, note)

    def _unhost(self, home: int) -> None:
        for key in self._keys_of(home):
            if not key.startswith("tunnel "):
                self._path.drop(key)
        for key in self._users.uses(home, ()):
            self._path.drop(key)

    def _keys_of(self, home: int) -> tuple[str, ...]:
        guest = self._guests[home]
        kind = "gre" if guest.policy.gre else "ipip"
        address = guest.home_address
        return (f"back {address}", f"visit {address}", f"tunnel {guest.home_agent} {kind}")

    # ---- visitors

    def _carry_out(self, changes: Sequence[VisitorChange]) -> None:
        for change in changes:
            visitor = change.new if isinstance(change, VisitorReplaced) else change.visitor
            home = int(visitor.home_address)
            current = self._agent.visitor(visitor.home_address)
            if current is None or current.colocated:
                for part in ("back", "inner", "visit"):
                    self._path.drop(f"{part} {visitor.home_address}")
                for key in self._users.uses(home, ()):
                    self._path.drop(key)
                self._tables.pop(home, None)
                continue
            with self._noting(home):
                self._receive_visitor(home, current.home_agent, reverse=current.reverse_tunnel)

    def _receive_visitor(self, home: int, home_agent: IPv4Address, *, reverse: bool) -> None:
        address, name, link = IPv4Address(home), self._node.name, self.settings.link
        current = self._agent.visitor(address)
        gre = current is not None and bool(current.flags & Flags.G)
        tunnel = self._tunnel(home, home_agent, gre=gre)
        self._path.ensure(f"visit {address}", forwarding.visit(name, link, address))
        inner = f"inner {address}"
        if current is not None and current.encapsulating:
            own = self.settings.address
            plan = forwarding.tunnel(name, own, address, gre=False, address=own)
            self._path.ensure(inner, plan)
        else:
            self._path.drop(inner)
        if not reverse:
            self._path.drop(f"back {address}")
            return
        if home not in self._tables:
            self._tables[home] = self._free_table()
        back = forwarding.way_back(name, address, tunnel, table=self._tables[home])
        self._path.ensure(f"back {address}", back)

    def _free_table(self) -> int:
        used = set(self._tables.values())
        return next(
            n
            for n in range(forwarding.FIRST_TABLE, forwarding.FIRST_TABLE + 100_000)
            if n not in used
        )

    # ---- both

    def _tunnel(self, home: int, home_agent: IPv4Address, *, gre: bool) -> str:
        """The device to a home agent, made if it is not there."""
        key = f"tunnel {home_agent} {'gre' if gre else 'ipip'}"
        unused = self._users.uses(home, (key,))
        own = self._care_of
        plan = forwarding.tunnel(self._node.name, own, home_agent, gre=gre, address=own)
        with self._noting(home):
            self._path.ensure(key, plan)
        for one in unused:
            self._path.drop(one)
        return forwarding.tunnel_name(home_agent, gre=gre)

    def _noting(self, home: int) -> _Noting:
        return _Noting(self._failures, home)


class _Noting:
    """A kernel's refusal within the block is kept for status."""

    def __init__(self, failures: dict[int, str], home: int) -> None:
        self._failures = failures
        self._home = home

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, KernelError):
            self._failures[self._home] = error.message
            return True
        return False
