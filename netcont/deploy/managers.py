"""NetworkManager and systemd-networkd take away, or take over, what they did not make.

Whether one of them manages this host, whether its settings spare what netcont makes, and what has
to be written if not. Reads files only, below a root that tests choose. Sources:
NetworkManager.conf(5), networkd.conf(5), systemd.network(5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from netcont.deploy.keyfile import Assignment, assignments, in_force
from netcont.model import plan as changes
from netcont.model.plan import AddLink, Plan

ROOT = Path("/")
SAMPLES = Path(__file__).parent / "etc"
"""Files for /etc, at their places there."""

_NETWORKMANAGER = "NetworkManager/conf.d/netcont.conf"
_NETWORKD = "systemd/networkd.conf.d/netcont.conf"
_NETWORK = "systemd/network/00-netcont.network"
_KEEPS_OWN = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")
_FALSE = frozenset({"0", "no", "n", "false", "f", "off"})
_TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})
_TYPES = {"gre": "ipgre", "ipip": "tunnel", "ip6tnl": "tunnel6"}
"""What networkd calls the type of a link of that kind, where it is another word."""

_UNKNOWN = "?"
_COMM_BYTES = 15
"""What the kernel keeps of a process's name."""

_MANAGERS = {
    program[:_COMM_BYTES].encode(): program for program in ("NetworkManager", "systemd-networkd")
}


class OwnLink(NamedTuple):
    """A link of netcont's. kind: the kernel's word; nm_type: NetworkManager's."""

    name: str
    kind: str
    nm_type: str


class Warned(NamedTuple):
    """What is wrong, the file in /etc that mends it, and the command that has it read."""

    what: str
    file: str
    command: str

    @property
    def lines(self) -> tuple[str, ...]:
        """For people, with the file's content."""
        content = (SAMPLES / self.file).read_text().splitlines()
        return (
            f"{self.what}. Write /etc/{self.file} and say `{self.command}`:",
            *(f"    {line}".rstrip() for line in content),
        )


def own_links(plan: Plan) -> tuple[OwnLink, ...]:
    """The links that a plan makes."""
    return tuple(_own(each) for each in plan if isinstance(each, AddLink))


def _own(change: AddLink) -> OwnLink:
    match change:
        case changes.AddTunnel():
            return OwnLink(change.name, change.link_kind, "ip-tunnel")
        case changes.AddVxlan():
            return OwnLink(change.name, "vxlan", "vxlan")
        case changes.AddVlan():
            return OwnLink(change.name, "vlan", "vlan")
        case _:
            return OwnLink(change.name, "bridge", "bridge")


def warnings(links: Sequence[OwnLink], root: Path | None = None) -> tuple[Warned, ...]:
    """What this host's network managers would do to these links, their routes and rules."""
    root = ROOT if root is None else root
    found: list[Warned] = []
    running = _running(root) if links else frozenset()
    if "NetworkManager" in running:
        found += _networkmanager(links, root)
    if "systemd-networkd" in running:
        found += _networkd(links, root)
    return tuple(found)


def _running(root: Path) -> frozenset[str]:
    """Which of the managers have a process in this network namespace."""
    own, proc, found = _namespace(root / "proc/self"), root / "proc", set()
    for process in os.listdir(proc) if proc.is_dir() else ():  # noqa: PTH208  (there are many)
        if not process[0].isdecimal():
            continue
        try:
            with open(f"{proc}/{process}/comm", "rb", 0) as comm:  # noqa: PTH123
                program = _MANAGERS.get(comm.read(_COMM_BYTES + 1).rstrip(b"\n"))
        except OSError:
            continue  # it has just ended
        if program is not None and _namespace(proc / process) in (own, _UNKNOWN):
            found.add(program)
    return frozenset(found)


def _namespace(process: Path) -> str | None:
    """_UNKNOWN: not for this user to know; it is mostly the only one then. None: it has ended."""
    try:
        return str((process / "ns/net").readlink())
    except PermissionError:
        return _UNKNOWN
    except OSError:
        return None


# ---- NetworkManager


def _networkmanager(links: Sequence[OwnLink], root: Path) -> Iterator[Warned]:
    files = [assignments(path) for path in _networkmanager_files(root)]
    unmanaged = _unmanaged_devices(files)
    taken = [
        each.name
        for each in links
        if not (_matches(unmanaged, each) or _managed(files, each) is False)
    ]
    if taken:
        yield Warned(
            f"NetworkManager runs here, and may take over {', '.join(taken)}",
            _NETWORKMANAGER,
            "systemctl reload NetworkManager",
        )


def _networkmanager_files(root: Path) -> list[Path]:
    """In the order in which they are read."""
    vendor, run, etc = (root / at / "NetworkManager/conf.d" for at in ("usr/lib", "run", "etc"))
    found = in_force((vendor, run, etc), ".conf")
    before = [path for path in found if path.parent != etc]
    after = [path for path in found if path.parent == etc]
    return [*before, root / "etc/NetworkManager/NetworkManager.conf", *after]


