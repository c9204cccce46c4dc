"""Kernel features, tried by using them: devices are made and removed in a fresh namespace.

`python -m netcont.doctor.kernel` is the part that runs in the namespace; it prints one JSON
object {name: "" or what went wrong}.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from netcont.doctor.finding import Finding, LabKind
from netcont.errors import LabError

_TIMEOUT_S = 20.0
_PAGE_BYTES = mmap.PAGESIZE
_SOFT_DIRTY_BIT = 55
_HANDLE = 0x10000
_AS_ROOT = "run as root: sudo netcont doctor"
_ROOT = 0xFFFFFFFF

DEVICES: Mapping[str, Mapping[str, object]] = {
    "veth": {"peer": "ncp-peer"},
    "bridge": {},
    "dummy": {},
    "vrf": {"vrf_table": 4000},
    "gre": {"gre_local": "127.0.0.2", "gre_remote": "127.0.0.3", "gre_ttl": 16},
    "ipip": {"ipip_local": "127.0.0.2", "ipip_remote": "127.0.0.3"},
    "ip6gre": {"ip6gre_local": "2001:db8::2", "ip6gre_remote": "2001:db8::3", "ip6gre_ttl": 16},
    "ip6tnl": {"ip6tnl_local": "2001:db8::2", "ip6tnl_remote": "2001:db8::3"},
    "vlan": {"vlan_id": 100},
    "vxlan": {"vxlan_id": 100, "vxlan_port": 4789, "vxlan_local": "127.0.0.2"},
}
"""Kind of device and what it is made with."""

QDISCS: Mapping[str, Mapping[str, object]] = {
    "netem": {"delay": 1000},
    "htb": {"default": 1},
    "tbf": {"rate": 125000, "burst": 15000, "latency": 50000},
}

FEATURES = (*DEVICES, *QDISCS, "nftables", "cgroup-freezer", "soft-dirty")

MODULES = {
    "gre": "ip_gre",
    "ip6gre": "ip6_gre",
    "ip6tnl": "ip6_tunnel",
    "vlan": "8021q",
    "netem": "sch_netem",
    "htb": "sch_htb",
    "tbf": "sch_tbf",
    "nftables": "nf_tables",
}
"""Module of a feature, where it is not called the same."""

HOST_LAB_NEEDS = frozenset(
    {"veth", "bridge", "gre", "ipip", "vlan", "vxlan", "netem", "htb", "cgroup-freezer"}
)


@dataclass(frozen=True)
class Namespace:
    """How a fresh network namespace is had: the command that enters one, or why there is none."""

    command: tuple[str, ...]
    how: str


def probe_kernel() -> list[Finding]:
    """Findings of group kernel about the running kernel. Changes nothing outside a namespace."""
    namespace = find_namespace()
    if namespace is None:
        why = "needs root or a user namespace, and this process has neither"
        return [_finding(name, why, unknown=True) for name in ("network-namespace", *FEATURES)]
    entered = Finding("network-namespace", "kernel", "ok", namespace.how)
    try:
        results = _run_probes(namespace)
    except LabError as error:
        return [entered, *(_finding(name, error.message, unknown=True) for name in FEATURES)]
    return [entered, *(_finding(name, trouble) for name, trouble in results.items())]


def find_namespace() -> Namespace | None:
    """A way into a fresh network namespace that works here; None if there is none."""
    plain = ("unshare", "--net", "--mount", "--fork")
    mapped = (*plain, "--user", "--map-root-user")
    for command, how in ((plain, "as root"), (mapped, "in a user namespace")):
        try:
            done = subprocess.run(
                [*command, "true"], capture_output=True, timeout=_TIMEOUT_S, check=False
            )
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return None
        if done.returncode == 0:
            return Namespace(command, how)
    return None


def _run_probes(namespace: Namespace) -> dict[str, str]:
    """What run_in_namespace says; raises LabError if the probes themselves fail."""
    command = [*namespace.command, sys.executable, "-m", "netcont.doctor.kernel"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"the probes did not end within {_TIMEOUT_S:g} s") from error
    try:
        results = json.loads(done.stdout)
    except ValueError as error:
        said = done.stderr.strip().splitlines()
        raise LabError(f"the probes died: {said[-1] if said else done.returncode}") from error
    return {name: str(results.get(name, "was not tried")) for name in FEATURES}


def _finding(name: str, trouble: str, *, unknown: bool = False) -> Finding:
    needed_by: tuple[LabKind, ...] = ("host",) if name in HOST_LAB_NEEDS else ()
    if not trouble:
        return Finding(name, "kernel", "ok", needed_by=needed_by)
    if unknown:
        return Finding(name, "kernel", "unknown", trouble, _AS_ROOT, needed_by)
    remedy = (
        f"sudo modprobe {MODULES.get(name, name)} (or use the lab VM, which has it)"
        if name in DEVICES or name in QDISCS or name == "nftables"
        else "use the lab VM, which has it"
    )
    return Finding(name, "kernel", "failed", trouble, remedy, needed_by)


def _attempt(action: Callable[[], None]) -> str:
    """Empty if action works, else what went wrong."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        action()
    except NetlinkError as error:
        return os.strerror(error.code) if error.code else str(error)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def run_in_namespace() -> dict[str, str]:
    """Name -> "" or what went wrong; to be called in a namespace that may be littered."""
    from pyroute2 import IPRoute

    results: dict[str, str] = {}
    with IPRoute() as ip:
        lo = ip.link_lookup(ifname="lo")[0]
        ip.link("set", index=lo, state="up")
        for kind, options in DEVICES.items():
            results[kind] = _attempt(partial(_device, ip, kind, options))
        for kind, options in QDISCS.items():
            results[kind] = _attempt(partial(_qdisc, ip, kind, options))
    results["nftables"] = _attempt(_nftables)
    results["cgroup-freezer"] = _attempt(_freezer)
    results["soft-dirty"] = _attempt(_soft_dirty)
    return results


