"""Frames: what is said is understood, and nothing that can be received does harm."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.migration import wire
from netcont.migration.wire import (
    Abort,
    Commit,
    Committed,
    Frame,
    FrameType,
    Hello,
    KeepAlive,
    LocalProtocolError,
    Pages,
    Paused,
    Prepare,
    Prepared,
    RemoteProtocolError,
    Retire,
    Retired,
    RoundEnd,
    Status,
    StatusReply,
    decode,
    decode_header,
    encode,
)

u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
instants = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def page_frames(draw: st.DrawFn) -> Pages:
    runs = []
    end, room = 0, wire.MAX_BATCH_PAGES
    for _ in range(draw(st.integers(1, 8))):
        if room == 0:
            break
        first = end + draw(st.integers(0, 1000))
        count = draw(st.integers(1, min(room, 16)))
        runs.append((first, count))
        end, room = first + count, room - count
    return Pages(draw(u16), tuple(runs))


frames: st.SearchStrategy[Frame] = st.one_of(
    st.sampled_from([Prepare(), Prepared(), Status(), Retire(), Retired(), KeepAlive()]),
    st.builds(Hello, st.binary(min_size=16, max_size=16), u32, u32),
    page_frames(),
    st.builds(RoundEnd, u16, u32),
    st.builds(Commit, u16, u32),
    st.builds(Paused, st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(Committed, instants, instants, instants),
    st.builds(StatusReply, st.booleans(), instants, instants, instants),
    st.builds(Abort, st.text(max_size=200)),
)


def understand(data: bytes) -> Frame:
    kind, length = decode_header(data[: wire.HEADER_BYTES])
    body = data[wire.HEADER_BYTES :]
    assert len(body) == length
    return decode(kind, body)


@given(frames)
def test_what_is_said_is_understood(frame: Frame) -> None:
    data = encode(frame)
    got = understand(data)
    if isinstance(frame, Abort):
        assert isinstance(got, Abort)
        assert got.reason.encode() == data[wire.HEADER_BYTES :]
    else:
        assert got == frame


@given(st.binary(min_size=5, max_size=5), st.binary(max_size=600))
def test_whatever_comes_is_a_frame_or_the_peers_fault(header: bytes, body: bytes) -> None:
    try:
        kind, length = decode_header(header)
        assert length <= wire.BODY_LIMITS[kind]
        decode(kind, body[:length])
    except RemoteProtocolError:
        pass


@given(frames, st.data())
def test_a_mutated_frame_does_no_harm(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(encode(frame))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(wire.HEADER_BYTES, len(raw)))
    try:
        kind, _ = decode_header(bytes(raw[: wire.HEADER_BYTES]))
        got = decode(kind, bytes(raw[wire.HEADER_BYTES : cut]))
    except RemoteProtocolError:
        return
    if isinstance(got, Pages):
        assert 1 <= got.pages <= wire.MAX_BATCH_PAGES


def test_the_bytes_of_a_batch_are_these() -> None:
    """Literal, so that a change of the format is a change of this test and of VERSION."""
    assert encode(Pages(3, ((16, 2), (100, 1)))).hex() == (
        "040000001000030002000000100002000000640001"
    )
    assert encode(Prepare()).hex() == "0200000000"
    assert encode(Commit(4, 256)).hex() == "0700000006000400000100"


@pytest.mark.parametrize(
    "runs",
    [(), ((0, 0),), ((5, 2), (6, 1)), ((5, 1), (1, 1)), ((0, 65),), ((2**32 - 1, 1),)],
    ids=["none", "empty", "overlapping", "descending", "too many", "too far"],
)
def test_a_batch_that_makes_no_sense_is_not_even_said(runs: tuple[wire.Run, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        encode(Pages(1, runs))


def test_a_number_that_does_not_fit_is_this_sides_fault() -> None:
    with pytest.raises(LocalProtocolError, match="does not fit"):
        encode(RoundEnd(2**16, 1))
    with pytest.raises(LocalProtocolError, match="16 bytes"):
        encode(Hello(b"short", 4096, 1))


def test_a_stranger_is_told_apart_from_another_version() -> None:
    good = encode(Hello(b"r" * 16, 4096, 10))[wire.HEADER_BYTES :]
    with pytest.raises(RemoteProtocolError, match="does not speak"):
        decode(FrameType.HELLO, b"HTTP" + good[4:])
    with pytest.raises(RemoteProtocolError, match="version 258"):
        decode(FrameType.HELLO, good[:20] + b"\1\2" + good[22:])


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (b"\0\0\0\0\0", "unknown type 0"),
        (b"\1\xff\xff\xff\xff", "HELLO of 4294967295 bytes"),
        (b"\2\0\0\0\1", "PREPARE of 1 bytes"),
        (b"\1\0", "header has 5 bytes"),
    ],
)
def test_a_header_that_cannot_be_is_refused(header: bytes, says: str) -> None:
    with pytest.raises(RemoteProtocolError, match=says):
        decode_header(header)


def test_an_instant_that_is_not_known_is_none_and_not_zero() -> None:
    got = understand(encode(Committed(0.0, None, math.inf)))
    assert got == Committed(0.0, None, None)


def test_a_long_reason_is_cut_at_a_whole_character() -> None:
    got = understand(encode(Abort("ü" * 800)))
    assert got == Abort("ü" * 500)
