"""Agents as processes on the loopback link, as an operator starts them; the kernel is left alone.

Each has an address of its own in 127.0.0.0/8, since port 434 is everybody's.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from mobileip.machines import AGENT_A, HOME, KEY, request

from netcont.mobileip.messages import PORT, RegistrationReply

PROGRAM = "import sys; from netcont.cli.main import main; sys.exit(main())"
LIMIT_S = 15.0

_numbers = itertools.count(1)


def own_address() -> IPv4Address:
    pid = os.getpid()
    return IPv4Address((127 << 24) + ((64 | pid >> 8 & 63) << 16) + ((pid & 255) << 8)) + next(
        _numbers
    )


def until(true: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


def netcont(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


class Agent:
    """A home agent that serves HOME, in a folder of its own."""

    def __init__(self, folder: Path, address: IPv4Address | None = None, more: str = "") -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.address = address or own_address()
        self.log = folder / "log"
        self.control = str(folder / "home.sock")
        self.file = folder / "home.toml"
        (folder / "key").write_text(KEY.key.hex())
        (folder / "key").chmod(0o600)
        self.configure(more)
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, more: str = "") -> None:
        self.file.write_text(
            f"""
            address = "{self.address}"
            link = "lo"
            control = "{self.control}"
            state = "{self.folder / "state"}"
            advertises = false
            forwards = false
            [[node]]
            address = "{HOME}"
            key = [{{ spi = {KEY.spi}, key_file = "key" }}]
            {more}
            """
        )

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "agent", "home", "--config", str(self.file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        until(lambda: "ready role=home" in self.said() or self._process.poll() is not None)
        assert self._process.poll() is None, self.said()

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def said(self) -> str:
        return self.log.read_text()

    def kill(self, signum: int = signal.SIGKILL) -> None:
        self._process.send_signal(signum)

    def end(self, signum: int = signal.SIGTERM) -> int:
        self.kill(signum)
        return self._process.wait(LIMIT_S)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)

    def register(self, data: bytes) -> RegistrationReply:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as node:
            node.settimeout(LIMIT_S)
            node.bind(("127.0.0.1", 0))
            node.sendto(data, (str(self.address), PORT))
            answer, source = node.recvfrom(65535)
        assert source == (str(self.address), PORT)
        return RegistrationReply.from_bytes(answer)

    def request(self, **values: Any) -> bytes:
        """A request of HOME, stamped now."""
        values = {"agent": self.address, "care_of": AGENT_A, **values}
        return request(time.time(), **values)

    def status(self) -> dict[str, Any]:
        done = netcont("agent", "status", "--control", self.control, "--format", "json")
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
