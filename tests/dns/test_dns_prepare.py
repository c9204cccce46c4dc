"""netcont dns prepare: the TTL lowered ahead, the old one remembered."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dns_servers import NAME, NEW_4, OLD_4, OLD_6, PRIMARY, ZONE, Site

from netcont.cli.main import main
from netcont.dns.memo import Memo, Memory, Unfinished, state_dir
from netcont.errors import ConfigurationError


def netcont(site: Site, *arguments: str) -> int:
    finding = ["--resolver", f"{PRIMARY}#{site.port}", "--port", str(site.port)]
    return main(["dns", *arguments, *finding, "--key", str(site.key_file)])


def facts(site: Site, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert netcont(site, *arguments, "--format", "json") == 0
    shown: dict[str, object] = json.loads(capsys.readouterr().out)
    return shown


def moment(text: object) -> datetime:
    return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def test_the_ttl_of_both_families_is_lowered_and_the_old_one_told(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netcont(site, "prepare", NAME, "--ttl", "5") == 0
    assert site.primary.transferred(ZONE, NAME) == [("5", "A", OLD_4), ("5", "AAAA", OLD_6)]
    assert site.secondary.transferred(ZONE, NAME) == [("5", "A", OLD_4), ("5", "AAAA", OLD_6)]
    out = capsys.readouterr().out
    assert f"{NAME} A {OLD_4} (TTL 5 s, was 300 s)" in out
    assert "old TTL: 300 s" in out
    assert "safe to move from 20" in out
    assert "that a record is missing is remembered for 60 s" in out


def test_it_is_safe_to_move_one_old_ttl_later(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = datetime.now(UTC)
    shown = facts(site, capsys, "prepare", NAME, "--ttl", "5")
    wait = moment(shown["safe_at"]) - begun
    assert timedelta(seconds=300) <= wait <= timedelta(seconds=330)
    assert (shown["old_ttl_s"], shown["ttl_s"], shown["negative_ttl_s"]) == (300, 5, 60)


def test_a_second_preparation_changes_nothing_and_remembers_the_first(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    first = facts(site, capsys, "prepare", NAME, "--ttl", "5")
    second = facts(site, capsys, "prepare", NAME, "--ttl", "5")
    assert second["changed"] is False
    assert second["old_ttl_s"] == 300
    assert second["safe_at"] == first["safe_at"]


def test_lowering_it_further_does_not_bring_the_safe_moment_forward(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    first = facts(site, capsys, "prepare", NAME, "--ttl", "60")
    second = facts(site, capsys, "prepare", NAME, "--ttl", "5")
    assert second["old_ttl_s"] == 300
    assert second["safe_at"] == first["safe_at"]


def test_a_move_too_early_says_until_when_caches_may_be_wrong(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = facts(site, capsys, "prepare", NAME, "--ttl", "5")
    moved = facts(site, capsys, "move", NAME, "--to", NEW_4)
    assert moved["stale_until"] == prepared["safe_at"]
    assert ("5", "A", NEW_4) in site.primary.transferred(ZONE, NAME)


def test_after_the_move_the_old_ttl_is_given_back_and_forgotten(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netcont(site, "prepare", NAME) == 0
    assert netcont(site, "move", NAME, "--to", NEW_4) == 0
    assert f"netcont dns prepare {NAME} --ttl 300" in capsys.readouterr().out
    assert netcont(site, "prepare", NAME, "--ttl", "300") == 0
    assert ("300", "A", NEW_4) in site.primary.transferred(ZONE, NAME)
    assert Memory(state_dir()).recall(NAME) is None


def test_a_dry_run_changes_and_remembers_nothing(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netcont(site, "prepare", NAME, "--dry-run") == 0
    assert f"  update add {NAME} 5 A {OLD_4}" in capsys.readouterr().out
    assert site.primary.transferred(ZONE, NAME)[0][0] == "300"
    assert Memory(state_dir()).recall(NAME) is None


def test_nothing_is_changed_when_the_old_ttl_cannot_be_remembered(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert netcont(site, "prepare", NAME) == 2
    assert site.primary.transferred(ZONE, NAME)[0][0] == "300"


def test_a_memo_is_read_as_it_was_written(tmp_path: Path) -> None:
    memo = Memo(NAME, 300, 5, time.time())
    memory = Memory(tmp_path / "new")
    memory.keep(memo)
    assert memory.recall(NAME) == memo
    memory.forget(NAME)
    assert memory.recall(NAME) is None


def test_an_unfinished_move_is_remembered_beside_the_memo(tmp_path: Path) -> None:
    memory, move = Memory(tmp_path), Unfinished(NAME, (NEW_4,), (OLD_4, OLD_6))
    memory.begin(move)
    assert memory.unfinished(NAME) == move
    assert memory.recall(NAME) is None
    memory.finish(NAME)
    assert memory.unfinished(NAME) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"old_ttl_s": null}'])
def test_a_memo_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "www.example.org.json").write_text(content)
    assert Memory(tmp_path).recall(NAME) is None


def test_a_memo_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be remembered"):
        Memory(tmp_path / "file").keep(Memo(NAME, 300, 5, 0.0))
