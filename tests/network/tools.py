"""Independent judges: tcpdump, tshark, ip, bridge, tc, run inside a namespace."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netcont.kernel.namespace import Namespace


def run(node: Namespace, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a program in node's network namespace."""
    # Not by a function that runs after the fork: then all of this process would have to be copied.
    entered = ("nsenter", f"--net=/proc/{node.pid}/ns/net", "--", *command)
    done = subprocess.run(entered, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{command}: {done.stderr}"
    return done


def shown(node: Namespace, *command: str) -> Any:
    """What a program of iproute2 says in JSON; an empty list where it says nothing."""
    return json.loads(run(node, *command).stdout or "[]")


@contextmanager
def recording(
    node: Namespace, link: str, pcap: Path, *options: str, at_least: int = 0
) -> Iterator[None]:
    """tcpdump records on link within the block, and goes on until it has so many packets."""
    entered = ["nsenter", f"--net=/proc/{node.pid}/ns/net", "--"]
    # Each frame at once: what waits in the kernel when tcpdump is told to end would be lost.
    record = ["tcpdump", "-Z", "root", "-n", "-U", "--immediate-mode", "-s", "256"]
    record += ["-i", link, "-w", str(pcap)]
    with subprocess.Popen(
        [*entered, *record, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            said = ""
            while "listening on" not in said:  # only then nothing is missed
                line = process.stderr.readline()
                assert line, f"tcpdump ended: {said}"
                said += line
            yield
            # Long: while tcpdump still reads its own pages from the host, virtual time jumps.
            deadline_s = time.monotonic() + 600
            while recorded(pcap) < at_least and time.monotonic() < deadline_s:
                time.sleep(0.05)
        finally:
            process.terminate()
            process.stderr.read()


def recorded(pcap: Path) -> int:
    """How many packets are whole in a file that tcpdump may still be writing."""
    data = pcap.read_bytes()
    count, at = 0, 24
    while at + 16 <= len(data):
        at += 16 + int.from_bytes(data[at + 8 : at + 12], "little")
        count += at <= len(data)
    return count


@dataclass(frozen=True)
class Line:
    """One packet as tcpdump prints it."""

    at_s: float
    text: str


def dump_frames(pcap: Path, *expression: str) -> list[Line]:
    """What tcpdump says of the recorded frames that match expression."""
    command = ["tcpdump", "-Z", "root", "-n", "-e", "-tt", "-r", str(pcap), *expression]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split(" ", 1) for line in done.stdout.splitlines() if line[:1].isdigit()]
    return [Line(float(at), text) for at, text in lines]


def dissect(
    pcap: Path, fields: tuple[str, ...], display_filter: str = "", *options: str
) -> list[list[str]]:
    """The values of fields, by tshark, one list a packet; several occurrences joined by ','."""
    command = ["tshark", "-n", "-r", str(pcap), "-T", "fields", "-E", "occurrence=a", *options]
    command += [word for field in fields for word in ("-e", field)]
    if display_filter:
        command += ["-Y", display_filter]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]
