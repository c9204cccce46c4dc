"""docs/deploy.md as a test reads it: files that it quotes, and what is typed on which host."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs/deploy.md"
WALK_THROUGH = "The walk-through"

_FENCE = re.compile(r"```(\w+)\n(.*?)```", re.S)
_PROMPT = re.compile(r"([ab])# (.+)")


@dataclass(frozen=True)
class Typed:
    """A command, the host whose prompt it stands behind, and the lines that it prints.

    … stands for anything; what else is printed in between does not matter.
    """

    host: str
    command: str
    printed: tuple[str, ...]

    def misses(self, said: str) -> str | None:
        """The first line that is not there, in its order; None if all are."""
        at = 0
        for line in self.printed:
            pattern = re.escape(line.rstrip()).replace("…", ".*")
            found = re.compile(f"^{pattern}", re.M).search(said, at)
            if found is None:
                return line
            at = found.end()
        return None


@dataclass(frozen=True)
class Guide:
    """text: of the whole page."""

    text: str

    @classmethod
    def read(cls) -> Guide:
        return cls(DOCUMENT.read_text(encoding="utf-8"))

    def quoted(self) -> dict[str, str]:
        """What stands in each quoted file, by its place, which is the first line of the quote."""
        found = {}
        for _, body in _FENCE.findall(self.text):
            head, _, rest = body.partition("\n")
            if head.startswith("# /etc/"):
                found[head.removeprefix("# ")] = rest
        return found

    def steps(self, heading: str) -> list[list[Typed]]:
        """The blocks of commands below a heading of the walk-through, which begins like that."""
        walk = self.text.split(f"\n## {WALK_THROUGH}\n")[1].split("\n## ")[0]
        (part,) = [part for part in walk.split("\n### ")[1:] if part.startswith(heading)]
        return [_typed(body) for kind, body in _FENCE.findall(part) if kind == "console"]


def _typed(block: str) -> list[Typed]:
    found: list[Typed] = []
    for line in block.splitlines():
        prompt = _PROMPT.fullmatch(line)
        if prompt:
            found.append(Typed(prompt[1], prompt[2], ()))
        elif line:
            last = found.pop()
            found.append(Typed(last.host, last.command, (*last.printed, line)))
    return found
