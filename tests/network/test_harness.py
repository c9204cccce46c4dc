"""The lab in which the network tests run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.network


def test_these_tests_run_as_root_on_a_kernel_of_their_own() -> None:
    assert os.geteuid() == 0
    if "NETCONT_IN_LAB" in os.environ:
        assert Path("/proc/sys/kernel/hostname").read_text() == "netcont-lab\n"
