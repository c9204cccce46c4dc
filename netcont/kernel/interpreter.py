"""Plans applied: the only code that changes network state.

Each kind of change has one function. Before a change is applied it is written to the journal
together with its undo, so that whatever was done can be taken back in reverse order, also by
another process after this one was killed.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any, Protocol

from pyroute2.netlink.exceptions import NetlinkError

from netcont.errors import KernelError, NetcontError
from netcont.kernel.agent_control import ask
from netcont.kernel.announcer import announce
from netcont.kernel.namespace import Namespace
from netcont.kernel.netem import set_netem
from netcont.model import plan as changes
from netcont.model.plan import Change, Plan

IFF_UP = 0x1
GRE_KEY_FLAG = 0x2000  # the K bit, RFC 2890 §2
NUD_PERMANENT = 0x80
NTF_SELF = 0x02
NTF_PROXY = 0x08

_AGENT_LIMIT_S = 30.0


class Journal(Protocol):
    """Where undos are written before their changes are made."""

    def add(self, undo: Change) -> None:
        """Records what takes the coming change back."""

    def drop(self) -> None:
        """The last record was undone, or its change never happened."""


class MemoryJournal:
    """A journal that lives as long as its process."""

    def __init__(self, pending: Iterable[Change] = ()) -> None:
        self.undos: list[Change] = list(pending)

    def add(self, undo: Change) -> None:
        """See Journal."""
        self.undos.append(undo)

    def drop(self) -> None:
        """See Journal."""
        self.undos.pop()


class Interpreter:
    """Applies plans to the nodes it was given, and undoes them.

    nodes: by name. pending: undos left by an earlier process, oldest first. for_good: nothing
    will be undone, so nothing is remembered (for nodes that end with their namespaces).
    """

    def __init__(
        self,
        nodes: Mapping[str, Namespace],
        journal: Journal | None = None,
        pending: Iterable[Change] = (),
        *,
        for_good: bool = False,
    ) -> None:
        self._for_good = for_good
        self._nodes = nodes
        self._undos: list[Change] = list(pending)
        self._journal = journal or MemoryJournal(self._undos)

    def apply(self, plan: Plan) -> None:
        """Applies every change; if one fails, those of this plan are undone and the error raised.

        Raises KernelError.
        """
        mark = len(self._undos)
        for change in plan:
            try:
                self._apply_one(change)
            except KernelError:
                self._undo_to(mark)
                raise

    def undo(self) -> None:
        """Takes back all that was applied, newest first. What is gone already is passed over."""
        self._undo_to(0)

    def _apply_one(self, change: Change) -> None:
        node = self._node(change)
        if isinstance(change, changes.SetSysctl):
            try:
                change = replace(change, was=node.read_sysctl(change.key))
            except KernelError:
                if change.optional:
                    return
                raise
        if self._for_good:
            _perform(change, node)
            return
        undo = _completed(change, node).undo()
        if undo is not None:
            self._journal.add(undo)
            self._undos.append(undo)
        try:
            _perform(change, node)
        except KernelError:
            if undo is not None:
                self._undos.pop()
                self._journal.drop()
            raise

    def _undo_to(self, mark: int) -> None:
        while len(self._undos) > mark:
            undo = self._undos.pop()
            try:
                _perform(undo, self._node(undo))
            except KernelError as error:
                if error.errno not in _ALREADY_GONE:
                    raise
            self._journal.drop()

    def _node(self, change: Change) -> Namespace:
        try:
            return self._nodes[change.node]
        except KeyError:
            raise KernelError(f"unknown node {change.node!r}") from None


_ALREADY_GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL, None})


def _completed(change: Change, node: Namespace) -> Change:
    """The change with what its undo must restore."""
    if isinstance(change, changes.SetUp):
        link = _link(node, change.link)
        return replace(change, was=bool(link["flags"] & IFF_UP))
    if isinstance(change, changes.SetMaster):
        master = _link(node, change.link).get("master")
        was = None if master is None else _link_name(node, master)
        return replace(change, was=was)
    return change


def _link(node: Namespace, name: str) -> Any:
    return node.route.link("get", index=node.index(name))[0]


def _link_name(node: Namespace, index: int) -> str:
    return str(node.route.link("get", index=index)[0].get("ifname"))


def _perform(change: Change, node: Namespace) -> None:
    try:
        _apply(change, node)
    except NetlinkError as error:
        line = "; ".join(change.commands())
        raise KernelError(
            f"{node.name}: {line}: {error.args[1] if len(error.args) > 1 else error}",
            errno=error.code,
            remedy=_REMEDIES.get(error.code, ""),
        ) from error


_REMEDIES = {
    errno.EPERM: "run as root, or with CAP_NET_ADMIN",
    errno.EEXIST: "something else has that name or address: `ip link`, `ip addr` show it",
    errno.EOPNOTSUPP: "this kernel lacks the feature: `netcont doctor` shows which",
}


@singledispatch
def _apply(change: Change, node: Namespace) -> None:
    raise TypeError(f"no way to apply {type(change).__name__}")


def _on(kind: type[Change]) -> Callable[[Callable[[Any, Namespace], None]], None]:
    def register(function: Callable[[Any, Namespace], None]) -> None:
        _apply.register(kind)(function)

    return register


@_on(changes.AddTunnel)
def _add_tunnel(change: changes.AddTunnel, node: Namespace) -> None:
    key: dict[str, Any] = {}
    if change.key is not None:
        key = {
            "gre_ikey": change.key,
            "gre_okey": change.key,
            "gre_iflags": GRE_KEY_FLAG,
            "gre_oflags": GRE_KEY_FLAG,
        }
    settings: dict[str, Any] = {
        f"{change.kind}_local": change.local,
        f"{change.kind}_remote": change.remote,
        f"{change.kind}_ttl": change.ttl,
        f"{change.kind}_tos": change.tos,
        f"{change.kind}_pmtudisc": int(change.pmtudisc),
    }
    mtu = {"mtu": change.mtu_bytes} if change.mtu_bytes else {}
    node.route.link("add", ifname=change.name, kind=change.kind, **settings, **key, **mtu)
    node.forget(change.name)


@_on(changes.AddBridge)
def _add_bridge(change: changes.AddBridge, node: Namespace) -> None:
    node.route.link(
        "add",
        ifname=change.name,
        kind="bridge",
        br_stp_state=0,
        br_forward_delay=0,
        br_mcast_snooping=0,
        **({} if change.learning else {"br_ageing_time": 0}),
        **({"mtu": change.mtu_bytes} if change.mtu_bytes else {}),
        **({"address": change.mac} if change.mac else {}),
    )
    node.forget(change.name)


@_on(changes.AddVlan)
def _add_vlan(change: changes.AddVlan, node: Namespace) -> None:
    node.route.link(
        "add",
        ifname=change.name,
        kind="vlan",
        link=node.index(change.parent),
        vlan_id=change.vlan_id,
    )
    node.forget(change.name)


@_on(changes.AddVxlan)
def _add_vxlan(change: changes.AddVxlan, node: Namespace) -> None:
    node.route.link(
        "add",
        ifname=change.name,
        kind="vxlan",
        mtu=change.mtu_bytes,
        vxlan_id=change.vni,
        vxlan_local=change.local,
        vxlan_port=change.port,
        vxlan_learning=1,
        **({"address": change.mac} if change.mac else {}),
    )
    node.forget(change.name)


@_on(changes.DelLink)
def _del_link(change: changes.DelLink, node: Namespace) -> None:
    node.forget(change.name)
    node.route.link("del", index=node.index(change.name))
    node.forget(change.name)


@_on(changes.SetAlias)
def _set_alias(change: changes.SetAlias, node: Namespace) -> None:
    node.route.link("set", index=node.index(change.link), ifalias=change.alias)


@_on(changes.SetUp)
def _set_up(change: changes.SetUp, node: Namespace) -> None:
    node.route.link("set", index=node.index(change.link), state="up" if change.up else "down")


@_on(changes.SetMaster)
def _set_master(change: changes.SetMaster, node: Namespace) -> None:
    master = node.index(change.master) if change.master else 0
    node.route.link("set", index=node.index(change.link), master=master)


@_on(changes.SetBridgePort)
def _set_bridge_port(change: changes.SetBridgePort, node: Namespace) -> None:
    node.route.brport(
        "set", index=node.index(change.link), neigh_suppress=int(change.neigh_suppress)
    )


@_on(changes.AddAddress)
def _add_address(change: changes.AddAddress, node: Namespace) -> None:
    node.route.addr(
        "add", index=node.index(change.link), address=change.address, prefixlen=change.prefixlen
    )


@_on(changes.DelAddress)
def _del_address(change: changes.DelAddress, node: Namespace) -> None:
    node.route.addr(
        "del", index=node.index(change.link), address=change.address, prefixlen=change.prefixlen
    )


@_on(changes.AddRoute)
def _add_route(change: changes.AddRoute, node: Namespace) -> None:
    node.route.route("replace" if change.replace else "add", **_route_fields(change, node))


@_on(changes.DelRoute)
def _del_route(change: changes.DelRoute, node: Namespace) -> None:
    node.route.route("del", **_route_fields(change, node))


def _route_fields(change: changes.AddRoute | changes.DelRoute, node: Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "dst": "0.0.0.0/0" if change.destination == "default" else change.destination,
        "table": change.table,
        "proto": changes.ROUTE_PROTOCOL,
    }
    if change.via:
        fields["gateway"] = change.via
    if change.link:
        fields["oif"] = node.index(change.link)
        if not change.via:
            fields["scope"] = 253  # RT_SCOPE_LINK
    return fields


@_on(changes.AddRule)
def _add_rule(change: changes.AddRule, node: Namespace) -> None:
    node.route.rule("add", **_rule_fields(change))


@_on(changes.DelRule)
def _del_rule(change: changes.DelRule, node: Namespace) -> None:
    node.route.rule("del", **_rule_fields(change))


def _rule_fields(change: changes.AddRule | changes.DelRule) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "priority": change.priority,
        "src": change.source,
        "table": change.table,
        "protocol": changes.ROUTE_PROTOCOL,
    }
    return fields | ({"dst": change.destination} if change.destination else {})


@_on(changes.AddNeighbour)
def _add_neighbour(change: changes.AddNeighbour, node: Namespace) -> None:
    if change.mac is None:
        node.route.neigh(
            "add", dst=change.address, ifindex=node.index(change.link), flags=NTF_PROXY
        )
    else:
        node.route.neigh(
            "replace",
            dst=change.address,
            lladdr=change.mac,
            ifindex=node.index(change.link),
            state=NUD_PERMANENT,
        )


@_on(changes.DelNeighbour)
def _del_neighbour(change: changes.DelNeighbour, node: Namespace) -> None:
    flags = {"flags": NTF_PROXY} if change.mac is None else {}
    node.route.neigh("del", dst=change.address, ifindex=node.index(change.link), **flags)


@_on(changes.AddFdb)
def _add_fdb(change: changes.AddFdb, node: Namespace) -> None:
    node.route.fdb(
        "append",
        ifindex=node.index(change.link),
        lladdr=change.mac,
        dst=change.remote,
        flags=NTF_SELF,
        state=NUD_PERMANENT,
    )


@_on(changes.DelFdb)
def _del_fdb(change: changes.DelFdb, node: Namespace) -> None:
    node.route.fdb(
        "del",
        ifindex=node.index(change.link),
        lladdr=change.mac,
        dst=change.remote,
        flags=NTF_SELF,
    )


@_on(changes.SetSysctl)
def _set_sysctl(change: changes.SetSysctl, node: Namespace) -> None:
    node.write_sysctl(change.key, change.value)


@_on(changes.SetNetem)
def _set_netem(change: changes.SetNetem, node: Namespace) -> None:
    set_netem(change, node)


@_on(changes.Announce)
def _announce(change: changes.Announce, node: Namespace) -> None:
    announce(node, change)


@_on(changes.UpdateRecord)
def _update_record(change: changes.UpdateRecord, node: Namespace) -> None:
    # Hosts that change no names need no DNS; a lab has imported it before its clock matters.
    from netcont.kernel.record_update import update_record

    update_record(node, change)


@_on(changes.Register)
def _register(change: changes.Register, node: Namespace) -> None:
    _ask_agent(node, change, "prepare" if change.ahead else "register", wait=change.wait)


@_on(changes.Leave)
def _leave(change: changes.Leave, node: Namespace) -> None:
    _ask_agent(node, change, "leave", wait=False)


def _ask_agent(
    node: Namespace, change: changes.Register | changes.Leave, do: str, *, wait: bool
) -> None:
    request = {"do": do, "home_address": change.home_address, "wait": wait}
    try:
        with node.entered():
            ask(change.control, request, _AGENT_LIMIT_S)
    except NetcontError as error:
        raise KernelError(f"{node.name}: {error.message}", remedy=error.remedy) from error
