"""Two gateways with a router between them, each in a network namespace of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from netcont.kernel.namespace import create_namespace

from .bench import Gateway

_EACH = """
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
sysctl -qw net.ipv4.icmp_ratemask=0
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
ip link set lo up
"""


@dataclass(frozen=True)
class Pair:
    """a is 192.0.2.1 and 2001:db8:a::1; b is 198.51.100.1 and 2001:db8:b::1."""

    a: Gateway
    router: Gateway
    b: Gateway

    def narrow(self, mtu_bytes: int) -> None:
        """Makes the router's link to b take no larger packets."""
        self.router.sh(f"ip link set to-b mtu {mtu_bytes}")

    def silence(self) -> None:
        """What the router has to say to a gets lost: packets that are too big vanish."""
        self.router.sh("ip rule add pref 10 iif lo to 192.0.2.1 blackhole")
        self.router.sh("ip -6 rule add pref 10 iif lo to 2001:db8:a::1 blackhole")


def addresses(family: int) -> tuple[str, str]:
    """Outer addresses of a and of b."""
    if family == 4:
        return "192.0.2.1", "198.51.100.1"
    return "2001:db8:a::1", "2001:db8:b::1"


@contextmanager
def pair(directory: Path) -> Iterator[Pair]:
    """The three; their namespaces end with the block. directory: for the gateways' records."""
    with ExitStack() as after:
        made = []
        for name in ("a", "router", "b"):
            pid = create_namespace()
            after.callback(os.waitpid, pid, 0)
            after.callback(os.kill, pid, 9)
            made.append(Gateway(pid, directory / name))
            made[-1].sh(_EACH)
        a, router, b = made
        for end, host, four, six in (
            ("a", a, "192.0.2", "2001:db8:a::"),
            ("b", b, "198.51.100", "2001:db8:b::"),
        ):
            host.sh(f"ip link add wan0 type veth peer name to-{end} netns {router.pid}")
            router.sh(f"ip link set to-{end} up; ip addr add {four}.254/24 dev to-{end}")
            router.sh(f"ip addr add {six}fe/64 dev to-{end} nodad")
            host.sh(f"ip link set wan0 up; ip addr add {four}.1/24 dev wan0")
            host.sh(f"ip addr add {six}1/64 dev wan0 nodad; ip route add default via {four}.254")
            host.sh(f"ip -6 route add default via {six}fe")
        yield Pair(a, router, b)
