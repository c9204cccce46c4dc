"""The fixture netcont_compare, in sessions of pytest that are started here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from netcont.lab.cache import cache_dir

pytest_plugins = ["pytester"]

CACHE = cache_dir()
USER_TEST = """
    from netcont.model.outcome import Fate

    def test_ssh_survives(netcont_compare):
        outcome = netcont_compare("default", approaches=["ipip"], overrides=SMALL)
        run = outcome.run("ipip")
        assert run.client("tcp-echo@remote").fate == Fate.SURVIVED
        assert not run.broken

    def test_nothing_is_run_twice(netcont_compare):
        once = netcont_compare("default", approaches=["ipip"], overrides=SMALL)
        assert netcont_compare("default", ["ipip"], SMALL) is once

    SMALL = ("guest.memory_bytes=1MiB", "guest.working_set_bytes=64KiB", "client.0.count=1",
             "timing.observe_s=2", "timing.give_up_s=20")
"""


def test_the_fixture_is_there_without_any_import(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_subprocess("--fixtures")
    done.stdout.fnmatch_lines(["netcont_compare*"])


def test_tests_that_use_it_are_collected_without_a_lab(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(USER_TEST)
    done = pytester.runpytest_subprocess("--collect-only", "-q")
    done.stdout.fnmatch_lines(["*::test_ssh_survives", "*::test_nothing_is_run_twice"])


def test_a_wrong_scenario_fails_the_test_with_its_remedy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(netcont_compare):
            netcont_compare("defualt")
        """
    )
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*did you mean default?*"])


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    heavy = ("pydantic", "rich", "mininet", "pyroute2", "scapy", "netcont.lab", "netcont.model")
    program = (
        "import sys, netcont.pytest_plugin; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_a_real_comparison_is_made_once_and_asked_by_name(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytester changes HOME.
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE.parent))
    pytester.makepyfile(USER_TEST)
    done = pytester.runpytest_subprocess("--netcont-lab", "vm", "--netcont-jobs", "1")
    done.assert_outcomes(passed=2)
