"""What network tests share, in the lab: files in memory, modules, a place for scratch."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from netcont.lab import nodes
from netcont.lab.comparison import MODULES
from netcont.lab.worker import settle_in
from netcont.model.scenario import Scenario

from .boots import IN_LAB, RESIDENT_FILE
from .leftovers import belongings


@pytest.fixture(scope="session")
def lab() -> Path:
    """A lab that is ready to measure; the directory for what it leaves behind (a tmpfs)."""
    resident = ()
    if IN_LAB in os.environ:
        resident = pickle.loads((Path(os.environ[IN_LAB]) / RESIDENT_FILE).read_bytes())
    scratch = Path("/run/netcont") / str(os.getpid())
    settle_in(Scenario(), resident, MODULES, scratch)
    nodes._root()  # netcont keeps this socket: it is none that a run leaves behind
    return scratch


@pytest.fixture
def nothing_is_left(lab: Path) -> Iterator[None]:
    """Processes, descriptors, namespaces, mounts, groups, files, links: all as before the test."""
    before = belongings(lab)
    yield
    after = belongings(lab)
    assert {key: (was, after[key]) for key, was in before.items() if after[key] != was} == {}
