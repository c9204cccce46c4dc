"""What is wrong with a deployment file: file, key, value, remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from netcont.errors import ConfigurationError


class Problem(NamedTuple):
    """One thing. key: dotted, as in `tunnel.0.key`."""

    key: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}; {self.remedy}"


class DeploymentError(ConfigurationError):
    """A file says something that cannot be; problems holds everything that is wrong."""

    def __init__(self, path: str, problems: Sequence[Problem]) -> None:
        lines = [f"{path}: {each}" for each in problems]
        head = [] if len(lines) == 1 else [f"{len(lines)} things are wrong with {path}"]
        super().__init__("\n  ".join(head + lines))
        self.problems = tuple(problems)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The nearest of the words, if one is near."""
    import difflib

    found = difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return found[0] if found else None
