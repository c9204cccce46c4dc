"""The control socket: who may have its name, and who may ask."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from netcont.agent import control
from netcont.errors import ConfigurationError, PrerequisiteError
from netcont.kernel.agent_control import ask

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def test_a_path_is_made_with_its_folder_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "home.sock"
    with control.listen(str(path)):
        assert path.is_socket()
        assert path.stat().st_mode & 0o777 == 0o600
    control.remove(str(path))
    assert not path.exists()
    control.remove(str(path))


def test_what_a_killed_agent_left_is_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "home.sock")
    control.listen(path).close()
    assert Path(path).is_socket()
    with control.listen(path), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(path)


def test_a_living_agent_keeps_its_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "home.sock")
    with control.listen(path):
        with pytest.raises(ConfigurationError, match="in use") as refused:
            control.listen(path)
        assert "another agent" in refused.value.remedy
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(path)


def test_a_file_that_is_no_socket_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "home.sock"
    file.write_text("precious")
    with pytest.raises(ConfigurationError, match="cannot listen"):
        control.listen(str(file))
    assert file.read_text() == "precious"


def test_a_path_that_is_too_long_is_refused_with_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="too long"):
        control.listen(str(tmp_path / ("x" * 120)))


def test_an_abstract_name_leaves_no_file_and_is_one_agents_only() -> None:
    name = f"@netcont-test-{os.getpid()}"
    with control.listen(name):
        with pytest.raises(ConfigurationError, match="in use"):
            control.listen(name)
        control.remove(name)
    control.listen(name).close()
    assert not Path(name).exists()


def accepted(name: str, uid: int | None = None) -> bool:
    """Whether somebody who connects (from a process of this user, if one is given) may ask."""
    with control.listen(name) as inlet:
        inlet.setblocking(True)
        pid = os.fork()
        if pid == 0:
            try:
                if uid is not None:
                    os.setuid(uid)
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                    client.connect("\0" + name[1:])
                    client.recv(1)
            finally:
                os._exit(0)
        peer, _ = inlet.accept()
        with peer:
            may = control.may_ask(peer)
        os.waitpid(pid, 0)
    return may


def test_the_agents_own_user_may_ask() -> None:
    assert accepted(f"@netcont-test-{os.getpid()}")


@needs_root
def test_another_user_may_not_ask() -> None:
    assert not accepted(f"@netcont-test-{os.getpid()}", 65534)


def answering(path: str, answer: bytes) -> threading.Thread:
    inlet = control.listen(path)
    inlet.setblocking(True)

    def serve() -> None:
        with inlet:
            peer, _ = inlet.accept()
            with peer:
                while not peer.recv(4096).endswith(b"\n"):
                    pass
                for start in range(0, len(answer), 3):
                    peer.sendall(answer[start : start + 3])

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_an_answer_is_read_to_its_end(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    thread = answering(path, json.dumps({"done": "x" * 1000}).encode() + b"\n")
    assert ask(path, {"do": "status"}, 5) == {"done": "x" * 1000}
    thread.join()


def test_a_refusal_becomes_an_error_with_its_remedy(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    thread = answering(path, b'{"error": "no", "remedy": "ask nicely"}\n')
    with pytest.raises(ConfigurationError, match="no") as refused:
        ask(path, {"do": "dance"}, 5)
    assert refused.value.remedy == "ask nicely"
    thread.join()


def test_an_agent_that_hangs_up_is_told_as_that(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    thread = answering(path, b"")
    with pytest.raises(ConfigurationError, match="hung up"):
        ask(path, {"do": "status"}, 5)
    thread.join()


def test_nobody_there_is_told_with_the_command_that_starts_one(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="no agent answers") as refused:
        ask(str(tmp_path / "s"), {"do": "status"}, 5)
    assert "netcont agent" in refused.value.remedy
