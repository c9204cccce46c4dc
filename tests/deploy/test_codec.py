"""Records: what is written is what is read, and nothing else is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netcont.deploy.codec import Codec
from netcont.deploy.half import Half
from netcont.deploy.record import Confirmation, Record
from netcont.deploy.records import Records
from netcont.errors import PrerequisiteError
from netcont.model.deployment import SideName
from netcont.model.plan import MoveName, Plan, SetUp

from .files import SEGMENT, TUNNEL6, deployment

PLAN = Half(deployment(TUNNEL6), SideName.B, "web", switched=True).plan()
OTHER = Half(deployment(SEGMENT), SideName.A, "web").plan()
NAMES = Plan((MoveName("host", "www.example.org.", ("10.2.0.1",), ("10.1.0.1", "2001:db8::1")),))
RECORD = Record(
    "web", "a", "/etc/netcont/web.toml", stands=PLAN, was={"net.ipv4.ip_forward": "0"}, host=True
)
RECORDS = {
    "one that stands": RECORD,
    "a beginning": Record("web", "b", "", goal=OTHER, switched=True),
    "an end": replace(RECORD, goal=Plan(), forward=True),
    "an update that waits": replace(
        RECORD, goal=OTHER, confirmation=Confirmation("a1", 12.5, PLAN, back_switched=True)
    ),
    "names": replace(RECORD, goal=NAMES),
}


@pytest.mark.parametrize("case", RECORDS)
def test_what_is_written_is_what_is_read(case: str) -> None:
    assert Codec().record(Codec().text(RECORDS[case]).encode()) == RECORDS[case]


def test_what_a_codec_wrote_before_does_not_get_into_what_it_writes_next() -> None:
    codec = Codec()
    for record in (*RECORDS.values(), *reversed(RECORDS.values())):
        assert Codec().record(codec.text(record).encode()) == record


@pytest.mark.parametrize("layout", [None, 0, 2])
def test_what_was_read_is_written_again_however_it_was_laid_out(layout: int | None) -> None:
    for record in RECORDS.values():
        text = Codec().text(record)
        codec = Codec()
        read = codec.record(json.dumps(json.loads(text), indent=layout).encode())
        assert codec.text(read) == text
        read = codec.record(text.encode())
        assert codec.text(replace(read, forward=not read.forward)) == Codec().text(
            replace(record, forward=not record.forward)
        )


def test_a_field_that_was_not_written_has_its_default() -> None:
    raw: dict[str, Any] = json.loads(
        Codec().text(Record("web", "a", "", stands=Plan((SetUp("host", "nc-x"),))))
    )
    raw["stands"] = {"fields": {"SetUp": ["node", "link"]}, "changes": [["SetUp", "host", "nc-x"]]}
    assert Codec().record(json.dumps(raw).encode()).stands == Plan((SetUp("host", "nc-x"),))


SPOILT: dict[str, Callable[[str], str]] = {
    "torn": lambda text: text[:-7],
    "empty": lambda text: "",
    "another version": lambda text: text.replace('"version": 2', '"version": 1'),
    "no version": lambda text: text.replace('"version": 2', '"vision": 2'),
    "an unknown kind": lambda text: text.replace("AddRoute", "AddRoad"),
    "an unknown field": lambda text: text.replace('"destination"', '"goal"'),
    "a value too few": lambda text: text.replace('["SetUp", "host", ', '["SetUp", '),
    "an unknown key": lambda text: text.replace('"forward"', '"backward"'),
    "a list": lambda text: f"[{text}]",
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_record_that_is_not_whole_is_refused_with_what_mends_it(
    case: str, tmp_path: Path
) -> None:
    records = Records(tmp_path, "boot.7")
    records.write(RECORD)
    assert records.read("web") == RECORD
    (path,) = tmp_path.glob("boot.7/*.json")
    text = path.read_text()
    path.write_text(SPOILT[case](text))
    assert path.read_text() != text
    with pytest.raises(PrerequisiteError, match="remove it and then what `ip link` shows"):
        records.read("web")
