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


@pytest.fixture
def host6(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """The same with IPv6."""
    monkeypatch.setenv("NETCONT_STATE_DIR", str(tmp_path / "state"))
    with gateway(tmp_path / "state", ipv6=True) as one:
        yield one
