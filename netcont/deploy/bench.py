"""What scripts/bench deploy prints: a thousand links with addresses and routes, beside ip -batch.

GRE tunnels; routed VXLAN segments where this kernel has no GRE. Runs in a network namespace of its
own; nothing of the host's is touched. In the lab: netcont lab run --clock real -- \
python3 -m netcont.deploy.bench 200
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from netcont.kernel.namespace import create_namespace, set_namespace

ROUNDS = 21
"""Of which the median is printed: ip's and netcont's in turn, so that both see the same machine."""

_HOST = """
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip link add wan0 type veth peer name wan1
ip link set wan0 up; ip link set wan1 up
ip addr add 192.0.2.1/24 dev wan0; ip route add default via 192.0.2.254
"""

_GROUP = 7

_TABLES = {
    "gre": '[[tunnel]]\nkind = "gre"\nname = "nc-gre{0}"\nkey = {0}\n',
    "vxlan": '[[extension]]\nkind = "vxlan"\nvni = {0}\nname = "nc-vxlan{0}"\n',
}
_LINKS = {
    "gre": "link add nc-gre{0} type gre local 192.0.2.1 remote 198.51.100.1 ttl 64 key {0}",
    "vxlan": "link add nc-vxlan{0} mtu 1450 type vxlan id {0} local 192.0.2.1 remote 198.51.100.1"
    " dstport 4789",
}


def deployment_text(kind: str, count: int) -> str:
    """A file with so many links, each with addresses and a route."""
    parts = ['[side.a]\naddress = "192.0.2.1"\n[side.b]\naddress = "198.51.100.1"\n']
    for number in range(1, count + 1):
        net, host = f"10.{number >> 6}", (number & 63) * 4
        parts.append(
            _TABLES[kind].format(number)
            + f'addresses = {{ a = "{net}.0.{host + 1}/30", b = "{net}.0.{host + 2}/30" }}\n'
            f'routes = {{ a = ["100.64.{number >> 8}.{number & 255}/32"] }}\n'
        )
    return "".join(parts)


def batches(kind: str, count: int) -> tuple[str, str]:
    """The same for `ip -batch`, and for taking it back: link by link that would take minutes."""
    links, routes, group = [], [], []
    for number in range(1, count + 1):
        net, host, link = f"10.{number >> 6}.0", (number & 63) * 4, f"nc-{kind}{number}"
        links += [
            _LINKS[kind].format(number),
            f'link set {link} alias "netcont big" up',
            f"addr add {net}.{host + 1}/30 dev {link}",
        ]
        via = f" via {net}.{host + 2}" if kind == "vxlan" else ""
        routes.append(f"route add 100.64.{number >> 8}.{number & 255}/32{via} dev {link} proto 77")
        group.append(f"link set {link} group {_GROUP}")
    return "\n".join(links + routes), "\n".join([*group, f"link del group {_GROUP}"])


def _took_s(command: Sequence[str]) -> float:
    began_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return time.monotonic() - began_s


def _measured(place: Path, file: Path) -> dict[str, list[float]]:
    netcont = (sys.executable, "-m", "netcont")
    state = ("--state-dir", str(place))
    # As ip does, it asks nobody; status asks the far ends as well, and nobody answers.
    up = (*netcont, "up", str(file), "--side", "a", "--no-probe", *state)
    commands = {
        "ip -batch": ("ip", "-batch", str(place / "add")),
        "ip -batch, removing": ("ip", "-batch", str(place / "remove")),
        "netcont validate": (*netcont, "validate", str(file)),
        "netcont up": up,
        "netcont up, nothing to do": up,
        "netcont status --no-probe": (*netcont, "status", "--no-probe", *state),
        "netcont status, nobody answers": (*netcont, "status", *state),
        "netcont down": (*netcont, "down", "big", *state),
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            took[name].append(_took_s(command))
    return took


def _has_gre() -> bool:
    trial = "ip link add nc-trial type gre local 192.0.2.1 remote 192.0.2.2 && ip link del nc-trial"
    return subprocess.run(["sh", "-c", trial], capture_output=True, check=False).returncode == 0


def measure(count: int) -> None:
    """Prints wall times, programs' starts included."""
    pid = create_namespace()
    set_namespace(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY))
    subprocess.run(["sh", "-ec", _HOST], check=True)
    kind = "gre" if _has_gre() else "vxlan"
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        for name, text in zip(("add", "remove"), batches(kind, count), strict=True):
            (place / name).write_text(text + "\n")
        file = place / "big.toml"
        file.write_text(deployment_text(kind, count))
        took = _measured(place, file)
    print(f"deploy: {count} links ({kind}), each with an address and a route")
    print(f"  wall time, median (range) of {ROUNDS} rounds")
    for name, each in took.items():
        print(f"  {name:32} {median(each):7.2f} s  ({min(each):.2f} to {max(each):.2f})")
    ip_s, up_s, down_s = (took[name] for name in ("ip -batch", "netcont up", "netcont down"))
    print(f"  up: {_ratio(up_s, ip_s):.2f} times ip -batch; down: {_ratio(down_s, up_s):.2f} of up")


def _ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """The median of what each round says."""
    return median(a / b for a, b in zip(one, other, strict=True))


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
