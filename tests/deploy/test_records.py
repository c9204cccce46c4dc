"""Records on disk: what a reboot leaves of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from netcont.deploy.record import Confirmation, Record
from netcont.deploy.records import Records
from netcont.model.plan import Plan

BEFORE, NOW = "11111111-0000.1", "22222222-0000.1"
MOVED = Record("web", "a", "web.toml", switched=True, host=True)


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*.json"))


def test_after_a_reboot_nothing_stands_but_where_guests_are_is_known(tmp_path: Path) -> None:
    Records(tmp_path, BEFORE).write(MOVED)
    now = Records(tmp_path, NOW)
    assert (now.names(), now.read("web")) == ((), None)
    assert now.earlier("web") is not None
    assert now.earlier("db") is None


@pytest.mark.parametrize(
    "record",
    [
        replace(MOVED, switched=False),
        replace(MOVED, host=False),
        replace(MOVED, confirmation=Confirmation("1", 0.0, Plan(), back_switched=False)),
    ],
    ids=["at home", "in another namespace", "not confirmed"],
)
def test_guests_that_were_not_switched_for_good_are_at_home(tmp_path: Path, record: Record) -> None:
    Records(tmp_path, BEFORE).write(record)
    now = Records(tmp_path, NOW)
    assert now.earlier("web") is None
    now.write(replace(MOVED, name="db"))
    assert files(tmp_path) == [f"{NOW}/db.json"]


def test_it_is_known_until_that_deployment_is_up_or_down(tmp_path: Path) -> None:
    Records(tmp_path, BEFORE).write(MOVED)
    Records(tmp_path, BEFORE).write(replace(MOVED, name="db"))
    now = Records(tmp_path, NOW)
    now.write(MOVED)
    assert files(tmp_path) == [f"{BEFORE}/db.json", f"{NOW}/web.json"]
    assert now.earlier("db") is not None
    now.remove("db")
    assert files(tmp_path) == [f"{NOW}/web.json"]
    assert not (tmp_path / BEFORE).exists()


def test_of_several_boots_the_last_counts(tmp_path: Path) -> None:
    for number, (origin, switched) in enumerate([("1.1", True), ("2.1", False), ("3.7", True)]):
        Records(tmp_path, origin).write(replace(MOVED, switched=switched))
        os.utime(tmp_path / origin / "web.json", (number, number))
    assert Records(tmp_path, NOW).earlier("web") is not None
    assert files(tmp_path) == ["3.7/web.json"]


def test_a_damaged_record_of_an_earlier_boot_is_in_nobodys_way(tmp_path: Path) -> None:
    Records(tmp_path, BEFORE).write(MOVED)
    (tmp_path / BEFORE / "web.json").write_text("{")
    Records(tmp_path, NOW).write(replace(MOVED, name="db"))
    assert files(tmp_path) == [f"{NOW}/db.json"]
