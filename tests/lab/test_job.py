"""What a lab is told, as bytes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from netcont.lab.job import RunJob
from netcont.model.scenario import Scenario


def job(approach: str) -> RunJob:
    scenario = replace(Scenario(), name="", approaches=(approach,))
    return RunJob(scenario=scenario, approach=approach, seed=1)


@pytest.mark.parametrize("approach", ["vlan", "vxlan", "gre", "ddns+ipip"])
def test_equal_jobs_are_equal_bytes_whoever_chose_the_approach(
    approach: str, tmp_path: Path
) -> None:
    one, other = sys.intern(approach), "".join(approach)
    assert one is not other
    # The names of the scenario's tables, some of which are approaches too, are such texts.
    written = [job(each).write(tmp_path).read_bytes() for each in (one, other)]
    assert written[0] == written[1]
    assert RunJob.read(tmp_path / "job.pickle") == job(approach)
