"""Captures of links for a whole run, for people and their tools to look at (tcpdump writes them).

tcpdump takes frames from a ring that it shares with the kernel, a block at a time: beside a
measurement in virtual time it costs microseconds, where a reader of ours would cost milliseconds.
"""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from netcont.errors import LabError, PrerequisiteError
from netcont.kernel.namespace import Namespace, die_with_parent
from netcont.lab.job import HEADERS_ABOVE_BYTES

PROGRAM = "tcpdump"
SUFFIX = ".pcap"
_START_LIMIT_S = 60.0
_RING_KIB = 4096
_HEAD_BYTES = 256


def snapshot_bytes(memory_bytes: int) -> int:
    """How much of each frame is kept; 0: all of it."""
    return _HEAD_BYTES if memory_bytes > HEADERS_ABOVE_BYTES else 0


@contextmanager
def capturing(
    links: Iterable[tuple[Namespace, str]], directory: Path, snapshot: int
) -> Iterator[None]:
    """Both directions of every link go to directory/LINK.pcap within the block.

    Raises PrerequisiteError if tcpdump is missing, LabError if it does not start.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise PrerequisiteError(
            "no tcpdump for --pcap", remedy="apt-get install tcpdump, or run scripts/setup"
        )
    with ExitStack() as stack:
        for node, link in links:
            command = [program, "-i", link, "-n", "-Z", "root", "-B", str(_RING_KIB)]
            command += ["-s", str(snapshot), "-w", str(directory / f"{link}{SUFFIX}")]
            stack.enter_context(_dumping(command, node.enter, link))
        yield


@contextmanager
def _dumping(command: list[str], enter: Callable[[], None], link: str) -> Iterator[None]:
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=partial(_become_dumper, enter),
    ) as dumper:
        try:
            said = _until_listening(dumper)
            if b"listening" not in said:
                raise LabError(f"tcpdump on {link}: {said.decode(errors='replace').strip()}")
            yield
        finally:
            dumper.terminate()
            dumper.communicate()


def _become_dumper(enter: Callable[[], None]) -> None:
    die_with_parent()
    enter()


def _until_listening(dumper: subprocess.Popen[bytes]) -> bytes:
    """What it said until it listened, ended, or the limit passed."""
    assert dumper.stderr is not None
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(dumper.stderr, selectors.EVENT_READ)
        while b"listening" not in said and selector.select(_START_LIMIT_S):
            chunk = os.read(dumper.stderr.fileno(), 4096)
            if not chunk:
                break
            said += chunk
    return said
