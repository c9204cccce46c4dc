"""The home agent's role: what it answers is in its file before, and there after a restart."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from mobileip.machines import NONCE_KEY, request

from netcont.agent.home import HomeDaemon
from netcont.agent.settings import HomeSettings, Peer
from netcont.agent.store import Store
from netcont.errors import ConfigurationError, PrerequisiteError
from netcont.mobileip.codes import Code
from netcont.mobileip.events import Deregistered, Registered
from netcont.mobileip.messages import Flags
from netcont.mobileip.policy import HomePolicy

from .agents import (
    AGENT_A,
    HOME,
    HOME_AGENT,
    NOW,
    OTHER_HOME,
    OTHER_KEY,
    SOURCE,
    answer,
    binding_of,
    here,
    home_settings,
    send,
    store,
)
from .test_store import full_disk

STALE = Code.HA_IDENTIFICATION_MISMATCH


class Running:
    """A home agent on a file; killed: what it had in memory is lost."""

    def __init__(self, path: Path, settings: HomeSettings | None = None) -> None:
        self.path = path
        self.settings = settings or home_settings(path)
        self.store: Store | None = None
        self.start(NOW)

    def start(self, now: float, *, origin: str = "this boot") -> None:
        self.store = store(self.path, origin=origin, now=now - 60)
        self.role = HomeDaemon(self.settings, here(), self.store)
        self.role.start(now)

    def kill(self) -> None:
        assert self.store is not None
        self.store.close()

    def code(self, data: bytes, now: float = NOW) -> int:
        return answer(send(self.role, data, now)).code


def test_a_registration_is_in_the_file_before_its_answer_is_out(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    out = send(running.role, request())
    assert answer(out).code == Code.ACCEPTED
    assert out.events == (Registered(HOME, AGENT_A, 300),)
    assert running.store is not None
    (binding,) = running.store.load().bindings
    assert (binding.home_address, binding.care_of_address) == (HOME, AGENT_A)


def test_after_a_kill_bindings_are_there_and_replays_refused(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    data = request()
    assert running.code(data) == Code.ACCEPTED
    running.kill()
    running.start(NOW + 1)
    assert binding_of(running.role) == str(AGENT_A)
    assert running.code(data, NOW + 1) == STALE
    assert running.code(request(NOW + 1), NOW + 1) == Code.ACCEPTED


def test_a_fresh_number_is_used_up_by_a_denial_too(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    denied = request(agent=IPv4Address("10.0.0.2"))
    assert running.code(denied) == Code.HA_UNKNOWN_HOME_AGENT
    running.kill()
    running.start(NOW + 1)
    assert running.code(denied, NOW + 1) == STALE


def test_nonces_survive(tmp_path: Path) -> None:
    path = tmp_path / "state"
    running = Running(path, home_settings(path, nodes=[Peer(HOME, (NONCE_KEY,))]))
    reply = answer(send(running.role, request(key=NONCE_KEY, identification=5)))
    assert reply.code == STALE
    running.kill()
    running.start(NOW + 1)
    again = request(key=NONCE_KEY, identification=reply.identification)
    assert running.code(again, NOW + 1) == Code.ACCEPTED
    assert running.code(again, NOW + 1) == STALE


def test_what_cannot_be_authenticated_changes_neither_file_nor_status(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    send(running.role, request())
    assert running.store is not None
    before = running.store.load(), running.role.status(NOW)
    for forged in (request(NOW + 1, key=OTHER_KEY), request(NOW + 1)[:-1], b"", b"\x01" * 60):
        send(running.role, forged, NOW + 1)
    assert (running.store.load(), running.role.status(NOW)) == before


def test_lifetime_0_ends_a_binding_here_and_in_the_file_and_may_be_said_twice(
    tmp_path: Path,
) -> None:
    running = Running(tmp_path / "state")
    send(running.role, request())
    for turn in (1, 2):
        out = send(running.role, request(NOW + turn, lifetime_s=0), NOW + turn)
        assert answer(out).code == Code.ACCEPTED
        assert out.events == (Deregistered(HOME, AGENT_A),)
    running.kill()
    running.start(NOW + 3)
    assert binding_of(running.role) is None


def test_a_binding_expires_also_while_no_agent_runs(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    send(running.role, request(lifetime_s=10))
    send(running.role, request(lifetime_s=100, home=OTHER_HOME, key=OTHER_KEY))
    assert running.role.deadline() == NOW + 10
    running.kill()
    running.start(NOW + 50)
    assert binding_of(running.role) is None
    assert binding_of(running.role, OTHER_HOME) == str(AGENT_A)
    running.role.expire(NOW + 100)
    assert running.store is not None
    assert running.store.load().bindings == ()


def test_simultaneous_bindings_survive_in_their_order(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    other = IPv4Address("198.51.100.1")
    send(running.role, request())
    send(running.role, request(NOW + 1, care_of=other, flags=Flags.S), NOW + 1)
    told = running.role.status(NOW + 1)["bindings"]
    assert [one["care_of_address"] for one in told] == [str(AGENT_A), str(other)]
    running.kill()
    running.start(NOW + 1)
    assert running.role.status(NOW + 1)["bindings"] == told


def test_after_a_reboot_timestamps_from_before_are_refused(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    send(running.role, request())
    running.kill()
    # The last write was lost with the machine; its clock says that only seconds have passed.
    running.start(NOW + 65, origin="another boot")
    assert running.code(request(NOW + 4), NOW + 6) == STALE
    assert running.code(request(NOW + 6), NOW + 6) == Code.ACCEPTED


def test_a_node_that_is_served_no_more_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "state"
    running = Running(path)
    send(running.role, request())
    running.kill()
    running.settings = home_settings(path, nodes=[Peer(OTHER_HOME, (OTHER_KEY,))])
    running.start(NOW + 1)
    assert running.role.status(NOW + 1)["bindings"] == []
    assert running.store is not None
    assert running.store.load().bindings == ()


def test_a_batch_is_answered_in_its_order(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    batch = [(request(NOW + n * 1e-3), SOURCE) for n in range(5)]
    out = running.role.receive([*batch, *batch], NOW)
    codes = [answer(type(out)((one,))).code for one in out.replies]
    assert codes == [Code.ACCEPTED] * 5 + [STALE] * 5


def test_what_cannot_be_saved_is_not_answered_and_is_saved_with_the_next(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    first = request()
    with full_disk(1), pytest.raises(PrerequisiteError, match="cannot write"):
        send(running.role, first)
    assert running.code(request(NOW + 1, home=OTHER_HOME, key=OTHER_KEY), NOW + 1) == 0
    running.kill()
    running.start(NOW + 2)
    assert binding_of(running.role) == str(AGENT_A)
    assert running.code(first, NOW + 2) == STALE


def test_revoked_bindings_are_gone_and_reported(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    send(running.role, request())
    out = running.role.command({"do": "revoke", "home_address": str(HOME)}, NOW)
    assert out.events == (Deregistered(HOME, AGENT_A),)
    assert binding_of(running.role) is None
    with pytest.raises(ConfigurationError, match="is not bound"):
        running.role.command({"do": "revoke", "home_address": str(HOME)}, NOW)


def test_the_status_is_json(tmp_path: Path) -> None:
    running = Running(tmp_path / "state")
    send(running.role, request(flags=Flags.T | Flags.G))
    status = json.loads(json.dumps(running.role.status(NOW + 100)))
    assert (status["role"], status["address"], status["nodes"]) == ("home", str(HOME_AGENT), 2)
    assert status["bindings"] == [
        {
            "home_address": str(HOME),
            "care_of_address": str(AGENT_A),
            "lifetime_s": 300,
            "remaining_s": 200.0,
            "flags": ["GRE_ENCAPSULATION", "REVERSE_TUNNELING"],
            "foreign_agent": str(AGENT_A),
            "spi": 1000,
        }
    ]
    assert status["forwarding_failures"] == {}


def test_the_policy_of_the_settings_holds(tmp_path: Path) -> None:
    path = tmp_path / "state"
    running = Running(path, home_settings(path, policy=HomePolicy(max_lifetime_s=60)))
    assert answer(send(running.role, request())).lifetime_s == 60


def test_without_a_file_bindings_last_as_long_as_the_daemon() -> None:
    opened = store()
    role = HomeDaemon(home_settings(), here(), opened)
    role.start(NOW - 1)
    assert answer(send(role, request())).code == Code.ACCEPTED
    again = HomeDaemon(home_settings(), here(), opened)
    again.start(NOW + 1)
    assert binding_of(again) == str(AGENT_A)
    opened.close()
