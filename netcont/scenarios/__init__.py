"""Scenario files: found, read, checked, described.

load_scenario() is what everything else needs. The built-in scenarios are the TOML files beside
this module.
"""

from __future__ import annotations

from netcont.scenarios.builtin import builtin_names, builtin_text
from netcont.scenarios.load import check_mapping, load_scenario, scenario_text
from netcont.scenarios.problems import Problem, ScenarioError
from netcont.scenarios.schema import scenario_schema

__all__ = [
    "Problem",
    "ScenarioError",
    "builtin_names",
    "builtin_text",
    "check_mapping",
    "load_scenario",
    "scenario_schema",
    "scenario_text",
]
