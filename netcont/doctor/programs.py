"""Programs: which there are, where, and that they run."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from netcont.doctor.finding import Finding, Group, LabKind
from netcont.lab.cache import SETUP_COMMAND, LabFiles, find_program, program_version
from netcont.lab.qemu import QEMU, QEMU_REMEDY


@dataclass(frozen=True)
class Program:
    """A program, the arguments that make it tell its version, and who needs it.

    remedy: how it comes here, if not by the set-up. in_environment: it is installed beside the
    Python that runs netcont.
    """

    name: str
    arguments: tuple[str, ...]
    needed_by: tuple[LabKind, ...] = ()
    remedy: str = f"run {SETUP_COMMAND}"
    in_environment: bool = False


PROGRAMS = (
    Program(QEMU, ("--version",), ("vm",), QEMU_REMEDY),
    Program("setpriv", ("--version",), ("vm",), "apt-get install util-linux"),
    Program("vng", ("--version",), in_environment=True),
    Program("mn", ("--version",), in_environment=True),
    Program("mnexec", ("-v",), ("vm", "host")),
    Program("ip", ("-V",), ("vm", "host")),
    Program("bridge", ("-V",)),
    Program("tc", ("-V",), ("vm", "host")),
    Program("ifconfig", ("--version",), ("vm", "host")),
    Program("named", ("-V",), ("vm", "host")),
    Program("nft", ("--version",)),
    Program("tcpdump", ("--version",)),
    Program("tshark", ("--version",)),
    Program("brctl", ("--version",)),
    Program("ethtool", ("--version",)),
    Program("iperf3", ("--version",)),
    Program("ping", ("-V",)),
)


def probe_programs(files: LabFiles | None) -> list[Finding]:
    """Findings of group programs; files: the lab's cache, None if it is not usable."""
    # They wait for processes: threads let them do so together.
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(lambda program: _probe(program, files), PROGRAMS))


def _probe(program: Program, files: LabFiles | None) -> Finding:
    path: Path | None
    if program.in_environment:
        path = Path(sys.executable).parent / program.name
        path = path if path.is_file() else None
    else:
        path = find_program(program.name, files)
    group: Group = "programs"
    labs = program.needed_by
    if path is None:
        return Finding(program.name, group, "missing", "", program.remedy, labs)
    # Scripts of the environment by its Python: a first line naming a path with spaces fails.
    command = [Path(sys.executable), path] if program.in_environment else [path]
    try:
        version = program_version(command[0], (*map(str, command[1:]), *program.arguments), files)
    except OSError as error:
        return Finding(program.name, group, "failed", f"{path}: {error}", program.remedy, labs)
    cached = files is not None and path.is_relative_to(files.root)
    where = "the cache" if cached else str(path.parent)
    detail = f"{version} (in {where})".lstrip()
    return Finding(program.name, group, "ok", detail, needed_by=labs)
