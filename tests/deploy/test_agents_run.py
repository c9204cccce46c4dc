"""Agents that deployments start and stop, on two gateways; SIGKILL before every effect.

This kernel need not have ipip: the agents exchange their messages and leave it alone.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from netcont.agent.process import AgentProcess
from netcont.deploy.builder import Builder
from netcont.deploy.file import load_deployment
from netcont.deploy.half import Half
from netcont.deploy.here import Here
from netcont.errors import NetcontError
from netcont.kernel.namespace import create_namespace
from netcont.model.deployment import SideName
from netcont.model.plan import Plan, RunAgent

from .bench import Ended, Gateway, needs_root
from .effects import Effects
from .files import MOBILE

pytestmark = needs_root

A, B = SideName.A, SideName.B
GUEST = "10.1.0.10"


@dataclass(frozen=True)
class Quiet(Half):
    """Agents without tunnels."""

    def plan(self) -> Plan:
        return Plan(
            tuple(
                replace(each, tunnels="bridge", settings=f"forwards = false\n{each.settings}")
                if isinstance(each, RunAgent)
                else each
                for each in super().plan()
            )
        )


class World:
    """Both gateways, and the directory of their file."""

    def __init__(self, a: Gateway, b: Gateway, place: Path) -> None:
        self.hosts = {A: a, B: b}
        self.place = place

    def act(
        self,
        side: SideName,
        verb: str,
        *,
        switched: bool | None = None,
        at: int = 0,
    ) -> Ended:
        """One command of the engine, killed before an effect (0: never); it prints whether
        something was done, or the error."""
        host = self.hosts[side]
        half = Quiet(load_deployment(self.place / "web.toml"), side, "web", bool(switched))

        def inside() -> int:
            Effects(at, host.state).watch()
            with Here() as node:
                engine = Builder(node, host.state, 5, announcing_s=0)
                try:
                    if verb == "up":
                        print(engine.up(half, "web.toml", switched=switched))
                    elif verb == "down":
                        engine.down("web")
                    else:
                        print(engine.recover())
                except NetcontError as error:
                    print(error)
                    return 1
            return 0

        return host.run(inside)

    def right(self, side: SideName, verb: str, *, switched: bool | None = None) -> str:
        ended = self.act(side, verb, switched=switched)
        assert ended.status == 0, ended.said
        return ended.said

    def told(self, side: SideName) -> dict[str, object]:
        """What the side's agent says."""
        role = "home" if side is A else "foreign"
        ended = self.hosts[side].cli(
            "agent", "status", role, "--control", f"@netcont-web-{role}", "--format", "json"
        )
        assert ended.status == 0, ended.said
        found: dict[str, object] = json.loads(ended.said)
        return found

    def bound(self) -> list[str]:
        """Where the guest is bound, and whether only beside its home."""
        found = self.told(A)["bindings"]
        assert isinstance(found, list)
        ahead = "SIMULTANEOUS_BINDINGS"
        return [f"{one['care_of_address']}{' S' * (ahead in one['flags'])}" for one in found]

    def guest(self) -> dict[str, object]:
        found = self.told(B)["guests"]
        assert isinstance(found, list)
        (one,) = found
        assert isinstance(one, dict)
        return one

    def files(self, side: SideName) -> list[str]:
        return sorted(each.name for each in self.hosts[side].state.rglob("web*"))

    def processes(self, side: SideName) -> list[int]:
        """Of agents on this side."""
        own = Path(f"/proc/{self.hosts[side].pid}/ns/net").stat().st_ino
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                words = (each / "cmdline").read_bytes().split(b"\0")
                same = (each / "ns/net").stat().st_ino == own
            except OSError:
                continue  # it has ended
            if same and b"agent" in words:
                found.append(int(each.name))
        return found


