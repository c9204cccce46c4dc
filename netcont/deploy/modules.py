"""Kinds of links that this host's kernel does not know."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

from netcont.errors import KernelError
from netcont.kernel.facts import Facts
from netcont.kernel.interpreter import Interpreter
from netcont.kernel.namespace import Namespace, create_namespace
from netcont.model import plan as changes
from netcont.model.plan import Plan

_MODULES = {
    "gre": "ip_gre",
    "ipip": "ipip",
    "ip6gre": "ip6_gre",
    "ip6tnl": "ip6_tunnel",
    "vxlan": "vxlan",
    "vlan": "8021q",
    "bridge": "bridge",
    "nftables": "nf_tables",
}


_UNKNOWN = frozenset({errno.EOPNOTSUPP, errno.ENOENT, errno.EPROTONOSUPPORT})


def missing_kinds(plan: Plan, facts: Facts) -> list[str]:
    """Kinds of links that this kernel does not know: each is tried in a namespace of its own, for
    which root is needed, unless its module is loaded."""
    made = {_kind(change) for change in plan if isinstance(change, changes.AddLink)}
    made |= {"nftables" for change in plan if isinstance(change, changes.AddIsolation)}
    kinds = made - {link.kind for link in facts.links.values()}
    unknown = [kind for kind in sorted(kinds) if not Path("/sys/module", _MODULES[kind]).exists()]
    return [_no_kind(kind) for kind in unknown if not _known(kind)]


def _kind(change: changes.AddLink) -> str:
    match change:
        case changes.AddTunnel():
            return change.link_kind
        case changes.RunAgent():
            return change.tunnels
        case changes.AddVxlan():
            return "vxlan"
        case changes.AddVlan():
            return "vlan"
        case _:
            return "bridge"


def _no_kind(kind: str) -> str:
    module = _MODULES[kind]
    return (
        f"this kernel ({os.uname().release}) has no {kind}: `modprobe {module}`, or a kernel"
        f" with that module (Debian: linux-image-amd64, Ubuntu: linux-modules-extra)"
    )


def _known(kind: str) -> bool:
    """Makes a link of that kind where nobody sees it; the kernel loads the module if it has one."""
    pid = create_namespace()
    try:
        with Namespace("trial", pid) as trial:
            name = "nc-trial"
            change: changes.Change = changes.AddBridge("trial", name)
            if kind in ("gre", "ipip"):
                change = changes.AddTunnel("trial", name, kind, "192.0.2.1", "192.0.2.2")
            elif kind in ("ip6gre", "ip6tnl"):
                inner = "gre" if kind == "ip6gre" else "ipip"
                change = changes.AddTunnel("trial", name, inner, "2001:db8::1", "2001:db8::2")
            elif kind == "vxlan":
                change = changes.AddVxlan("trial", name, 1, "192.0.2.1", 4789, 1400)
            elif kind == "vlan":
                change = changes.AddVlan("trial", name, "lo", 1)
            elif kind == "nftables":
                change = changes.AddIsolation("trial", name, ("192.0.2.1",), "trial")
            try:
                Interpreter({"trial": trial}, for_good=True).apply(Plan((change,)))
            except KernelError as error:
                # lo carries no VLAN and says so otherwise.
                return error.errno not in _UNKNOWN
            return True
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
