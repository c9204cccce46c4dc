"""What programs of the user's open while the lab measures, brought into memory for the next time.

Which files an interpreter or a web server reads cannot be known before it has run: after a run
that read from the host, what it opened is laid into the lab's memory, and the run is made again.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from netcont.errors import LabError
from netcont.lab.hostreads import HostTraffic
from netcont.lab.resident import bind, bring_into_memory

_LARGEST_FILE_BYTES = 64 * 2**20
_MOST_ENTRIES = 4000


def keep_in_memory(opened: Iterable[str], directory: Path) -> tuple[str, ...]:
    """Copies to directory (a tmpfs) those of opened that still come from the host.

    Files are copied whole, directories as lists of names. Returns what was left out.
    """
    directory.mkdir(parents=True)
    with HostTraffic() as traffic:
        from_host = [Path(path) for path in opened if _comes_from_host(Path(path), traffic)]
    left: list[str] = []
    listed = sorted((path for path in from_host if path.is_dir()), key=lambda p: len(p.parts))
    for number, path in enumerate(listed):
        if path == Path("/") or not _list_in_memory(path, directory / f"list-{number}"):
            left.append(str(path))
    files = [path for path in from_host if path.is_file()]
    bring_into_memory(_links_to(files), directory / "links")
    small = [str(path) for path in files if path.stat().st_size <= _LARGEST_FILE_BYTES]
    left += [str(path) for path in files if str(path) not in small]
    bring_into_memory(small, directory / "files")
    return tuple(left)


def _links_to(files: Iterable[Path]) -> list[str]:
    """Symbolic links beside libraries by which they are found (libx.so.1 for libx.so.1.2.3)."""
    wanted: dict[Path, set[str]] = {}
    for path in files:
        if ".so" in path.name:
            wanted.setdefault(path.parent, set()).add(path.name.partition(".so")[0])
    return [
        entry.path
        for directory, stems in wanted.items()
        for entry in os.scandir(directory)
        if entry.name.partition(".so")[0] in stems and entry.is_symlink()
    ]


def _comes_from_host(path: Path, traffic: HostTraffic) -> bool:
    """Whether opening path again sends a request to the host."""
    traffic.moved()
    try:
        if path.is_dir():
            list(path.iterdir())
        elif path.is_file():
            with path.open("rb") as file:
                file.read(1)
    except OSError:
        return False
    return traffic.moved()


def _list_in_memory(path: Path, copy: Path) -> bool:
    """A directory in memory over path, its entries being those of path; False if it cannot be."""
    entries = list(os.scandir(path))
    if len(entries) > _MOST_ENTRIES:
        return False
    copy.mkdir()
    shutil.copystat(path, copy)
    try:
        for entry in entries:
            here = copy / entry.name
            if entry.is_symlink():
                here.symlink_to(Path(entry.path).readlink())
                continue
            if entry.is_dir():
                here.mkdir()
            else:
                here.touch()
            bind(entry.path, str(here))
        # With the mounts inside it.
        bind(str(copy), str(path), recursive=True)
    except (OSError, LabError) as error:
        print(f"netcont-lab: {path} stays on the host: {error}", file=sys.stderr)
        return False
    return True
