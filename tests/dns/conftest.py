"""The name servers that most tests of netcont.dns talk to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dns_go_between import relay
from dns_servers import (
    BETWEEN,
    KEY,
    LOOPBACK,
    PRIMARY,
    SECONDARY,
    Site,
    bind,
    configure,
    free_port,
    running,
)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "mover.key"
    path.touch(mode=0o600)
    path.write_text(f'key "{KEY.name}" {{ algorithm {KEY.algorithm}; secret "{KEY.secret}"; }};\n')
    return path


@pytest.fixture
def site(tmp_path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Two nameds, fresh for each test; what netcont remembers goes to the test's directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    port = free_port(PRIMARY, SECONDARY, BETWEEN)
    primary = bind(tmp_path / "primary")
    secondary = bind(tmp_path / "secondary", primary_port=primary.port)
    configure(primary, role="primary", peer=secondary.port)
    with (
        running(primary, secondary),
        relay((PRIMARY, port), (LOOPBACK, primary.port)),
        relay((SECONDARY, port), (LOOPBACK, secondary.port)),
    ):
        yield Site(primary, secondary, port, key_file)
