"""Frames seen on a link, by a packet socket (packet(7)): what a packet costs on the wire."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable

from netcont.kernel.namespace import Namespace
from netcont.model.samples import Frame

_ETH_P_ALL = 3
_PACKET_OUTGOING = 4
_SOL_PACKET = 263
_PACKET_AUXDATA = 8
_TP_STATUS_VLAN_VALID = 0x10
_AUXDATA = struct.Struct("IIIHHHH")  # struct tpacket_auxdata
_HEAD_BYTES = 192


class FrameCapture:
    """Collects the frames that contain marker, going out of or coming into a node's links."""

    def __init__(
        self, links: Iterable[tuple[Namespace, str]], marker: bytes, *, outgoing: bool
    ) -> None:
        self._marker = marker
        self._outgoing = outgoing
        self._sockets: list[tuple[str, socket.socket]] = []
        for node, link in links:
            with node.entered():
                tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            tap.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            tap.bind((link, _ETH_P_ALL))
            tap.setblocking(False)
            self._sockets.append((link, tap))

    def finish(self) -> tuple[Frame, ...]:
        """What was seen since the start; closes the sockets."""
        frames: list[Frame] = []
        for link, tap in self._sockets:
            with tap:
                frames += self._drain(link, tap)
        return tuple(frames)

    def _drain(self, link: str, tap: socket.socket) -> list[Frame]:
        frames: list[Frame] = []
        while True:
            try:
                data, extra, _, source = tap.recvmsg(65536, 256)
            except BlockingIOError:
                return frames
            if (source[2] == _PACKET_OUTGOING) is self._outgoing and self._marker in data:
                whole = _with_vlan_tag(data, extra)
                frames.append(Frame(time.monotonic(), link, len(whole), whole[:_HEAD_BYTES].hex()))


def _with_vlan_tag(data: bytes, extra: list[tuple[int, int, bytes]]) -> bytes:
    """The kernel keeps an 802.1Q tag beside the frame; on the wire it follows the addresses."""
    for level, kind, value in extra:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA:
            status, _, _, _, _, tag, protocol = _AUXDATA.unpack(value[: _AUXDATA.size])
            if status & _TP_STATUS_VLAN_VALID:
                return data[:12] + struct.pack("!HH", protocol or 0x8100, tag) + data[12:]
    return data
