"""A gateway for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .bench import Gateway, gateway


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A gateway with foreign links, routes and rules."""
    monkeypatch.setenv("NETCONT_STATE_DIR", str(tmp_path / "state"))
    with gateway(tmp_path / "state") as one:
        yield one
