"""The largest packet that passes to another host unfragmented: path MTU discovery by probing.

By packets that nobody may fragment: routers say what would have passed (RFC 1191, RFC 8201); where
they do not, or somebody drops what they say, larger packets vanish, and what passes is found by
trying sizes (RFC 4821 does the same with TCP's own packets).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netcont.kernel.asking import Answer, Asker, asked
from netcont.kernel.heard import Heard, Outcome
from netcont.kernel.question import Manner, Question

FLOOR_BYTES = {4: 576, 6: 1280}
"""What every host takes (RFC 791 §3.1) and every path carries (RFC 8200 §5)."""

ANY_BYTES = 65535
"""As what is needed: as much as this host's own link takes."""

_SPREAD = 16
_ATTEMPTS = 6  # silence is taken for a size that does not pass: at a loss of 20 %, once in 15,000
_LEAST_S, _ROUND_TRIPS = 0.3, 9
_ROUTERS_S = 1.0  # for what a router may say, where the other end says nothing
_ROUNDS = 10


@dataclass(frozen=True)
class PathMtu:
    """needed_bytes: what was to pass. mtu_bytes: what passes, that much at most; None: nobody
    answered. by: the router that said so; "": larger packets vanish without a word."""

    needed_bytes: int
    mtu_bytes: int | None
    by: str = ""

    @property
    def fits(self) -> bool:
        """Whether what is needed passes."""
        return self.mtu_bytes is not None and self.mtu_bytes >= self.needed_bytes


@dataclass
class PathSearch:
    """The search along one path. Pure: sizes() are tried, then heard() and silent() are told."""

    family: int
    needed_bytes: int
    passed: int = 0
    failed: int = 0
    said: int = 0
    by: str = ""
    rtt_s: float = 0.0
    _tried: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.failed = self.needed_bytes + 1

    def sizes(self) -> tuple[int, ...]:
        """What is to be tried next; nothing: the search is over."""
        floor = min(FLOOR_BYTES[self.family], self.needed_bytes)
        for first in (floor, self.needed_bytes, self.said):
            if self.passed < first < self.failed and first not in self._tried:
                return (first,)
        between = self.failed - self.passed - 1
        if self.passed in (0, self.said) or between < 1:
            return ()
        steps = min(_SPREAD, between)
        return tuple(self.passed + (between + 1) * (n + 1) // (steps + 1) for n in range(steps))

    def heard(self, size: int, answer: Answer) -> None:
        """What became of a packet of that size."""
        self._tried.add(size)
        heard = answer.heard
        if heard.outcome is Outcome.ANSWERED:
            self.passed = max(self.passed, size)
            self.rtt_s = max(self.rtt_s, answer.rtt_s)
        elif heard.outcome is Outcome.TOO_BIG:
            self._too_big(size, heard)

    def silent(self, size: int) -> None:
        """Nothing was heard. Where smaller ones are answered, it is the size."""
        self._tried.add(size)
        if self.passed:
            self._shrink(size)

    def _too_big(self, size: int, heard: Heard) -> None:
        if self.needed_bytes == ANY_BYTES and not heard.by and heard.mtu_bytes:
            self.needed_bytes = min(size, heard.mtu_bytes)
            self.failed = self.needed_bytes + 1
            return
        self._shrink(size)
        # RFC 1191 §6.3: an old router says 0.
        if heard.mtu_bytes >= 68 and heard.mtu_bytes < self.failed:
            self.said, self.by = heard.mtu_bytes, heard.by

    def _shrink(self, size: int) -> None:
        if size > self.passed:
            self.failed = min(self.failed, size)

    def result(self) -> PathMtu:
        """What is known now."""
        if self.passed:
            by = self.by if self.passed == self.said else ""
            return PathMtu(self.needed_bytes, self.passed, by)
        return PathMtu(self.needed_bytes, self.said or None, self.by)


def measure(
    asker: Asker, paths: Mapping[tuple[str, str], int], patience_s: float
) -> dict[tuple[str, str], PathMtu]:
    """The path MTU of each path, which is source and destination, as far as it is needed.

    paths: with the bytes that are to pass, or ANY_BYTES. patience_s: for an answer to the first
    packet.
    """
    searches = {
        path: PathSearch(6 if ":" in path[1] else 4, needed) for path, needed in paths.items()
    }
    wait_s = patience_s
    for _ in range(_ROUNDS):
        questions = {
            (path, size): (Question(Manner.ECHO, *path), size)
            for path, search in searches.items()
            for size in search.sizes()
        }
        if not questions:
            break
        found = asked(asker, questions, wait_s, _ATTEMPTS)
        for path, size in sorted(questions):
            answer = found.get((path, size))
            if answer is None:
                searches[path].silent(size)
            else:
                searches[path].heard(size, answer)
        rtt_s = max(search.rtt_s for search in searches.values())
        wait_s = min(patience_s, max(_LEAST_S, _ROUND_TRIPS * rtt_s) if rtt_s else _ROUTERS_S)
    return {path: search.result() for path, search in searches.items()}
