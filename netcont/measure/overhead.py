"""Header bytes per packet: the same datagrams, captured before the move and after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from netcont.measure.frames import VXLAN_PORT, Marked, marked
from netcont.model.samples import Frame


@dataclass(frozen=True)
class Overhead:
    """bytes_per_packet: what the approach added on the wire; layers: under which the datagram
    travelled after the move, outermost first; agreed: every datagram said the same."""

    bytes_per_packet: int
    layers: tuple[str, ...]
    agreed: bool


@dataclass(frozen=True)
class _Sighting:
    wire_bytes: int
    datagram: Marked


def overhead(
    before: Iterable[Frame], after: Iterable[Frame], vxlan_port: int = VXLAN_PORT
) -> Overhead | None:
    """The overhead that most of the datagrams seen on both occasions had.

    A datagram that crossed the captured links several times counts with its largest frame after
    the move (it may cross one link plain, on its way to A, and another one encapsulated) and with
    its smallest one before. None: no datagram was seen both before and after.
    """
    plain = _by_datagram(before, vxlan_port)
    moved = _by_datagram(after, vxlan_port)
    found: Counter[tuple[int, tuple[str, ...]]] = Counter()
    for key in plain.keys() & moved.keys():
        smallest = min(plain[key], key=lambda sighting: sighting.wire_bytes)
        largest = max(moved[key], key=lambda sighting: sighting.wire_bytes)
        extra = largest.wire_bytes - smallest.wire_bytes
        found[extra, largest.datagram.layers] += 1
    if not found:
        return None
    # Ties are broken by value, so that the same frames give the same answer.
    (extra, layers), _ = max(found.items(), key=lambda item: (item[1], item[0]))
    return Overhead(extra, layers, agreed=len(found) == 1)


def _by_datagram(
    frames: Iterable[Frame], vxlan_port: int
) -> dict[tuple[int, int], list[_Sighting]]:
    seen: dict[tuple[int, int], list[_Sighting]] = {}
    for frame in frames:
        datagram = marked(frame.head, vxlan_port)
        if datagram is not None:
            key = (datagram.number, datagram.payload_bytes)
            seen.setdefault(key, []).append(_Sighting(frame.wire_bytes, datagram))
    return seen