def eventually(holds: Callable[[], bool], limit_s: float = 15.0) -> None:
    until_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.05)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for name in ("guest.key", "agents.key"):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(name.encode().hex() * 4)
    (tmp_path / "web.toml").write_text(MOBILE)
    with ExitStack() as after:
        hosts = []
        for number, name in enumerate("ab", start=1):
            pid = create_namespace()
            after.callback(os.waitpid, pid, 0)
            after.callback(os.kill, pid, 9)
            host = Gateway(pid, tmp_path / name)
            host.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1; ip link set lo up")
            host.sh("ip link add lan0 type veth peer name lan1; ip link set lan0 up")
            host.sh(f"ip addr add 10.{number}.0.1/24 dev lan0")
            hosts.append(host)
        a, b = hosts
        a.sh(f"ip link add wan0 type veth peer name wan0 netns {b.pid}; ip link set wan0 up")
        b.sh("ip link set wan0 up; ip addr add 192.0.2.2/24 dev wan0")
        a.sh("ip addr add 192.0.2.1/24 dev wan0")
        one = World(a, b, tmp_path)
        try:
            yield one
        finally:
            for side in (A, B):
                for process in one.processes(side):
                    os.kill(process, signal.SIGKILL)


def test_a_guest_is_prepared_registered_and_sent_home_and_nothing_is_left(world: World) -> None:
    for side in (B, A):  # first the side whose agent finds nobody yet
        assert world.right(side, "up", switched=False) == "True\n"
        assert world.right(side, "up") == "False\n"
    eventually(lambda: world.bound() == ["192.0.2.2 S"])
    for side in (A, B):
        world.right(side, "up", switched=True)
        assert world.right(side, "up", switched=True) == "False\n"
    assert world.bound() == ["192.0.2.2"]
    assert world.guest()["registered"]
    world.right(B, "up", switched=False)
    eventually(lambda: world.bound() == ["192.0.2.2 S"])
    world.right(B, "up", switched=True)
    world.right(B, "down")
    assert world.bound() == []
    world.right(A, "down")
    for side in (A, B):
        assert world.files(side) == []
        assert world.processes(side) == []


def test_status_says_where_guests_are(world: World) -> None:
    world.right(A, "up", switched=True)
    world.right(B, "up", switched=True)
    home, away = (world.hosts[side].cli("status") for side in (A, B))
    assert f"home agent: {GUEST} is at 192.0.2.2 (" in home.said
    assert f"foreign agent: {GUEST} is registered here" in away.said
    assert "2 of 2 objects present" in away.said
    (shown,) = json.loads(world.hosts[B].cli("status", "--format", "json").said)["deployments"]
    assert shown["agents"][0]["told"]["guests"][0]["asked"] == "here"


def test_an_agent_that_was_killed_is_missing_and_put_back_with_what_it_knew(world: World) -> None:
    world.right(A, "up", switched=True)
    world.right(B, "up", switched=True)
    for side in (A, B):
        (process,) = world.processes(side)
        os.kill(process, signal.SIGKILL)
        eventually(lambda side=side: world.processes(side) == [])
        ended = world.hosts[side].cli("status")
        assert ended.status == 1
        assert "missing" in ended.said
        assert world.right(side, "up") == "True\n"
    assert world.bound() == ["192.0.2.2"]
    assert world.guest()["registered"]
    world.right(B, "up", switched=True)


def test_an_agent_that_is_stopped_is_said_so_and_ended_all_the_same(world: World) -> None:
    world.right(A, "up", switched=False)
    (process,) = world.processes(A)
    os.kill(process, signal.SIGSTOP)
    ended = world.hosts[A].cli("status")
    assert ended.status == 1
    assert "# is: no agent answers on @netcont-web-home: timed out" in ended.said
    os.kill(process, signal.SIGCONT)
    world.right(A, "down")
    assert world.processes(A) == []


def test_a_switch_that_the_home_agent_does_not_grant_is_taken_back(world: World) -> None:
    world.right(B, "up", switched=False)
    (world.place / "guest.key").write_text("ff" * 32)
    world.right(A, "up", switched=False)
    ended = world.act(B, "up", switched=True)
    assert ended.status == 1
    assert "refused with code 131" in ended.said
    assert world.guest()["asked"] == "ahead"
    assert world.bound() == []
    status = world.hosts[B].cli("status")
    assert "guests switched" not in status.said


