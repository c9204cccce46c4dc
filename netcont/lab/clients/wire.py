"""The bytes between the probes and the guest's services."""

from __future__ import annotations

import struct
from typing import Final

ECHO_PERIOD_S: Final = 0.05
DATAGRAM_PERIOD_S: Final = 0.01
BULK_TICK_S: Final = 0.01
HELLO_PERIOD_S: Final = 1.0

# One message of tcp-echo: its number, when it was written.
ECHO_MESSAGE: Final = struct.Struct("!Qd48x")
# One datagram of udp-up and udp-down: the client, its number, when it was sent.
DATAGRAM: Final = struct.Struct("!16sQd")
# What a udp-down client says to the source: itself, then HELLO or STOP.
ID_BYTES: Final = 16
HELLO: Final = b"H"
STOP: Final = b"S"

RECEIVER_REPORT: Final = b"receiver report\n"
ANSWER_BYTES: Final = 200
ACK_EVERY_BYTES: Final = 65536
MAX_LINE_BYTES: Final = 128

NO_CLIENT: Final = 0
OVERHEAD_MARK: Final = b"netcont-overhead-%02d"
OVERHEAD_BYTES: Final = 200


def client_tag(client_id: int) -> bytes:
    """The client's number as it stands at the head of a datagram."""
    return b"%016d" % client_id


def client_of(tag: bytes) -> int:
    """The number behind a tag; 0 for marked datagrams, which belong to no client."""
    return int(tag) if tag.isdigit() else NO_CLIENT


def bulk_line(client_id: int, rate_bps: float) -> bytes:
    """What a bulk client says first: who it is, and the rate that it wants to be served at."""
    return b"netcont %d %d\n" % (client_id, max(1, round(rate_bps)))


def parse_bulk_line(line: bytes) -> tuple[int, float]:
    """Read bulk_line back; ValueError when it is none."""
    word, client_id, rate_bps = line.split()
    if word != b"netcont":
        raise ValueError(f"not a bulk client's first line: {line[:40]!r}")
    return int(client_id), float(rate_bps)


def overhead_datagram(number: int) -> bytes:
    """A datagram that a capture recognises by its mark as well as by its length."""
    return (OVERHEAD_MARK % number).ljust(OVERHEAD_BYTES + number, b".")
