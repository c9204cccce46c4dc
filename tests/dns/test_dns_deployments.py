"""Names that move with deployments: up, down, status and plan against real nameds, killed anywhere.

The gateway is a network namespace; the name servers run in it, on addresses of its loopback.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from deploy.bench import AT_B, Ended, Gateway, difference, gateway, needs_root
from deploy.effects import Effects, kill
from deploy.files import ROUTED
from dns_servers import (
    KEY,
    LOOPBACK,
    NAME,
    NEW_4,
    NEW_6,
    OLD_4,
    OLD_6,
    PRIMARY,
    SECONDARY,
    ZONE,
    NameServer,
    bind,
    environment,
)

from netcont.deploy.builder import Builder
from netcont.deploy.file import load_deployment
from netcont.deploy.half import Half
from netcont.deploy.here import Here
from netcont.errors import NetcontError
from netcont.kernel.namespace import Namespace
from netcont.model.deployment import SideName

pytestmark = needs_root

TABLE = f"""
[dns]
name = "{NAME}"
from = "a"
addresses = {{ a = ["{OLD_4}", "{OLD_6}"], b = ["{NEW_4}", "{NEW_6}"] }}
key_file = "mover.key"
resolver = "{PRIMARY}"
ttl_s = 5
"""
HOME = [("300", "A", OLD_4), ("300", "AAAA", OLD_6)]
AWAY = [("5", "A", NEW_4), ("5", "AAAA", NEW_6)]
UP = ("up", "web.toml", "--side", "b")


@dataclass
class World:
    """Gateway B, its name servers, and the directory of its file."""

    host: Gateway
    node: Namespace
    primary: NameServer
    secondary: NameServer
    place: Path

    def records(self) -> list[tuple[str, str, str]]:
        with self.node.entered():
            return self.primary.transferred(ZONE, NAME)

    def pointers(self) -> list[list[str]]:
        with self.node.entered():
            return [self.primary.dig("-x", each, "+short") for each in (OLD_4, OLD_6, NEW_4, NEW_6)]

    def dig(self, server: NameServer, *question: str) -> list[str]:
        with self.node.entered():
            return server.dig(*question)

    def start(self, server: NameServer) -> None:
        with self.node.entered():
            server.start()

    def cli(self, *words: str) -> Ended:
        os.chdir(self.place)
        return self.host.cli(*words)

    def right(self, *words: str) -> str:
        ended = self.cli(*words)
        assert ended.status == 0, ended.said
        return ended.said

    def nsupdate(self, *lines: str) -> None:
        """Somebody else changes the zone."""
        told = "\n".join((f"server {PRIMARY}", *lines, "send")) + "\n"
        key = f"{KEY.algorithm}:{KEY.name}:{KEY.secret}"
        with self.node.entered():
            subprocess.run(
                ["nsupdate", "-y", key], env=environment(), input=told, text=True, check=True
            )

    def half(self, *, switched: bool) -> Half:
        found = load_deployment(self.place / "web.toml")
        return Half(found, SideName.B, "web", switched=switched)

    def act(
        self, verb: str, at: int | None = 0, do: Callable[[], None] = kill, *, switched: bool = True
    ) -> Ended:
        """One command of the engine, killed before an effect (0: never; None: each)."""

        def inside() -> int:
            Effects(at, self.host.state, do).watch()
            with Here() as node:
                engine = Builder(node, self.host.state, 5, announcing_s=0)
                try:
                    if verb == "up":
                        engine.up(self.half(switched=switched), "web.toml", switched=switched)
                    elif verb == "down":
                        engine.down("web", names=not switched)
                    else:
                        engine.recover()
                except NetcontError as error:
                    print(error)
                    return 1
            return 0

        return self.host.run(inside)


def listening(server: NameServer, address: str, other: str) -> NameServer:
    """The same at an address of its own, port 53, and with the other named at the other one."""
    file = server.log.parent / "named.conf"
    text = file.read_text().replace(f"port {server.port} {{ {LOOPBACK}; }}", f"{{ {address}; }}")
    text = text.replace(f"{LOOPBACK} port", f"{other} port")
    text = text.replace(f"{{ {LOOPBACK}; }}", f"{{ {other}; }}")
    # It says so from 127.0.0.1.
    text = text.replace("notify-delay 0;", "notify-delay 0; allow-notify { any; };")
    file.write_text(text)
    server.address, server.port = address, 53
    return server


@pytest.fixture
def world(tmp_path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETCONT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "memory"))
    (tmp_path / "web.toml").write_text(ROUTED + TABLE)
    with gateway(tmp_path / "state") as host, Namespace("b", host.pid) as node:
        host.sh(AT_B)
        host.sh(f"ip addr add {PRIMARY}/8 dev lo; ip addr add {SECONDARY}/8 dev lo")
        primary, secondary = bind(tmp_path / "primary"), bind(tmp_path / "two", primary_port=53)
        conf = primary.log.parent / "named.conf"
        conf.write_text(conf.read_text().replace("notify no", "notify explicit"))
        told = f"also-notify {{ {SECONDARY}; }}"
        conf.write_text(conf.read_text().replace("also-notify {  }", told))
        listening(primary, PRIMARY, SECONDARY)
        listening(secondary, SECONDARY, PRIMARY)
        one = World(host, node, primary, secondary, tmp_path)
        try:
            one.start(primary)
            one.start(secondary)
            yield one
        finally:
            primary.kill()
            secondary.kill()


def test_a_name_moves_with_the_switch_and_back_and_not_without_one(world: World) -> None:
    world.right(*UP)
    assert world.records() == HOME
    assert "web: up as side b, guests switched" in world.right(*UP, "--switch")
    assert world.records() == AWAY
    assert world.dig(world.secondary, NAME, "A", "+short") == [NEW_4]
    assert "was up already" in world.right(*UP, "--switch")
    world.nsupdate(f"update delete {NAME} A", f"update add {NAME} 5 A {OLD_4}")
    world.nsupdate(f"update delete {NAME} AAAA", f"update add {NAME} 5 AAAA {OLD_6}")
    assert "was up already" in world.right(*UP)
    assert world.records() == [("5", "A", OLD_4), ("5", "AAAA", OLD_6)]
    assert "web: up as side b" in world.right(*UP, "--switch")
    assert world.records() == AWAY
    world.right(*UP, "--no-switch")
    assert world.records() == HOME


def test_pointers_go_with_it_if_there_were_any(world: World) -> None:
    assert world.pointers() == [[NAME], [NAME], [], []]
    world.right(*UP, "--switch")
    assert world.pointers() == [[], [], [NAME], [NAME]]
    world.right(*UP, "--no-switch")
    assert world.pointers() == [[NAME], [NAME], [], []]


def test_only_pointers_that_were_there_come_back(world: World) -> None:
    pointer = "0.1." + "0." * 18 + "a.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    world.nsupdate(f"update delete {pointer} PTR")
    before = world.pointers()
    assert before == [[NAME], [], [], []]
    world.right(*UP, "--switch")
    assert world.pointers() == [[], [], [NAME], [NAME]]
    world.right(*UP, "--no-switch")
    assert world.pointers() == before


def test_the_other_side_leaves_the_name_alone(world: World) -> None:
    text = (ROUTED + TABLE).replace("[dns]", '[dns]\nby = "a"')
    (world.place / "web.toml").write_text(text)
    world.right(*UP, "--switch")
    assert world.records() == HOME


def test_down_leaves_the_name_and_says_so_unless_guests_came_home(world: World) -> None:
    before = world.host.snapshot()
    world.right(*UP, "--switch")
    assert f"{NAME} stays at {NEW_4} {NEW_6}" in world.right("down", "web")
    assert world.records() == AWAY
    assert difference(before, world.host.snapshot()) == []
    world.right(*UP, "--switch")
    assert "stays" not in world.right("down", "web", "--no-switch")
    assert world.records() == [("5", "A", OLD_4), ("5", "AAAA", OLD_6)]
    assert difference(before, world.host.snapshot()) == []


def test_the_plan_is_nsupdate_lines_that_do_the_same_and_show_no_secret(world: World) -> None:
    said = world.right("plan", *UP[1:], "--switch")
    (line,) = [one[2:] for one in said.splitlines() if one.startswith("+ printf")]
    forward, *pointers = line.partition("    # is: ")[0].split("; printf")
    assert len(pointers) == 4
    assert world.records() == HOME
    assert KEY.secret not in said
    with world.node.entered():
        for each in (forward, *(f"printf{one}" for one in pointers)):
            direct = each.replace("printf '%s\\n'", f"printf '%s\\n' 'server {PRIMARY}'")
            subprocess.run(["sh", "-ec", direct], env=environment(), check=True)
    assert world.records() == AWAY
    assert world.pointers() == [[], [], [NAME], [NAME]]
    assert "= printf" in world.right("plan", *UP[1:], "--switch")
    assert "printf" not in world.right("plan", *UP[1:])


def test_secrets_are_neither_in_the_record_nor_in_what_is_printed(world: World) -> None:
    said = world.right(*UP, "--switch") + world.right("status", "-v")
    said += world.right("status", "--format", "json")
    kept = [path.read_bytes() for path in world.host.state.rglob("*") if path.is_file()]
    assert any(b"mover.key" in each for each in kept)
    assert not any(KEY.secret.encode() in each for each in kept)
    assert KEY.secret not in said


def test_status_says_what_the_servers_have(world: World) -> None:
    world.right(*UP, "--switch")
    assert "present  printf" in world.right("status", "-v")
    world.secondary.kill()
    lagging = world.cli("status")
    assert lagging.status == 1
    assert f"ns2.example.org. ({SECONDARY}): the question for {NAME} A failed" in lagging.said
    world.nsupdate(f"update delete {NAME} A", f"update add {NAME} 5 A 203.0.113.9")
    elsewhere = world.cli("status")
    assert elsewhere.status == 1
    assert f"# is: 203.0.113.9 {NEW_6}" in elsewhere.said
    world.primary.kill()
    silent = world.cli("status", "--format", "json")
    assert silent.status == 1
    (shown,) = json.loads(silent.said)["deployments"]
    (unknown,) = [each for each in shown["objects"] if each["state"] != "present"]
    assert unknown["state"] == "unknown"
    assert f"{PRIMARY}: the resolver's question" in unknown["found"]


REFUSED: dict[str, tuple[Callable[[World], object], str]] = {
    "no server": (lambda world: world.primary.kill(), "could not be asked about"),
    "a key that others can read": (
        lambda world: (world.place / "mover.key").chmod(0o644),
        "mode 0644",
    ),
    "no key": (lambda world: (world.place / "mover.key").unlink(), "cannot be read"),
    "a wrong secret": (
        lambda world: (world.place / "mover.key").write_text(f"{KEY.name}:d3Jvbmc="),
        "BADSIG",
    ),
    "another key": (
        lambda world: (world.place / "mover.key").write_text(f"other:{KEY.secret}"),
        "BADKEY",
    ),
    "somebody else's move": (
        lambda world: world.nsupdate(f"update add {NAME} 300 A 203.0.113.9"),
        "somebody else moved it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_servers_would_refuse_is_known_before_anything_changes(
    world: World, case: str
) -> None:
    spoil, said = REFUSED[case]
    spoil(world)
    before = world.host.snapshot()
    for command in (("plan", *UP[1:]), UP):
        ended = world.cli(*command, "--switch")
        assert ended.status == 2, ended.said
        assert said in ended.said
        assert "--no-names" in ended.said
    assert world.host.snapshot() == before
    assert not list(world.host.state.rglob("*.json"))
    assert "web: up as side b, guests switched" in world.right(*UP, "--switch", "--no-names")


def test_a_name_that_was_left_behind_follows_when_its_servers_are_back(world: World) -> None:
    world.primary.kill()
    world.right(*UP, "--switch", "--no-names")
    world.start(world.primary)
    world.right(*UP)
    assert world.records() == HOME
    world.right(*UP, "--switch")
    assert world.records() == AWAY


def test_a_server_that_fails_after_all_takes_the_kernels_changes_back(world: World) -> None:
    before = world.host.snapshot()

    world.primary.process, server = None, world.primary.process
    assert server is not None

    def disturb() -> None:
        if "vxlan id 101" in world.host.sh("ip -d link"):
            os.kill(server.pid, signal.SIGKILL)

    ended = world.act("up", None, disturb)
    server.wait()
    assert ended.status == 1
    assert "could not be asked about" in ended.said or "UNREACHABLE" in ended.said
    assert "going back failed" in ended.said
    assert difference(before, world.host.snapshot()) == []
    world.start(world.primary)
    assert world.act("recover").status == 0
    assert world.records() == HOME
    assert not list(world.host.state.rglob("*.json"))


def test_what_is_not_confirmed_is_taken_back_with_its_name_and_ttl(world: World) -> None:
    before = world.host.snapshot()
    world.right(*UP, "--switch", "--confirm-within", "600")
    assert world.records() == AWAY

    def revert() -> None:
        with Here() as node:
            engine = Builder(node, world.host.state)
            record = engine.records.read("web")
            assert record is not None
            assert record.confirmation is not None
            assert engine.revert("web", record.confirmation.token)

    assert world.host.run(revert).status == 0
    assert world.records() == HOME
    assert difference(before, world.host.snapshot()) == []


def test_a_newer_move_by_somebody_else_is_not_undone(world: World) -> None:
    world.right(*UP, "--switch")
    world.nsupdate(f"update delete {NAME} A", f"update add {NAME} 60 A 203.0.113.9")
    after = world.records()
    world.right(*UP)
    world.right(*UP, "--no-switch")
    assert world.records() == after
    assert world.cli(*UP, "--switch").status == 2
    assert world.records() == after


def state_of(world: World) -> tuple[list[str], object, object]:
    return world.host.snapshot(), world.records(), world.pointers()


@pytest.mark.parametrize("switched", [True, False])
def test_a_switch_killed_anywhere_is_taken_back_whole_or_stands_whole(
    world: World, switched: bool
) -> None:
    world.act("up", switched=False)
    if not switched:
        world.act("up", switched=True)
    before = state_of(world)
    world.act("up", switched=switched)
    after = state_of(world)
    assert before[1:] != after[1:]
    world.act("up", switched=not switched)
    assert state_of(world) == before
    stood, at = 0, 0
    while True:
        at += 1
        killed = world.act("up", at, switched=switched).status != 0
        world.act("recover")
        found = state_of(world)
        assert found in (before, after), at
        stood += found == after
        if found == after:
            world.act("up", switched=not switched)
            assert state_of(world) == before
        if not killed:
            break
    assert at > 4
    assert stood == 1


def test_recovering_a_switch_can_be_killed_as_well(world: World) -> None:
    for switched in (False, True):
        world.act("up", switched=switched)
    away = state_of(world)
    # Killed when the name is back home already, and the record does not say so yet.
    at = 1
    while world.act("up", at, switched=False).status != 0 and world.records() != HOME:
        world.act("recover")
        at += 1
    assert world.records() == HOME
    at = 0
    while world.act("recover", at := at + 1).status != 0:
        pass
    assert at > 3
    assert state_of(world) == away
