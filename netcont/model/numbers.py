"""Tables, priorities and addresses that netcont's changes use: the same in the lab and on hosts."""

from __future__ import annotations

TUNNEL_TABLE = 770
"""Where guests of the first tunnel find their way back; further tunnels have those after it."""

TUNNEL_PRIORITY = 770
"""Rules of guests in tunnels have this priority and the next."""

SEGMENT_TABLE = 771
SEGMENT_PRIORITY = 772
"""The same for guests on an extended segment."""

ALL_MACS = "00:00:00:00:00:00"
"""In a VTEP's forwarding table: frames for everybody, and for whom nobody knows."""

SEGMENT_GATEWAY_MAC = "02:6e:63:00:00:01"
"""What the far end of an extended segment is called as its guests' gateway."""

SEGMENT_NEXT_HOP = "169.254.77.1"
"""The name of the true gateway there, since its own is taken by the far end."""

SEGMENT_NEXT_HOP_IPV6 = "fe80::6e63:1"
"""The same with IPv6: valid on that segment only, as every link has such addresses."""
