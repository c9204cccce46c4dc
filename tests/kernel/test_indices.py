"""Interface indices, judged by ip(8)."""

from __future__ import annotations

import errno
import json

import pytest
from namespace_shell import inside

from netcont.errors import KernelError
from netcont.kernel.indices import Indices
from netcont.kernel.namespace import Namespace


def test_a_link_is_found_by_its_name(node: Namespace) -> None:
    inside(node, "ip link add fifteen-letters type veth peer name x")
    with Indices(node) as indices:
        for each in json.loads(inside(node, "ip -j link")):
            assert indices(each["ifname"]) == each["ifindex"]


@pytest.mark.parametrize("name", ["gone", "sixteen-letters-", "ü" * 8, ""])
def test_a_link_that_is_not_there_is_named(node: Namespace, name: str) -> None:
    with Indices(node) as indices, pytest.raises(KernelError) as caught:
        indices(name)
    assert caught.value.errno == errno.ENODEV
    assert str(caught.value).startswith(f"here has no link {name!r}")


def test_a_link_that_comes_later_is_found(node: Namespace) -> None:
    with Indices(node) as indices:
        with pytest.raises(KernelError):
            indices("late")
        inside(node, "ip link add late type veth peer name x")
        assert indices("late") > 1
