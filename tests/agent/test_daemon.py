"""Agents as processes: started, asked, reloaded, stopped, killed, and in each other's way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mobileip.machines import HOME, HOME_AGENT, OTHER_HOME, OTHER_KEY

from netcont.kernel.agent_control import ask
from netcont.mobileip.codes import Code

from .processes import PROGRAM, Agent, netcont, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="agents run as root")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    one = Agent(tmp_path / "agent")
    yield one
    one.close()


def other_node(folder: Path) -> str:
    (folder / "other").write_text(OTHER_KEY.key.hex())
    (folder / "other").chmod(0o600)
    return f"""
        [[node]]
        address = "{OTHER_HOME}"
        key = [{{ spi = {OTHER_KEY.spi}, key_file = "other" }}]
    """


def test_an_agent_answers_registrations_and_tells_what_it_knows(agent: Agent) -> None:
    agent.start()
    reply = agent.register(agent.request())
    assert (reply.code, reply.lifetime_s) == (Code.ACCEPTED, 300)
    line = f"registered home={HOME} care-of=192.0.2.1 lifetime=300s"
    until(lambda: line in agent.said())  # Nobody waits for the log with an answer.
    assert agent.register(agent.request(key=OTHER_KEY)).code == 131
    status = agent.status()
    (binding,) = status["bindings"]
    assert (binding["home_address"], binding["care_of_address"]) == (str(HOME), "192.0.2.1")
    assert 290 < binding["remaining_s"] <= 300
    assert status["denials"] == {"131": 1}
    assert status["counters"] == {"Denied": 1, "Registered": 1, "SecurityViolation": 1}


def test_the_status_is_a_table_for_people(agent: Agent) -> None:
    agent.start()
    empty = netcont("agent", "status", "--control", agent.control).stdout
    assert "role: home" in empty
    assert "bindings: 0" in empty
    agent.register(agent.request())
    table = netcont("agent", "status", "--control", agent.control).stdout
    assert "bindings: 1" in table
    assert str(HOME) in table
    assert "192.0.2.1" in table
    assert "counters: Registered 1" in table


def test_a_binding_is_revoked_by_command_at_once(agent: Agent) -> None:
    agent.start()
    agent.register(agent.request())
    revoke = ("agent", "revoke", str(HOME), "--control", agent.control)
    done = netcont(*revoke)
    assert (done.returncode, done.stdout) == (0, f"{HOME}: deregistered\n")
    assert agent.status()["bindings"] == []
    again = netcont(*revoke)
    assert again.returncode == 2
    assert f"{HOME} is not bound" in again.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"[]\n", "not understood: a request is a JSON object"),
        (b"nonsense\n", "not understood"),
        (b'{"do": "dance"}\n', "cannot 'dance'"),
        (b'{"do": "revoke", "home_address": "here"}\n', "not understood"),
        (b"{}\n", "cannot None"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered(agent: Agent, line: bytes, said: str) -> None:
    agent.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(agent.control)
        client.sendall(line)
        answer = client.makefile("rb").readline()
    assert said in json.loads(answer)["error"]
    assert "Traceback" not in agent.said()
    assert agent.register(agent.request()).code == Code.ACCEPTED


def test_somebody_who_asks_nothing_holds_up_nobody(agent: Agent) -> None:
    agent.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(agent.control)
        assert agent.register(agent.request()).code == Code.ACCEPTED
        assert len(ask(agent.control, {"do": "status"}, 10)["bindings"]) == 1
        assert agent.end() == 0


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_an_agent_that_is_told_to_stop_leaves_nothing(agent: Agent, signum: signal.Signals) -> None:
    agent.start()
    assert Path(agent.control).is_socket()
    assert agent.end(signum) == 0
    assert not Path(agent.control).exists()
    assert agent.said().splitlines()[-1] == "stopped"
    assert "Traceback" not in agent.said()


def test_a_stopped_agent_goes_on_where_it_ended(agent: Agent) -> None:
    agent.start()
    data = agent.request()
    agent.register(data)
    agent.end()
    agent.start()
    assert len(agent.status()["bindings"]) == 1
    assert agent.register(data).code == Code.HA_IDENTIFICATION_MISMATCH


def test_a_killed_agent_is_back_within_2_seconds_and_refuses_replays(agent: Agent) -> None:
    agent.start()
    accepted, denied = agent.request(), agent.request(agent=HOME_AGENT)
    assert agent.register(accepted).code == Code.ACCEPTED
    assert agent.register(denied).code == Code.HA_UNKNOWN_HOME_AGENT
    before = agent.status()["bindings"][0]
    agent.end(signal.SIGKILL)
    began = time.monotonic()
    agent.start()
    assert time.monotonic() - began < 2.0
    (after,) = agent.status()["bindings"]
    assert after["care_of_address"] == before["care_of_address"]
    assert after["remaining_s"] <= before["remaining_s"]
    for replayed in (accepted, denied):
        assert agent.register(replayed).code == Code.HA_IDENTIFICATION_MISMATCH
    assert agent.register(agent.request()).code == Code.ACCEPTED


def test_without_its_file_an_agent_believes_nothing_from_before(agent: Agent) -> None:
    agent.start()
    data = agent.request()
    agent.register(data)
    agent.end(signal.SIGKILL)
    for file in agent.folder.glob("state*"):
        file.unlink()
    agent.start()
    assert agent.register(data).code == Code.HA_IDENTIFICATION_MISMATCH
    assert agent.register(agent.request()).code == Code.ACCEPTED


def test_sighup_takes_over_new_settings_and_keeps_bindings(agent: Agent) -> None:
    agent.start()
    data = agent.request()
    agent.register(data)
    other = agent.request(home=OTHER_HOME, key=OTHER_KEY)
    assert agent.register(other).code == 131
    agent.configure(other_node(agent.folder))
    agent.kill(signal.SIGHUP)
    until(lambda: "reloaded" in agent.said())
    other = agent.request(home=OTHER_HOME, key=OTHER_KEY)
    assert agent.register(other).code == Code.ACCEPTED
    assert agent.register(data).code == Code.HA_IDENTIFICATION_MISMATCH
    assert len(agent.status()["bindings"]) == 2


def test_a_node_that_is_taken_out_loses_its_binding(agent: Agent) -> None:
    agent.configure(other_node(agent.folder))
    agent.start()
    agent.register(agent.request(home=OTHER_HOME, key=OTHER_KEY))
    agent.configure()
    agent.kill(signal.SIGHUP)
    until(lambda: "reloaded" in agent.said())
    assert agent.status()["bindings"] == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("nodee = 1", "nodee: Unexpected keyword"),
        ("=", "not TOML"),
        ('[[node]]\naddress = "10.0.0.9"\nkey = [{spi = 1, key_file = "key"}]', "SPI 1 is"),
    ],
)
def test_sighup_with_a_wrong_file_changes_nothing(agent: Agent, wrong: str, said: str) -> None:
    agent.start()
    agent.register(agent.request())
    agent.configure(wrong)
    agent.kill(signal.SIGHUP)
    until(lambda: "not reloaded" in agent.said())
    assert said in agent.said()
    assert str(agent.file) in agent.said()
    assert agent.register(agent.request()).code == Code.ACCEPTED
    assert len(agent.status()["bindings"]) == 1


def test_sighup_cannot_change_the_address(agent: Agent) -> None:
    agent.start()
    agent.file.write_text(agent.file.read_text().replace(str(agent.address), "127.9.9.9"))
    agent.kill(signal.SIGHUP)
    until(lambda: "not reloaded: address cannot change while it runs" in agent.said())
    assert agent.register(agent.request()).code == Code.ACCEPTED


def test_the_service_manager_hears_each_state(agent: Agent, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        agent.start({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"
        agent.kill(signal.SIGHUP)
        assert [manager.recv(100) for _ in range(2)] == [b"RELOADING=1", b"READY=1"]
        assert agent.end() == 0
        assert manager.recv(100) == b"STOPPING=1"


def test_a_service_manager_that_is_gone_is_no_obstacle(agent: Agent, tmp_path: Path) -> None:
    agent.start({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    assert agent.end() == 0


def test_under_a_journal_lines_carry_their_level(agent: Agent) -> None:
    agent.start({"JOURNAL_STREAM": "8:1"})
    assert "<6>ready role=home" in agent.said()
    agent.register(agent.request(key=OTHER_KEY))
    until(lambda: "<4>security-violation" in agent.said())


def refused(agent: Agent) -> str:
    """What the command says, if it ends by itself, with words and as a configuration error."""
    done = netcont("agent", "home", "--config", str(agent.file))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "remedy: " in done.stderr
    return done.stderr


def test_a_second_agent_on_the_same_address_is_refused(agent: Agent, tmp_path: Path) -> None:
    agent.start()
    second = Agent(tmp_path / "second", agent.address)
    assert f"cannot listen on {agent.address}, link lo: Address already in use" in refused(second)
    assert not Path(second.control).exists()
    assert agent.register(agent.request()).code == Code.ACCEPTED


def test_a_second_agent_with_the_same_state_is_refused(agent: Agent, tmp_path: Path) -> None:
    agent.start()
    second = Agent(tmp_path / "second")
    text = second.file.read_text().replace(str(second.folder / "state"), f"{agent.folder}/state")
    second.file.write_text(text)
    assert f"cannot keep bindings in {agent.folder}/state" in refused(second)


def test_a_second_agent_with_the_same_control_socket_is_refused(
    agent: Agent, tmp_path: Path
) -> None:
    agent.start()
    second = Agent(tmp_path / "second")
    second.file.write_text(second.file.read_text().replace(second.control, agent.control))
    assert f"cannot listen on {agent.control}" in refused(second)
    assert agent.status()["bindings"] == []


def test_an_address_that_the_host_has_not_is_refused(agent: Agent) -> None:
    agent.file.write_text(agent.file.read_text().replace(str(agent.address), "203.0.113.1"))
    assert "cannot listen on 203.0.113.1" in refused(agent)


def test_settings_that_are_wrong_stop_it_before_anything_is_made(agent: Agent) -> None:
    agent.configure("nodee = 1")
    assert f"{agent.file}: " in refused(agent)
    assert sorted(one.name for one in agent.folder.iterdir()) == ["home.toml", "key"]


def test_without_root_an_agent_says_so(agent: Agent) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import os; os.geteuid = lambda: 1000; {PROGRAM}",
            *("agent", "home", "--config", str(agent.file)),
        ],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 5
    assert "run it as root" in done.stderr


def test_nobody_there_is_told_with_exit_code_5(tmp_path: Path) -> None:
    done = netcont("agent", "status", "--control", str(tmp_path / "nobody"))
    assert done.returncode == 5
    assert "no agent answers" in done.stderr
