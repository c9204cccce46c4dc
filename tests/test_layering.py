"""Imports run downward only: read from the syntax tree of every file, lazy imports included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

BASE = frozenset({"errors", "units"})
_VALUES = BASE | {"model"}
_LAB = _VALUES | {"measure", "mobileip", "approach", "kernel", "migration", "agent"}
_TOP = _LAB | {"deploy", "dns", "lab", "topologies", "scenarios", "report", "doctor"}

ALLOWED: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "units": frozenset({"errors"}),
    "model": BASE,
    "measure": _VALUES,
    "mobileip": _VALUES,
    "approach": _VALUES,
    "dns": _VALUES,
    "kernel": _VALUES | {"dns"},
    "agent": _VALUES | {"mobileip", "kernel"},
    "deploy": _VALUES | {"approach", "kernel", "agent"},
    "migration": _VALUES | {"approach", "kernel"},
    "lab": _LAB,
    # Made of the lab's nodes; the lab loads the one that a scenario names, by that name.
    "topologies": _VALUES | {"kernel", "lab"},
    "scenarios": _VALUES | {"approach"},
    "report": _VALUES | {"measure"},
    "bench": _VALUES | {"report", "measure"},
    "doctor": _LAB | {"lab", "topologies"},
    "pytest_plugin": _TOP,
    "cli": _TOP,
    "__main__": frozenset({"cli"}),
}
"""Each layer, bottom first, and the layers that it may import (itself always)."""

PURE = frozenset({"model", "measure", "mobileip", "approach"})
IMPURE_MODULES = frozenset({"socket", "subprocess", "time", "random", "asyncio", "os"})

WITHOUT_PYDANTIC = frozenset({"model", "measure", "mobileip", "approach", "kernel", "migration"})
"""What runs inside the lab, where importing pydantic costs seconds."""


def layer_of(module: str) -> str | None:
    """The layer of a dotted module name; None if it is not of this project (or has no content)."""
    first, _, rest = module.partition(".")
    if first == "topologies":
        return first
    return rest.partition(".")[0] or None if first == "netcont" else None


def imported(tree: ast.Module, package: str) -> Iterator[tuple[int, str]]:
    """Every module that a file may import, with its line; names imported from one as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join(filter(None, [*above, node.module])) if node.level else node.module
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def violations(module: str, source: str, *, package: str | None = None) -> list[str]:
    """What a module's source imports although its layer may not."""
    own = layer_of(module)
    if own is None:
        return []
    if own not in ALLOWED:
        return [f"{module}: {own!r} is no known layer: give it a place in ALLOWED"]
    found = []
    home = package if package is not None else module.rpartition(".")[0]
    for line, name in imported(ast.parse(source), home):
        layer = layer_of(name)
        top = name.partition(".")[0]
        # Names of the root package itself, such as __version__, are in everybody's reach.
        if layer is not None and layer not in ALLOWED[own] | {own, "__version__"}:
            found.append(f"{module}:{line}: {own} may not import {layer}")
        if own in PURE and top in IMPURE_MODULES:
            found.append(f"{module}:{line}: {own} is pure and may not import {top}")
        if own in WITHOUT_PYDANTIC and top == "pydantic":
            found.append(f"{module}:{line}: {own} runs in the lab and may not import pydantic")
    return found


def project_files() -> list[Path]:
    return sorted([*ROOT.glob("netcont/**/*.py"), *ROOT.glob("topologies/**/*.py")])


def module_name(path: Path) -> tuple[str, str]:
    """The dotted name of a file, and of the package that its relative imports start from."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    package = ".".join(parts[:-1])
    return (package if parts[-1] == "__init__" else ".".join(parts)), package


def test_every_import_of_the_project_runs_downward() -> None:
    found = []
    for path in project_files():
        name, package = module_name(path)
        found += violations(name, path.read_text(encoding="utf-8"), package=package)
    assert found == []


def test_the_files_of_every_kind_are_looked_at() -> None:
    names = {module_name(path)[0] for path in project_files()}
    assert {"netcont", "netcont.errors", "netcont.model", "netcont.model.scenario"} <= names


def test_the_table_of_layers_has_no_cycle() -> None:
    remaining = {layer: set(below) for layer, below in ALLOWED.items()}
    while remaining:
        bottom = {layer for layer, below in remaining.items() if not below & remaining.keys()}
        assert bottom, f"these import each other: {sorted(remaining)}"
        for layer in bottom:
            del remaining[layer]


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        pytest.param(
            "netcont.model.plan",
            "from netcont.lab.nodes import Node",
            "netcont.model.plan:1: model may not import lab",
            id="an import that runs upward",
        ),
        pytest.param(
            "netcont.approach.ddns",
            "import netcont.kernel.interpreter",
            "netcont.approach.ddns:1: approach may not import kernel",
            id="an import statement without from",
        ),
        pytest.param(
            "netcont.measure.gaps",
            "from netcont import report",
            "netcont.measure.gaps:1: measure may not import report",
            id="a layer imported from the root",
        ),
        pytest.param(
            "netcont.report.table",
            "from ..migration import engine",
            "netcont.report.table:1: report may not import migration",
            id="a relative import",
        ),
        pytest.param(
            "netcont.kernel.interpreter",
            "def apply():\n    from netcont.cli import main\n",
            "netcont.kernel.interpreter:2: kernel may not import cli",
            id="an import within a function",
        ),
        pytest.param(
            "netcont.measure.fates",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import netcont.approach\n",
            "netcont.measure.fates:3: measure may not import approach",
            id="an import for annotations only",
        ),
        pytest.param(
            "netcont.mobileip.home",
            "from time import monotonic",
            "netcont.mobileip.home:1: mobileip is pure and may not import time",
            id="a clock in a pure layer",
        ),
        pytest.param(
            "netcont.model.scenario",
            "import os.path",
            "netcont.model.scenario:1: model is pure and may not import os",
            id="a submodule of something impure",
        ),
        pytest.param(
            "netcont.migration.engine",
            "import pydantic",
            "netcont.migration.engine:1: migration runs in the lab and may not import pydantic",
            id="pydantic in the lab",
        ),
        pytest.param(
            "topologies.two_site",
            "from netcont.cli import options",
            "topologies.two_site:1: topologies may not import cli",
            id="a topology that reaches up",
        ),
        pytest.param(
            "netcont.helpers",
            "",
            "netcont.helpers: 'helpers' is no known layer: give it a place in ALLOWED",
            id="a new layer without a place",
        ),
    ],
)
def test_a_violation_is_found(module: str, source: str, complaint: str) -> None:
    assert violations(module, source) == [complaint]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("netcont.measure.gaps", "from netcont.model.samples import Arrival"),
        ("netcont.measure.gaps", "from .intervals import cut"),
        ("netcont.kernel.journal", "import os, time, socket"),
        ("netcont.cli.main", "from netcont import __version__"),
        ("netcont.cli.compare", "from netcont.scenarios import load_scenario"),
        ("netcont", "import netcont.cli"),
    ],
)
def test_what_is_allowed_is_not_found(module: str, source: str) -> None:
    assert violations(module, source) == []