def _unmanaged_devices(files: Sequence[tuple[Assignment, ...]]) -> list[str]:
    specs: list[str] = []
    for one in (each for file in files for each in file if each.section == "keyfile"):
        given = _specs(one.value)
        if one.key == "unmanaged-devices":
            specs = given
        elif one.key == "unmanaged-devices+":
            specs = [*specs, *given]
        elif one.key == "unmanaged-devices-":
            specs = [each for each in specs if each not in given]
    return specs


def _managed(files: Sequence[tuple[Assignment, ...]], link: OwnLink) -> bool | None:
    """What the device sections say: later files first, within a file from top to bottom."""
    for file in reversed(files):
        names = list(dict.fromkeys(each.section for each in file))
        for name in sorted((n for n in names if n.startswith("device")), key="device".__eq__):
            values = {each.key: each.value for each in file if each.section == name}
            wanted = values.get("match-device")
            if wanted is not None and not _matches(_specs(wanted), link):
                continue
            if "managed" in values:
                return values["managed"].lower() not in _FALSE
            if values.get("stop-match", "").lower() in _TRUE:
                return None
    return None


def _specs(value: str) -> list[str]:
    return [each.strip() for each in re.split("[;,]", value) if each.strip()]


def _matches(specs: Sequence[str], link: OwnLink) -> bool:
    """A negative match comes before all others; negative ones alone mean all but those."""
    refused = [each.removeprefix("except:") for each in specs if each.startswith("except:")]
    wanted = [each for each in specs if not each.startswith("except:")]
    if any(_is_meant(each, link) for each in refused):
        return False
    return any(_is_meant(each, link) for each in wanted) or bool(refused and not wanted)


def _is_meant(spec: str, link: OwnLink) -> bool:
    if spec in ("*", link.name):
        return True
    tag, _, value = spec.partition(":")
    if tag == "type":
        return value == link.nm_type
    if tag != "interface-name":
        return False
    if value.startswith("="):
        return value[1:] == link.name
    return _glob(value.removeprefix("~"), link.name)


def _glob(pattern: str, name: str) -> bool:
    """Only * and ? are special."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))


# ---- systemd-networkd


def _networkd(links: Sequence[OwnLink], root: Path) -> Iterator[Warned]:
    settings = _networkd_settings(root)
    if not all(settings.get(key, "yes").lower() in _FALSE for key in _KEEPS_OWN):
        yield Warned(
            "systemd-networkd runs here, and removes rules and routes that it did not make",
            _NETWORKD,
            "systemctl restart systemd-networkd",
        )
    files = sorted(in_force(_systemd(root, "network"), ".network"), key=lambda path: path.name)
    grabbed = [(each.name, path) for each in links if (path := _configures(files, each))]
    if grabbed:
        names = ", ".join(name for name, _ in grabbed)
        by = ", ".join(dict.fromkeys(f"/{path.relative_to(root)}" for _, path in grabbed))
        yield Warned(
            f"systemd-networkd runs here, and configures {names} as {by} says",
            _NETWORK,
            "networkctl reload",
        )


def _systemd(root: Path, below: str) -> list[Path]:
    places = ("usr/lib/systemd", "lib/systemd", "usr/local/lib/systemd", "run/systemd")
    return [root / place / below for place in (*places, "etc/systemd")]


def _networkd_settings(root: Path) -> dict[str, str]:
    mains = [path for path in reversed(_systemd(root, "networkd.conf")) if path.is_file()]
    drop_ins = in_force(_systemd(root, "networkd.conf.d"), ".conf")
    found = {}
    for path in (*mains[:1], *sorted(drop_ins, key=lambda path: path.name)):
        for each in assignments(path):
            if each.section == "Network":
                found[each.key] = each.value
    return found


def _configures(files: Sequence[Path], link: OwnLink) -> Path | None:
    """The file that has networkd configure a link: the first that matches, if it does not say that
    the link is nobody's."""
    for path in files:
        found = assignments(path)
        if found and _is_for(found, link):
            told = {each.key: each.value for each in found if each.section == "Link"}
            return None if told.get("Unmanaged", "").lower() in _TRUE else path
    return None


def _is_for(found: Sequence[Assignment], link: OwnLink) -> bool:
    """Whether the Match section means a link. What else it may ask for, a machine's architecture
    or a device's path, no link of netcont's has."""
    lists: dict[str, list[str]] = {}
    for each in found:
        if each.section == "Match":
            words = each.value.split()
            lists[each.key] = [*lists.get(each.key, []), *words] if words else []
    kind = _TYPES.get(link.kind, link.kind)
    has = {"Name": link.name, "OriginalName": link.name, "Kind": link.kind, "Type": kind}
    return all(key in has and _listed(words, has[key]) for key, words in lists.items() if words)


def _listed(words: Sequence[str], value: str) -> bool:
    """A list of patterns; an exclamation mark at its head turns it over."""
    inverted = words[0].startswith("!")
    patterns = [words[0].removeprefix("!"), *words[1:]]
    return any(fnmatchcase(value, each) for each in patterns) != inverted