REFUSED = {
    "no key": (lambda world: (world.place / "guest.key").unlink(), "openssl rand"),
    "an open key": (lambda world: (world.place / "guest.key").chmod(0o640), "mode 0640"),
    "a short key": (lambda world: (world.place / "agents.key").write_text("00"), "16 random bytes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_agent_would_refuse_is_known_before_anything_changes(
    world: World, case: str
) -> None:
    spoil, said = REFUSED[case]
    spoil(world)
    for side in (A, B):
        ended = world.act(side, "up", switched=False)
        assert ended.status == 1
        assert said in ended.said
        assert world.files(side) == []
        assert world.processes(side) == []


def test_an_agent_that_cannot_start_leaves_nothing(world: World) -> None:
    (world.place / "other.toml").write_text(MOBILE)
    world.right(A, "up", switched=False)
    half = Quiet(load_deployment(world.place / "other.toml"), A, "other")

    def inside() -> int:
        with Here() as node:
            try:
                Builder(node, world.hosts[A].state, 5).up(half, "other.toml")
            except NetcontError as error:
                print(error)
                return 1
        return 0

    ended = world.hosts[A].run(inside)
    assert ended.status == 1
    assert "the home agent did not start: netcont: error: cannot listen on 192.0.2.1" in ended.said
    assert not list(world.hosts[A].state.rglob("other*"))
    assert len(world.processes(A)) == 1


def test_other_settings_start_the_agent_anew(world: World) -> None:
    world.right(A, "up", switched=True)
    world.right(B, "up", switched=True)
    before = world.processes(B)
    (world.place / "web.toml").write_text(
        MOBILE.replace("spi = 1000", "spi = 1000\nlifetime_s = 60")
    )
    assert world.right(B, "up") == "True\n"
    assert world.processes(B) != before
    assert world.guest()["registered"]
    found = world.told(A)["bindings"]
    assert isinstance(found, list)
    assert [one["lifetime_s"] for one in found] == [60]


def state_of(world: World) -> tuple[object, ...]:
    """Of side B: who runs, what is asked, what is left of agents."""
    if not world.processes(B):
        return ("no agent", [name for name in world.files(B) if "foreign" in name])
    return (len(world.processes(B)), world.guest()["asked"])


@pytest.mark.parametrize("switched", [False, True])
def test_up_killed_anywhere_is_taken_back_or_stands(world: World, switched: bool) -> None:
    world.right(A, "up", switched=False)
    if switched:
        world.right(B, "up", switched=False)
    before = state_of(world)
    world.right(B, "up", switched=switched)
    after = state_of(world)
    assert before != after
    at, stood = 0, 0
    while True:
        world.right(B, *(("up",) if switched else ("down",)), switched=False)
        assert state_of(world) == before
        at += 1
        killed = world.act(B, "up", switched=switched, at=at).status != 0
        world.right(B, "recover")
        found = state_of(world)
        assert found in (before, after), at
        stood += found == after
        if not killed:
            break
    assert at > 4
    assert stood == 1


def test_down_killed_anywhere_is_completed_or_never_began(world: World) -> None:
    world.right(A, "up", switched=False)
    at = 0
    while True:
        world.right(B, "up", switched=True)
        after = state_of(world)
        at += 1
        killed = world.act(B, "down", at=at).status != 0
        world.right(B, "recover")
        assert state_of(world) in (after, ("no agent", [])), at
        if not killed:
            break
    assert at > 4


def test_whoever_dies_while_an_agent_starts_leaves_one_that_can_be_stopped(world: World) -> None:
    """The starter is killed at every moment that can be told apart."""
    half = Quiet(load_deployment(world.place / "web.toml"), A, "web", directory=str(world.place))
    (change,) = half.plan()
    assert isinstance(change, RunAgent)
    process = AgentProcess(change.stem)
    for moment_s in (0.0, 0.01, 0.05, 0.2, 0.5, 1.0):

        def start(moment_s: float = moment_s) -> None:
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            signal.setitimer(signal.ITIMER_REAL, moment_s + 0.001)
            process.start(change)
            os.kill(os.getpid(), signal.SIGKILL)

        world.hosts[A].run(start)

        def stop() -> None:
            process.stop(change.undo())

        ended = world.hosts[A].run(stop)
        assert ended.status == 0, ended.said
        assert world.processes(A) == []
        assert not list(world.place.glob("web.home*"))
