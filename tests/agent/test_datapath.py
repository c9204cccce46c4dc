"""Who uses which plans, and what becomes of them when a daemon is killed in between."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.agent.datapath import DataPath, Users
from netcont.agent.store import Store
from netcont.errors import KernelError
from netcont.kernel.interpreter import Interpreter
from netcont.kernel.namespace import Namespace, create_namespace
from netcont.model.plan import AddRoute, Plan, SetSysctl, SetUp

from .agents import here, store

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces")


def test_what_the_last_user_leaves_is_used_by_nobody() -> None:
    users = Users()
    assert users.uses(1, ["a", "b"]) == ()
    assert users.uses(2, ["b"]) == ()
    assert users.uses(1, ["c"]) == ("a",)
    assert users.uses(2, []) == ("b",)
    assert users.uses(2, []) == ()
    assert users.uses(1, []) == ("c",)


def test_a_key_that_stays_in_use_is_not_given_up() -> None:
    users = Users()
    users.uses(1, ["a"])
    assert users.uses(1, ["a", "a", "b"]) == ()
    assert users.uses(1, ["b"]) == ("a",)


@given(st.lists(st.tuples(st.integers(0, 3), st.frozensets(st.sampled_from("abc")))))
def test_keys_are_given_up_exactly_when_nobody_uses_them(
    steps: list[tuple[int, frozenset[str]]],
) -> None:
    users, model = Users(), dict[int, frozenset[str]]()
    for user, keys in steps:
        before = frozenset().union(*model.values())
        model[user] = keys
        after = frozenset().union(*model.values())
        assert users.uses(user, keys) == tuple(sorted(before - after))


def test_a_data_path_that_is_switched_off_never_speaks_to_the_kernel() -> None:
    opened = store()
    path = DataPath(here(), opened, enabled=False)
    plan = Plan((SetUp("nowhere", "no-such-link"),))
    path.ensure("key", plan)
    path.once(plan)
    path.drop("key")
    assert "key" not in path
    path.close()
    opened.close()


# ---- in a namespace of its own

SYSCTL = "net.ipv4.ip_forward"
NODE = "test"
FORWARD = Plan((SetSysctl(NODE, SYSCTL, "1"),))
UP = Plan((SetUp(NODE, "lo"),))


ROUTE = Plan((AddRoute(NODE, "10.9.9.9/32", link="lo", replace=True),))


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    pid = create_namespace()
    with Namespace(NODE, pid) as node:
        yield node
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def sysctl(node: Namespace) -> str:
    return node.read_sysctl(SYSCTL)


def has_route(path: DataPath) -> bool:
    found = path.kernel(lambda node: [one.get("dst") for one in node.route.get_routes(family=2)])
    return "10.9.9.9" in found


@needs_root
def test_a_plan_stands_until_it_is_dropped(namespace: Namespace, tmp_path: Path) -> None:
    opened = store(tmp_path / "state")
    path = DataPath(namespace, opened)
    path.ensure("up", UP)
    path.ensure("forward", FORWARD)
    assert sysctl(namespace) == "1"
    path.drop("forward")
    assert sysctl(namespace) == "0"
    assert opened.journalled() == ("up",)
    path.close()
    opened.close()


@needs_root
def test_every_thread_speaks_to_the_namespace_and_to_no_other(namespace: Namespace) -> None:
    def loopback_is_up(node: Namespace) -> bool:
        return bool(node.route.link("get", index=1)[0]["flags"] & 1)

    opened = store()
    first, second = DataPath(namespace, opened), DataPath(namespace, opened)
    assert not first.kernel(loopback_is_up)
    first.hand_over()
    assert not second.kernel(loopback_is_up)
    second.hand_over()
    assert not first.kernel(loopback_is_up)
    for path in (first, second):
        path.close()
    opened.close()


@needs_root
def test_a_plan_that_fails_in_the_middle_leaves_nothing(
    namespace: Namespace, tmp_path: Path
) -> None:
    opened = store(tmp_path / "state")
    path = DataPath(namespace, opened)
    with pytest.raises(KernelError, match="no-such-link"):
        path.ensure("key", FORWARD + Plan((SetUp(NODE, "no-such-link"),)))
    assert sysctl(namespace) == "0"
    assert "key" not in path
    assert opened.journalled() == ()
    path.close()
    opened.close()


def killed(path: Path) -> Store:
    """The file as the next daemon finds it."""
    copy = path.with_suffix(".copy")
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    copy.chmod(0o600)
    return store(copy)


@needs_root
def test_what_a_killed_daemon_had_applied_whole_is_taken_over_untouched(
    namespace: Namespace, tmp_path: Path
) -> None:
    opened = store(tmp_path / "state")
    path = DataPath(namespace, opened)
    path.ensure("up", UP)
    path.ensure("forward", FORWARD)
    path.hand_over()
    after = killed(tmp_path / "state")
    taken = DataPath(namespace, after)
    taken.take_over(["forward"])
    assert sysctl(namespace) == "1"
    assert "forward" in taken
    assert "up" not in taken
    taken.close()
    assert sysctl(namespace) == "0"
    after.close()
    opened.close()


@needs_root
def test_what_a_killed_daemon_had_applied_in_part_is_undone(
    namespace: Namespace, tmp_path: Path
) -> None:
    opened = store(tmp_path / "state")
    with Namespace(NODE, namespace.pid) as other:
        Interpreter({NODE: other}, opened.journal("forward (new)")).apply(FORWARD)
    assert sysctl(namespace) == "1"
    path = DataPath(namespace, opened)
    path.take_over(["forward"])
    assert sysctl(namespace) == "0"
    assert opened.journalled() == ()
    path.close()
    opened.close()


@needs_root
def test_a_route_whose_replacement_was_cut_short_is_set_again(
    namespace: Namespace, tmp_path: Path
) -> None:
    opened = store(tmp_path / "state")
    path = DataPath(namespace, opened)
    path.ensure("up", UP)
    path.ensure("route", ROUTE, replaces=True)
    # Killed after the kernel has the new route and before the file says so.
    journal = opened.journal("route (new)")
    path.kernel(lambda node: Interpreter({NODE: node}, journal).apply(ROUTE))
    path.hand_over()
    again = DataPath(namespace, opened)
    again.take_over(["up", "route"])
    again.ensure("route", ROUTE, replaces=True)
    assert has_route(again)
    again.drop("route")
    assert not has_route(again)
    again.close()
    opened.close()
