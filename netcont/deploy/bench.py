"""What scripts/bench deploy prints: a thousand routed segments, up, status and down, beside ip.

Runs in a network namespace of its own; nothing of the host's is touched.
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

ROUNDS = 5
"""Of which the median is printed: ip's and netcont's in turn, so that both see the same machine."""

_HOST = """
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip link add wan0 type veth peer name wan1
ip link set wan0 up; ip link set wan1 up
ip addr add 192.0.2.1/24 dev wan0; ip route add default via 192.0.2.254
"""

_GROUP = 7


def deployment_text(count: int) -> str:
    """A file with so many segments, each with addresses and a route."""
    parts = ['[side.a]\naddress = "192.0.2.1"\n[side.b]\naddress = "198.51.100.1"\n']
    for number in range(1, count + 1):
        net, host = f"10.{number >> 6}", (number & 63) * 4
        parts.append(
            f'[[extension]]\nkind = "vxlan"\nvni = {number}\n'
            f'addresses = {{ a = "{net}.0.{host + 1}/30", b = "{net}.0.{host + 2}/30" }}\n'
            f'routes = {{ a = ["100.64.{number >> 8}.{number & 255}/32"] }}\n'
        )
    return "".join(parts)


def batches(count: int) -> tuple[str, str]:
    """The same for `ip -batch`, and for taking it back: link by link that would take minutes."""
    links, routes, group = [], [], []
    for number in range(1, count + 1):
        net, host, link = f"10.{number >> 6}.0", (number & 63) * 4, f"nc-vx{number}"
        links += [
            f"link add {link} mtu 1450 type vxlan id {number} local 192.0.2.1"
            " remote 198.51.100.1 dstport 4789",
            f'link set {link} alias "netcont big" up',
            f"addr add {net}.{host + 1}/30 dev {link}",
        ]
        routes.append(
            f"route add 100.64.{number >> 8}.{number & 255}/32 via {net}.{host + 2} dev {link}"
            " proto 77"
        )
        group.append(f"link set {link} group {_GROUP}")
    return "\n".join(links + routes), "\n".join([*group, f"link del group {_GROUP}"])


def _took_s(command: Sequence[str]) -> float:
    began_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return time.monotonic() - began_s


def _measured(place: Path, file: Path) -> dict[str, list[float]]:
    netcont = (sys.executable, "-m", "netcont.cli.main")
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


def measure(count: int) -> None:
    """Prints wall times, programs' starts included."""
    pid = create_namespace()
    set_namespace(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY))
    subprocess.run(["sh", "-ec", _HOST], check=True)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        for name, text in zip(("add", "remove"), batches(count), strict=True):
            (place / name).write_text(text + "\n")
        file = place / "big.toml"
        file.write_text(deployment_text(count))
        took = _measured(place, file)
    print(f"deploy: {count} VXLAN segments, each with an address and a route")
    print(f"  {'median and range of ' + str(ROUNDS) + ' rounds':34}")
    middle = {name: median(each) for name, each in took.items()}
    for name, each in took.items():
        print(f"  {name:34} {middle[name]:7.2f} s  ({min(each):.2f} to {max(each):.2f})")
    up_s, down_s = middle["netcont up"], middle["netcont down"]
    print(
        f"  up is {up_s / middle['ip -batch']:.2f} times ip -batch, down {down_s / up_s:.2f} times"
        " up"
    )


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
