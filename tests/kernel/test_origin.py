"""What was changed in one kernel is not looked for in another."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from netcont.errors import PrerequisiteError
from netcont.kernel.namespace import Namespace, create_namespace
from netcont.kernel.origin import boot_of, kernel_origin


@pytest.fixture
def elsewhere() -> Iterator[Namespace]:
    """Another network namespace."""
    try:
        pid = create_namespace()
    except PrerequisiteError as error:
        pytest.skip(error.message)
    try:
        with Namespace("elsewhere", pid) as node:
            yield node
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_two_namespaces_of_one_boot_have_different_names(elsewhere: Namespace) -> None:
    here = kernel_origin()
    with elsewhere.entered():
        there = kernel_origin()
    assert there != here == kernel_origin()
    assert boot_of(there) == boot_of(here)


def test_the_name_is_fit_for_a_file_and_begins_with_the_boot() -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert boot_of(kernel_origin()) == boot
    assert not set(kernel_origin()) & set("/ \0\n")
