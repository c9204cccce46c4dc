"""The files for /etc that come along: as the page quotes them, and as their programs read them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from network.guide import Guide, Typed

from netcont.deploy.managers import SAMPLES

ETC = Path("/etc")
NETCONT = "/usr/local/bin/netcont"


@pytest.fixture(scope="module")
def guide() -> Guide:
    return Guide.read()


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not in PATH")


def commands(guide: Guide) -> list[Typed]:
    headings = ("Settings", "The file", "1.", "2.", "3.")
    return [step for each in headings for block in guide.steps(each) for step in block]


def test_the_page_quotes_all_files_and_nothing_else(guide: Guide) -> None:
    shipped = {
        str(ETC / path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*") if path.is_file()
    }
    assert set(guide.quoted()) == shipped | {"/etc/netcont/web.toml"}
    for path in shipped:
        assert guide.quoted()[path] == (SAMPLES / path.removeprefix("/etc/")).read_text(), path


def test_whoever_sudo_lets_can_type_all_that_the_page_does(guide: Guide) -> None:
    text = (SAMPLES / "sudoers.d/netcont").read_text().replace("\\\n", "")
    (aliased,) = re.findall(r"^Cmnd_Alias NETCONT = (.*)$", text, re.M)
    rules = [each.strip().removeprefix(f"{NETCONT} ") for each in aliased.split(", ")]
    needing_root = [
        step.command.removeprefix("netcont ")
        for step in commands(guide)
        if re.match("netcont (up|confirm|down|announce)", step.command)
    ]
    assert len(needing_root) > 10
    for command in needing_root:
        assert any(re.search(rule, command) for rule in rules), command
    for command in (
        "up /etc/netcont/../../home/me/web.toml --side a",
        "up /etc/netcont/web.toml --side a --state-dir /tmp",
        "down web --state-dir /tmp",
        "announce 10.1.0.1 --dev eth1 --mac 02:00:00:00:00:01",
        "recover web",
        "lab shell",
    ):
        matching = [rule for rule in rules if rule.startswith("^") and re.search(rule, command)]
        assert matching == [] and command not in rules, command


@needs("visudo")
def test_visudo_takes_the_sudoers_file() -> None:
    words = ["visudo", "-cf", str(SAMPLES / "sudoers.d/netcont")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs("systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = (SAMPLES / "systemd/system/netcont@.service").read_text()
    # A program that is there: that it can be executed is looked at as well.
    (tmp_path / "netcont@web.service").write_text(unit.replace(NETCONT, sys.executable))
    words = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "netcont@web.service")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "netcont" not in done.stderr, done.stderr
    (tmp_path / "netcont@web.service").write_text(unit.replace("Type=", "Typo="))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "Typo" in done.stderr
