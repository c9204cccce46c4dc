"""One change made: a request to rtnetlink, or what its kind needs otherwise."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import singledispatch
from typing import Any

from netcont.errors import KernelError, NetcontError, PrerequisiteError
from netcont.kernel.agent_control import ask
from netcont.kernel.announcer import announce
from netcont.kernel.namespace import Namespace
from netcont.kernel.requests import encoded
from netcont.kernel.rtnetlink import send
from netcont.model import plan as changes
from netcont.model.plan import Change

_MARGIN_S = 5.0
_LEAVE_LIMIT_S = 3.0

_REMEDIES = {
    errno.EPERM: "run as root, or with CAP_NET_ADMIN",
    errno.EEXIST: "something else has that name or address: `ip link`, `ip addr` show it",
    errno.EOPNOTSUPP: "this kernel lacks the feature: `netcont doctor` shows which",
}


def perform(change: Change, node: Namespace) -> None:
    """Makes the change, whatever stood before. Raises KernelError."""
    message = encoded(change, node.index)
    if message is None:
        _otherwise(change, node)
        return
    (code,) = send(node, [message])
    if isinstance(change, changes.AddLink | changes.DelLink):
        node.forget(change.name)
    if code:
        raise refused(node, change, code)


def refused(node: Namespace, change: Change, code: int) -> KernelError:
    """The error for a change that the kernel refused. code: an errno."""
    return KernelError(
        f"{node.name}: {'; '.join(change.commands())}: {os.strerror(code)}",
        errno=code,
        remedy=_REMEDIES.get(code, ""),
    )


@singledispatch
def _otherwise(change: Change, node: Namespace) -> None:
    raise TypeError(f"no way to apply {type(change).__name__}")


def performs(kind: type[Change]) -> Callable[[Callable[[Any, Namespace], None]], None]:
    """Marks what makes changes of that kind that are no requests to rtnetlink."""

    def register(function: Callable[[Any, Namespace], None]) -> None:
        _otherwise.register(kind)(function)

    return register


@performs(changes.SetSysctl)
def _set_sysctl(change: changes.SetSysctl, node: Namespace) -> None:
    node.write_sysctl(change.key, change.value)


@performs(changes.SetNetem)
def _set_netem(change: changes.SetNetem, node: Namespace) -> None:
    # Nobody but the lab has emulated paths, and it has imported pyroute2 long before.
    from pyroute2.netlink.exceptions import NetlinkError

    from netcont.kernel.netem import set_netem

    try:
        set_netem(change, node)
    except NetlinkError as error:
        raise refused(node, change, error.code) from error


@performs(changes.AddIsolation)
def _isolate(change: changes.AddIsolation, node: Namespace) -> None:
    # Few deployments need it.
    from netcont.kernel.isolation import isolate

    if code := isolate(change, node):
        raise refused(node, change, code)


@performs(changes.DelIsolation)
def _end_isolation(change: changes.DelIsolation, node: Namespace) -> None:
    from netcont.kernel.isolation import end_isolation

    if code := end_isolation(change.port, node):
        raise refused(node, change, code)


@performs(changes.Announce)
def _announce(change: changes.Announce, node: Namespace) -> None:
    announce(node, change)


@performs(changes.UpdateRecord)
def _update_record(change: changes.UpdateRecord, node: Namespace) -> None:
    # Hosts that change no names need no DNS; a lab has imported it before its clock matters.
    from netcont.kernel.record_update import update_record

    update_record(node, change)


@performs(changes.MoveName)
def _move_name(change: changes.MoveName, node: Namespace) -> None:
    from netcont.kernel.names import Names

    with node.entered():
        Names().move(change)


@performs(changes.Register)
def _register(change: changes.Register, node: Namespace) -> None:
    do = "prepare" if change.ahead else "register"
    request = {"do": do, **_request(change), "limit_s": change.limit_s}
    try:
        with node.entered():
            ask(change.control, request, change.limit_s + _MARGIN_S)
    except NetcontError as error:
        raise KernelError(f"{node.name}: {error.message}", remedy=error.remedy) from error


@performs(changes.Leave)
def _leave(change: changes.Leave, node: Namespace) -> None:
    try:
        with node.entered():
            ask(change.control, {"do": "leave", **_request(change)}, _LEAVE_LIMIT_S)
    except NetcontError as error:
        # Of what the home agent does not hear now, it hears nothing: the lifetime ends it.
        if not change.wait or not isinstance(error, PrerequisiteError):
            raise KernelError(f"{node.name}: {error.message}", remedy=error.remedy) from error


def _request(change: changes.Register | changes.Leave) -> dict[str, object]:
    return {"home_address": change.home_address, "wait": change.wait}
