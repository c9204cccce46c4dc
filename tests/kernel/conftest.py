"""A namespace to ask the kernel in."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from namespace_shell import inside

from netcont.deploy.here import may_change
from netcont.kernel.namespace import Namespace, create_namespace


@pytest.fixture
def node() -> Iterator[Namespace]:
    """One with nothing in it but a loopback that is up."""
    if not may_change():
        pytest.skip("makes network namespaces: needs root")
    pid = create_namespace()
    try:
        with Namespace("here", pid) as one:
            inside(one, "ip link set lo up")
            yield one
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