def _device(ip: Any, kind: str, options: Mapping[str, object]) -> None:
    arguments = dict(options)
    if kind == "vlan":
        ip.link("add", ifname="ncp-base", kind="veth", peer="ncp-base-peer")
        arguments["link"] = ip.link_lookup(ifname="ncp-base")[0]
    ip.link("add", ifname="ncprobe", kind=kind, **arguments)
    ip.link("del", index=ip.link_lookup(ifname="ncprobe")[0])


def _qdisc(ip: Any, kind: str, options: Mapping[str, object]) -> None:
    lo = ip.link_lookup(ifname="lo")[0]
    ip.tc("add", kind, lo, handle=_HANDLE, parent=_ROOT, **options)
    ip.tc("del", index=lo, handle=_HANDLE, parent=_ROOT)


def _nftables() -> None:
    from pyroute2.nftables.main import NFTables

    with NFTables(nfgen_family=1) as nft:
        nft.table("add", name="ncprobe")
        nft.table("del", name="ncprobe")


def _freezer() -> None:
    mount = Path("/sys/fs/cgroup")
    if not (mount / "cgroup.controllers").is_file():
        mount = mount / "unified"
        if not (mount / "cgroup.controllers").is_file():
            raise OSError(0, "no cgroup v2 hierarchy is mounted")
    directory = Path(tempfile.mkdtemp(prefix="ncprobe-", dir=mount))
    try:
        (directory / "cgroup.freeze").write_text("1")
        (directory / "cgroup.freeze").write_text("0")
    finally:
        directory.rmdir()


def _soft_dirty() -> None:
    """Clears this process's soft-dirty bits, writes to a page and looks for its bit."""
    with mmap.mmap(-1, _PAGE_BYTES) as page:
        page[0] = 1
        Path("/proc/self/clear_refs").write_text("4")
        page[0] = 2
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        with Path("/proc/self/pagemap").open("rb", buffering=0) as pagemap:
            pagemap.seek(address // _PAGE_BYTES * 8)
            entry = int.from_bytes(pagemap.read(8), sys.byteorder)
    if not entry >> _SOFT_DIRTY_BIT & 1:
        raise OSError(0, "a written page is not marked (CONFIG_MEM_SOFT_DIRTY)")


if __name__ == "__main__":
    print(json.dumps(run_in_namespace()))
