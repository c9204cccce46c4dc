"""Network scenarios in your own tests: the fixture ``netcont_compare`` (see docs/pytest.md).

Loaded by every pytest of an environment that has netcont, so nothing is imported until it is
asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from netcont.model.outcome import Outcome

    Key = tuple[str, tuple[str, ...], tuple[str, ...], int | None, int]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin."""
    group = parser.getgroup("netcont")
    group.addoption(
        "--netcont-lab",
        choices=("auto", "vm", "host"),
        default="auto",
        help="where the fixture netcont_compare runs its labs (default: auto)",
    )
    group.addoption(
        "--netcont-jobs",
        type=int,
        default=None,
        help="labs that run side by side (default: as many as there are CPUs)",
    )


class Comparisons:
    """Makes comparisons, each only once."""

    def __init__(self, lab: str, jobs: int | None, directory: Callable[[str], Path]) -> None:
        self._lab = lab
        self._jobs = jobs
        self._directory = directory
        self._made: dict[Key, Outcome] = {}

    def __call__(
        self,
        scenario: str | Path = "default",
        approaches: Sequence[str] = (),
        overrides: Sequence[str] = (),
        *,
        seed: int | None = None,
        repeat: int = 1,
    ) -> Outcome:
        """The outcome of a scenario (a built-in name or a file); arguments as for netcont compare.

        The same arguments give the same outcome, without another run. A run that could not be
        made is in it as failed. Raises netcont.errors.NetcontError if the scenario is wrong, or if
        no lab can run here.
        """
        key = (str(scenario), tuple(approaches), tuple(overrides), seed, repeat)
        if key not in self._made:
            self._made[key] = self._make(*key)
        return self._made[key]

    def _make(
        self,
        scenario: str,
        approaches: tuple[str, ...],
        overrides: tuple[str, ...],
        seed: int | None,
        repeat: int,
    ) -> Outcome:
        from netcont.lab.comparison import run_comparison
        from netcont.lab.places import choose
        from netcont.report.directory import save
        from netcont.scenarios import load_scenario

        chosen = load_scenario(scenario, overrides, approaches=approaches)
        first = chosen.seed if seed is None else seed
        runs = tuple((name, first + n) for n in range(repeat) for name in chosen.approaches)
        place = choose(self._lab, None, self._jobs, len(runs))
        directory = self._directory(f"netcont-{chosen.name}-")
        outcome = run_comparison(place.plan(chosen, runs, directory, False), _Saver(directory))
        save(directory, outcome)
        print(f"netcont: results in {directory}")
        return outcome


class _Saver:
    """Keeps every run as it comes: an interrupted session loses none."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def started(self, approach: str, seed: int) -> None:
        """Nothing to do."""

    def finished(self, single: Outcome, wall_s: float) -> None:
        """Writes the run's JSON."""
        from netcont.report.directory import save_run

        save_run(self._directory, single)


@pytest.fixture(scope="session")
def netcont_compare(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Comparisons:
    """Moves a server under one approach after the other, and tells what became of its clients:
    ``netcont_compare("default", approaches=["ipip"]).run("ipip").client("tcp-echo@at-a").fate``.
    """
    return Comparisons(
        request.config.getoption("--netcont-lab"),
        request.config.getoption("--netcont-jobs"),
        tmp_path_factory.mktemp,
    )
