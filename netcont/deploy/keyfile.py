"""The settings files of NetworkManager and systemd: sections of assignments, spread over
directories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Assignment(NamedTuple):
    """One line: key=value in a section."""

    section: str
    key: str
    value: str


def assignments(path: Path) -> tuple[Assignment, ...]:
    """What a file assigns, in its order; nothing if it is not there or may not be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()  # what cannot be read cannot be relied on
    return tuple(_assignments(text))


def _assignments(text: str) -> Iterator[Assignment]:
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            yield Assignment(section, key.strip(), value.strip())


def in_force(directories: Sequence[Path], ending: str) -> list[Path]:
    """The files with that ending, directory by directory and by name within each.

    directories: the first gives way to the later ones: a file hides the one of the same name there.
    """
    found: dict[str, Path] = {}
    for directory in directories:
        here = sorted(directory.glob(f"*{ending}")) if directory.is_dir() else []
        for path in here:
            # Taken out first: it stands where the hiding file stands.
            found.pop(path.name, None)
            found[path.name] = path
    return list(found.values())
