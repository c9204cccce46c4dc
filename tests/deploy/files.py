"""Deployment files that tests start from."""

from __future__ import annotations

import tomllib
from typing import Any

from netcont.deploy.file import check
from netcont.model.deployment import Deployment

TUNNEL = """
[side.a]
address = "192.0.2.1"
link = "lan0"
prefix = "10.1.0.0/24"
[side.b]
address = "198.51.100.1"
link = "lan0"
prefix = "10.2.0.0/24"
[tunnel]
kind = "gre"
key = 42
[guest]
address = "10.1.0.10"
from = "a"
gateway = "10.1.0.1"
"""

SEGMENT = """
[side.a]
address = "192.0.2.1"
[side.b]
address = "198.51.100.1"
[extension]
kind = "vxlan"
vni = 100
bridge = { a = "br0", b = "nc-stretch" }
head_end = ["203.0.113.9"]
arp_suppression = true
fragment = true
"""

ANYCAST = """
[side.a]
address = "192.0.2.1"
prefix = "10.1.0.0/24"
[side.b]
address = "198.51.100.1"
prefix = "10.2.0.0/24"
[extension]
kind = "vxlan"
vni = 100
bridge = { a = "br0", b = "nc-stretch" }
anycast_gateway = "10.1.0.1"
addresses = { a = "10.255.0.1/30", b = "10.255.0.2/30" }
fragment = true
[guest]
address = "10.1.0.10"
from = "a"
mac = "02:00:00:00:00:10"
"""

ROUTED = """
[side.a]
address = "192.0.2.1"
[side.b]
address = "198.51.100.1"
[[extension]]
kind = "vxlan"
vni = 100
addresses = { a = "10.255.0.1/30", b = "10.255.0.2/30" }
routes = { a = ["10.2.0.0/16"], b = ["10.1.0.0/16"] }
[[extension]]
kind = "vxlan"
vni = 101
addresses = { a = "10.255.0.5/30", b = "10.255.0.6/30" }
routes = { a = ["10.3.0.0/16"] }
"""

TUNNEL6 = """
[side.a]
address = "2001:db8:a::1"
link = "lan0"
prefix = ["10.1.0.0/24", "2001:db8:1::/64"]
[side.b]
address = "2001:db8:b::1"
link = "lan0"
prefix = ["10.2.0.0/24", "2001:db8:2::/64"]
[tunnel]
kind = "ipip"
[tunnel.addresses]
a = ["10.255.0.1/30", "2001:db8:ff::1/64"]
b = ["10.255.0.2/30", "2001:db8:ff::2/64"]
[tunnel.routes]
a = "2001:db8:77::/48"
[[guest]]
address = "10.1.0.10"
from = "a"
[[guest]]
address = "2001:db8:1::10"
from = "a"
gateway = "2001:db8:1::1"
"""
"""Everything of both families, over IPv6."""

SEGMENT6 = """
[side.a]
address = "2001:db8:a::1"
[side.b]
address = "2001:db8:b::1"
[extension]
kind = "vxlan"
vni = 100
addresses = { a = "2001:db8:ff::1/64", b = "2001:db8:ff::2/64" }
routes = { a = ["2001:db8:2::/48", "2001:db8:3::/48"], b = "2001:db8:1::/48" }
head_end = "2001:db8:c::1"
"""

MOBILE = """
[side.a]
address = "192.0.2.1"
link = "lan0"
prefix = "10.1.0.0/24"
[side.b]
address = "192.0.2.2"
link = "lan0"
prefix = "10.2.0.0/24"
[home_agent]
spi = 1000
key_file = "guest.key"
agents_spi = 2000
agents_key_file = "agents.key"
[guest]
address = "10.1.0.10"
from = "a"
gateway = "10.1.0.1"
"""

NAMED = (
    TUNNEL
    + """
[dns]
name = "www.example.org"
guest = "10.1.0.10"
addresses = { a = ["192.0.2.10", "2001:db8:a::10"], b = ["198.51.100.10", "2001:db8:b::10"] }
key_file = "mover.key"
server = "192.0.2.53#5353"
resolver = ["192.0.2.53", "2001:db8::53"]
ttl_s = 5
ptr = true
"""
)


def deployment(text: str) -> Deployment:
    """What a text says; it must be right."""
    raw: dict[str, Any] = tomllib.loads(text)
    return check(raw, "test.toml")
