"""What a packet costs on the wire: netcont's captures, tcpdump and tshark side by side."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from netcont.lab.capture import FrameCapture
from netcont.measure.overhead import overhead
from netcont.model.plan import (
    AddAddress,
    AddFdb,
    AddTunnel,
    AddVlan,
    AddVxlan,
    Change,
    SetUp,
)
from netcont.model.samples import Frame

from .bench import OTHER, OWN, Bench, bench
from .tools import dissect, recording

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("lab")]

MARK = b"netcont-overhead-07"
VNI, PORT, VLAN_ID, KEY = 4711, 4790, 42, 305419896
INNER = "10.7.0."


def ends(change: Change) -> tuple[Change, ...]:
    """A link on both nodes, with an inner address, as change makes it on the first."""
    mirrored = replace(change, node="other")
    if hasattr(change, "local"):
        mirrored = replace(mirrored, local=OTHER)
    if hasattr(change, "remote"):
        mirrored = replace(mirrored, remote=OWN)
    if hasattr(change, "parent"):
        mirrored = replace(mirrored, parent="b0")
    extra: tuple[Change, ...] = ()
    if isinstance(change, AddVxlan):
        zero = "00:00:00:00:00:00"
        extra = (AddFdb("own", "t0", zero, OTHER), AddFdb("other", "t0", zero, OWN))
    inner = (
        AddAddress("own", "t0", f"{INNER}1", 30),
        AddAddress("other", "t0", f"{INNER}2", 30),
        SetUp("own", "t0"),
        SetUp("other", "t0"),
    )
    return (change, mirrored, *extra, *inner)


@dataclass(frozen=True)
class Wire:
    """How datagrams travel: the link that makes it so, its bytes, and what tshark must read."""

    link: Change | None
    extra_bytes: int
    fields: dict[str, str]


WIRES = {
    "plain": Wire(None, 0, {"ip.proto": "17"}),
    "ipip": Wire(AddTunnel("own", "t0", "ipip", OWN, OTHER, ttl=17), 20, {"ip.proto": "4,17"}),
    "gre": Wire(AddTunnel("own", "t0", "gre", OWN, OTHER), 24, {"ip.proto": "47,17"}),
    "gre with key": Wire(
        AddTunnel("own", "t0", "gre", OWN, OTHER, key=KEY), 28, {"gre.key": f"0x{KEY:08x}"}
    ),
    "vlan": Wire(AddVlan("own", "t0", "a0", VLAN_ID), 4, {"vlan.id": str(VLAN_ID)}),
    "vxlan": Wire(
        AddVxlan("own", "t0", VNI, OWN, PORT, 1400),
        50,
        {"vxlan.vni": str(VNI), "udp.dstport": f"{PORT},9"},
    ),
}


@dataclass(frozen=True)
class Seen:
    """One datagram as netcont's capture and tshark (in tcpdump's recording) saw it."""

    frame: Frame
    values: dict[str, str]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    with bench() as stand:
        return send(stand, WIRES["plain"], tmp_path_factory.mktemp("plain") / "b0.pcap")


@pytest.fixture
def stand() -> Iterator[Bench]:
    with bench() as stand:
        yield stand


def send(stand: Bench, wire: Wire, pcap: Path) -> Seen:
    """Sends one marked datagram, through the wire's link if it has one."""
    target = OTHER if wire.link is None else f"{INNER}2"
    if wire.link is not None:
        stand.apply(*ends(wire.link))
    talk(stand, target, b"for ARP, before")
    with recording(stand.other, "b0", pcap, at_least=1):
        capture = FrameCapture([(stand.other, "b0")], MARK, outgoing=False)
        talk(stand, target, MARK)
        frames = capture.finish()
    assert len(frames) == 1
    fields = ("frame.len", *wire.fields)
    decode = f"frame contains {MARK.decode()!r}".replace("'", '"')
    options = ("-d", f"udp.port=={PORT},vxlan")
    values = dissect(pcap, fields, decode, *options)
    assert len(values) == 1
    return Seen(frames[0], dict(zip(fields, values[0], strict=True)))


def talk(stand: Bench, target: str, data: bytes) -> None:
    with stand.own.entered():
        outlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with stand.other.entered():
        inlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with outlet, inlet:
        inlet.bind(("0.0.0.0", 9))
        inlet.settimeout(10)
        outlet.sendto(data, (target, 9))
        assert inlet.recv(100) == data


@pytest.mark.parametrize("name", WIRES)
def test_overhead_on_the_wire(stand: Bench, plain: Seen, name: str, tmp_path: Path) -> None:
    wire = WIRES[name]
    seen = send(stand, wire, tmp_path / "b0.pcap")
    assert int(seen.values["frame.len"]) - int(plain.values["frame.len"]) == wire.extra_bytes
    assert {field: seen.values[field] for field in wire.fields} == wire.fields
    # netcont's own capture agrees, and its reading of the two frames as well.
    assert seen.frame.wire_bytes == int(seen.values["frame.len"])
    own = overhead((plain.frame,), (seen.frame,), PORT)
    assert own is not None
    assert own.bytes_per_packet == wire.extra_bytes


def test_only_marked_frames_of_one_direction_are_collected(stand: Bench) -> None:
    leaving = FrameCapture([(stand.own, "a0")], MARK, outgoing=True)
    entering = FrameCapture([(stand.own, "a0")], MARK, outgoing=False)
    arriving = FrameCapture([(stand.other, "b0")], MARK, outgoing=False)
    for data in (b"something else", MARK + b" 1", b"before " + MARK):
        talk(stand, OTHER, data)
    assert [len(capture.finish()) for capture in (leaving, entering, arriving)] == [2, 0, 2]
