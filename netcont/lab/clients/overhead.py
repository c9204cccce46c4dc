"""Marked datagrams, for a capture on the WAN link to find: the same before and after the move."""

from __future__ import annotations

import socket
import time

from netcont.lab.clients.family import socket_for
from netcont.lab.clients.udp import send_anyway
from netcont.lab.clients.wire import overhead_datagram


def send_marked(address: str, port: int = 7007, count: int = 5, interval_s: float = 0.02) -> int:
    """Send count datagrams of different lengths to the guest's sink; returns how many."""
    with socket_for(address, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        for number in range(count):
            if number:
                time.sleep(interval_s)
            send_anyway(sock, overhead_datagram(number))
    return count
