"""TCP_INFO of a socket: the few fields of linux/tcp.h's struct tcp_info that verdicts need."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace
from typing import Final

from netcont.model.samples import TcpInfo

# struct tcp_info only ever grows at its end, so these offsets hold for every kernel since 2.6.
_BACKOFF: Final = struct.Struct("=4xB")
_RTO_US: Final = struct.Struct("=8xI")
_UNACKED: Final = struct.Struct("=24xI")
_RTT_US: Final = struct.Struct("=68xI")
_TOTAL_RETRANSMISSIONS: Final = struct.Struct("=100xI")
_SIZE: Final = 256


def read(sock: socket.socket) -> bytes:
    """The kernel's struct as it is: cheap enough to take on every wake-up."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)


def parse(raw: bytes) -> TcpInfo:
    """The struct's fields in our units."""
    return TcpInfo(
        retransmissions=_TOTAL_RETRANSMISSIONS.unpack_from(raw)[0],
        backoff=_BACKOFF.unpack_from(raw)[0],
        rtt_s=_RTT_US.unpack_from(raw)[0] / 1e6,
        rto_s=_RTO_US.unpack_from(raw)[0] / 1e6,
        unacked=_UNACKED.unpack_from(raw)[0],
    )


def combine(at_end: bytes, alive: bytes | None) -> TcpInfo:
    """The connection at its end. A kernel that gave up has forgotten its back-off and what was
    outstanding (its write queue is purged), so those come from the last look while it lived."""
    end = parse(at_end)
    if alive is None:
        return end
    before = parse(alive)
    return replace(
        end,
        backoff=max(end.backoff, before.backoff),
        rto_s=max(end.rto_s, before.rto_s),
        unacked=max(end.unacked, before.unacked),
    )
