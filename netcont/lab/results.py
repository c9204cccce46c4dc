"""Where a comparison leaves what it found: one directory a comparison."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from netcont.errors import ConfigurationError

_BROUGHT_OUT = ("run-*.pickle", "*.pcap", "*-server.log")


def new_directory(base: Path, name: str) -> Path:
    """A directory that did not exist: base/NAME-DATE-TIME, numbered if it must be.

    Raises ConfigurationError if it cannot be made.
    """
    stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in range(1, 1000):
        path = base / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigurationError(
                f"cannot make {path}: {error.strerror}", remedy="choose another --out"
            ) from error
        return path
    raise ConfigurationError(f"{base} is full of {stem}-*", remedy="choose another --out")


def bring_out(lab: Path, output: Path) -> None:
    """What a lab left in its own directory goes to output; its console and its job stay."""
    for pattern in _BROUGHT_OUT:
        for path in lab.glob(pattern):
            shutil.move(path, output / path.name)
