"""Files that leave a sealed lab: as lines of its output, since it shares no directory."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

SEALED = "NETCONT_SEALED"
"""Set in the environment of a worker that is in a sealed lab."""

_MARK = "netcont-file: "
_LEVEL = 1  # every instruction counts there, and the line is read on the same machine


def send_files(files: Iterable[Path], out: TextIO) -> None:
    """Writes each file as one line, and removes it."""
    for path in sorted(files):
        body = base64.b64encode(zlib.compress(path.read_bytes(), _LEVEL)).decode()
        out.write(f"{_MARK}{path.name} {body}\n")
        path.unlink()
    out.flush()


def take_file(line: str, directory: Path) -> bool:
    """Whether line was a file; it is in directory then."""
    if not line.startswith(_MARK):
        return False
    name, _, body = line.removeprefix(_MARK).partition(" ")
    (directory / Path(name).name).write_bytes(zlib.decompress(base64.b64decode(body)))
    return True
