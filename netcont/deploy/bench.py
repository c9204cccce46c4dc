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

from netcont.kernel.namespace import create_namespace, set_namespace

_HOST = """
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip link add wan0 type veth peer name wan1
ip link set wan0 up; ip link set wan1 up
ip addr add 192.0.2.1/24 dev wan0; ip route add default via 192.0.2.254
"""


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


def batches(count: int) -> tuple[str, str, str]:
    """The same for `ip -batch`, `bridge -batch`, and for taking it back."""
    links, routes, fdb, removal = [], [], [], []
    for number in range(1, count + 1):
        net, host, link = f"10.{number >> 6}.0", (number & 63) * 4, f"nc-vx{number}"
        links += [
            f"link add {link} mtu 1450 type vxlan id {number} local 192.0.2.1 dstport 4789",
            f'link set {link} alias "netcont big"',
            f"link set {link} up",
            f"addr add {net}.{host + 1}/30 dev {link}",
        ]
        routes.append(
            f"route add 100.64.{number >> 8}.{number & 255}/32 via {net}.{host + 2} dev {link}"
            " proto 77"
        )
        fdb.append(f"fdb append 00:00:00:00:00:00 dev {link} dst 198.51.100.1")
        removal.append(f"link del {link}")
    return "\n".join(links + routes), "\n".join(fdb), "\n".join(removal)


def _timed(label: str, *commands: Sequence[str]) -> float:
    began_s = time.monotonic()
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{label}: {done.stderr or done.stdout}")
    took_s = time.monotonic() - began_s
    print(f"  {label:34} {took_s:7.2f} s", flush=True)
    return took_s


def measure(count: int) -> None:
    """Prints wall times, programs' starts included."""
    pid = create_namespace()
    set_namespace(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY))
    subprocess.run(["sh", "-ec", _HOST], check=True)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        for name, text in zip(("ip", "fdb", "del"), batches(count), strict=True):
            (place / name).write_text(text + "\n")
        file = place / "big.toml"
        file.write_text(deployment_text(count))
        netcont = [sys.executable, "-m", "netcont.cli.main"]
        state = ["--state-dir", scratch]
        print(f"deploy: {count} VXLAN segments, each with an address and a route")
        batch_s = _timed(
            "ip -batch, bridge -batch",
            ("ip", "-batch", str(place / "ip")),
            ("bridge", "-batch", str(place / "fdb")),
        )
        _timed("ip -batch, removing", ("ip", "-batch", str(place / "del")))
        _timed("netcont validate", (*netcont, "validate", str(file)))
        # As ip does, it asks nobody; status asks, and nobody answers.
        up = (*netcont, "up", str(file), "--side", "a", "--no-probe", *state)
        up_s = _timed("netcont up", up)
        _timed("netcont up, nothing to do", up)
        _timed("netcont status", (*netcont, "status", *state))
        down_s = _timed("netcont down", (*netcont, "down", "big", *state))
        print(f"  up is {up_s / batch_s:.1f} times ip -batch, down {down_s / up_s:.1f} times up")


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
