"""netcont compare as a user starts it: what is refused before anything starts, with which code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def netcont(
    *arguments: str, environment: Mapping[str, str] | None = None, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; before: Python that runs first."""
    program = f"import sys\n{before}\nfrom netcont.cli.main import main\nsys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_wrong_scenario_ends_with_2_and_names_file_and_key(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[network.a_b]\ndelay_s = "50 m"\n')
    done = netcont("compare", str(file), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert f"{file}: network.a_b.delay_s" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_an_unknown_approach_ends_with_2_and_the_nearest(tmp_path: Path) -> None:
    done = netcont("compare", "--approach", "ipipp", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "ipipp" in done.stderr
    assert "did you mean 'ipip'?" in done.stderr
    assert not (tmp_path / "out").exists()


def test_missing_lab_files_end_with_5_and_the_remedy(tmp_path: Path) -> None:
    done = netcont(
        *("compare", "--lab", "vm", "--out", str(tmp_path / "out")),
        environment={"XDG_CACHE_HOME": str(tmp_path)},
    )
    assert done.returncode == 5
    assert str(tmp_path) in done.stderr
    assert "remedy: run scripts/setup" in done.stderr
    assert not (tmp_path / "out").exists()


def test_missing_qemu_ends_with_5_and_its_package(tmp_path: Path) -> None:
    done = netcont(
        *("compare", "--lab", "vm", "--out", str(tmp_path / "out")),
        environment={"PATH": str(tmp_path)},
    )
    assert done.returncode == 5
    assert "qemu-system-x86_64 is missing" in done.stderr
    assert "apt-get install" in done.stderr


def test_a_lab_on_this_host_without_root_ends_with_5(tmp_path: Path) -> None:
    done = netcont(
        *("compare", "--lab", "host", "--out", str(tmp_path / "out")),
        before="import os; os.geteuid = lambda: 1000",
    )
    assert done.returncode == 5
    assert "needs root" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_out_that_cannot_be_made_ends_with_2(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    # As root, --lab host: the lab itself is there, whatever is on this machine.
    done = netcont(
        *("compare", "--lab", "host", "--out", str(taken / "out")),
        before="import os; os.geteuid = lambda: 0",
    )
    assert done.returncode == 2
    assert "cannot make" in done.stderr
    assert "choose another --out" in done.stderr


def test_what_ipv6_leaves_out_is_said_where_nobody_chose(tmp_path: Path) -> None:
    missing = {"XDG_CACHE_HOME": str(tmp_path)}
    compare = ("compare", "--lab", "vm", "--set", "network.family=6", "--out", str(tmp_path))
    done = netcont(*compare, environment=missing)
    assert "netcont: left out: mobileip, mobileip-plain, mobileip-colocated" in done.stderr
    chosen = netcont(*compare, "--approach", "gre", environment=missing)
    assert (done.returncode, chosen.returncode) == (5, 5)
    assert "left out" not in chosen.stderr


def test_mobile_ip_over_ipv6_is_refused_by_name(tmp_path: Path) -> None:
    done = netcont("compare", "--set", "network.family=6", "--approach", "mobileip")
    assert done.returncode == 2
    assert "'mobileip' is Mobile IP for IPv4 (RFC 5944), but network.family is 6" in done.stderr


@pytest.mark.parametrize(
    "extra", [["default"], ["--seed", "4"], ["--approach", "ipip"], ["--out", "x"]]
)
def test_resuming_takes_what_is_run_from_the_earlier_comparison(
    extra: list[str], tmp_path: Path
) -> None:
    done = netcont("compare", "--resume", str(tmp_path), *extra)
    assert done.returncode == 2
    assert "earlier comparison" in done.stderr


def test_resuming_what_is_no_results_directory_ends_with_2(tmp_path: Path) -> None:
    done = netcont("compare", "--resume", str(tmp_path))
    assert done.returncode == 2
    assert f"there is no {tmp_path / 'outcome.json'}" in done.stderr
