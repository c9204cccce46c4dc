"""The lab's shell on a host with root and a complete kernel, used through a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.network(lab="topologies"),
    pytest.mark.usefixtures("nothing_is_left"),
]

PROMPT = "mininet> "
LIMIT_S = 7200.0


class Terminal:
    """A terminal with `netcont lab shell` on it."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self.modes = termios.tcgetattr(slave)
        self._slave = slave
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "netcont", "lab", "shell", "--lab", "host", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def type(self, text: str, until: str = PROMPT) -> str:
        """Types text, and returns what is said then, up to and with until."""
        os.write(self._master, text.encode())
        return self.wait(until)

    def wait(self, until: str) -> str:
        """What is said until until is, or until the program ends."""
        said = ""
        deadline_s = time.monotonic() + LIMIT_S
        while until not in said:
            ready, _, _ = select.select([self._master], [], [], 1.0)
            if ready:
                said += os.read(self._master, 65536).decode(errors="replace")
            elif self.process.poll() is not None:
                break
            assert time.monotonic() < deadline_s, said
        self.said += said
        return said

    def end(self, key: str) -> int:
        """Types a key and returns the program's exit code."""
        os.write(self._master, key.encode())
        return self.process.wait(LIMIT_S)

    @property
    def modes_now(self) -> list[object]:
        return termios.tcgetattr(self._slave)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    opened = Terminal(*request.param)
    try:
        yield opened
    finally:
        opened.close()


on_a_lan = pytest.mark.parametrize(
    "terminal", [("lan", "--set", "network.clients_a.delay_s=7ms")], ids=["lan"], indirect=True
)


@on_a_lan
def test_one_can_look_around_and_leave_with_control_d(terminal: Terminal, lab: Path) -> None:
    assert "the guest is at 10.1.0.10" in terminal.wait(PROMPT)
    assert "1 received" in terminal.type("clc ping -c1 guest\n")
    assert "10.1.0.10" in terminal.type("clc dig +short server.lab.test\n")
    assert re.search(r":80\b.*python", terminal.type("guest ss -tlnp\n"))
    assert terminal.end("\x04") == 0
    assert terminal.modes_now == terminal.modes


@on_a_lan
def test_control_c_ends_a_command_and_then_the_lab(terminal: Terminal, lab: Path) -> None:
    terminal.wait(PROMPT)
    terminal.type("clc ping guest\n", "icmp_seq=2")
    assert "packets transmitted" in terminal.type("\x03")
    # The name servers have not heard of it.
    assert "10.1.0.10" in terminal.type("clc dig +short server.lab.test\n")
    assert terminal.end("\x03") == 0
    assert terminal.modes_now == terminal.modes


@on_a_lan
def test_a_shell_whose_program_is_killed_takes_its_lab_down(terminal: Terminal, lab: Path) -> None:
    terminal.wait(PROMPT)
    terminal.process.send_signal(signal.SIGKILL)
    terminal.process.wait()
    deadline_s = time.monotonic() + 60
    while _consoles() and time.monotonic() < deadline_s:
        time.sleep(0.2)
    assert _consoles() == []
    for left in Path("/tmp").glob("netcont-shell-*"):
        for file in left.iterdir():
            file.unlink()
        left.rmdir()


def _consoles() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"netcont.lab.console" in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found
