"""Whether the other ends answer, and packets of full size pass. Nothing is changed by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from netcont.deploy.far_end import FarEnd
from netcont.kernel.asking import SMALL_BYTES, Answer, Asker, asked
from netcont.kernel.heard import Outcome
from netcont.kernel.question import Question


class State(StrEnum):
    """REFUSES: says that nothing there takes the link's packets. UNKNOWN: could not be asked."""

    ANSWERS = "answers"
    REFUSES = "refuses"
    SILENT = "silent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reached:
    """The other end of one link. rtt_s: until its answer. full_bytes: the size of the packets that
    the link promises; passes: whether they do, None where it was not tried. largest_bytes: what
    would pass instead, 0 if nobody says. why: for people, where something is wrong."""

    link: str
    remote: str
    state: State
    rtt_s: float | None = None
    both_ways: bool = True
    full_bytes: int = 0
    passes: bool | None = None
    largest_bytes: int = 0
    why: str = ""

    @property
    def well(self) -> bool:
        """Whether there is nothing to complain about."""
        return self.state is State.ANSWERS and self.passes is not False

    def __str__(self) -> str:
        if self.state is State.SILENT:
            return f"{self.link}: no answer from {self.remote}" + (f": {self.why}" * bool(self.why))
        if self.state is State.REFUSES:
            return f"{self.link}: no end at {self.remote}: {self.why}"
        if self.state is State.UNKNOWN:
            return f"{self.link}: could not be probed: {self.why}"
        text = f"{self.link}: {self.remote} answers, {(self.rtt_s or 0) * 1000:.1f} ms"
        if not self.both_ways:
            text += " (what it sends through it was not tried)"
        if self.passes:
            text += f"; packets of {self.full_bytes} bytes pass"
        elif self.passes is False:
            at_most = f", {self.largest_bytes} at most" if self.largest_bytes else ""
            text += f"; but packets of {self.full_bytes} bytes do not{at_most}"
        return text


def reach(
    asker: Asker, ends: Sequence[FarEnd], patience_s: float, *, full: bool
) -> tuple[Reached, ...]:
    """Asks them all at once. full: who answers is sent a packet as large as the link's MTU, too."""
    questions = {each.link: (each.question, SMALL_BYTES) for each in ends if each.question}
    small = asked(asker, questions, patience_s)
    larger: dict[str, tuple[Question, int]] = {}
    # Not with outer addresses inside: what the tunnel then says of the size, this host would take
    # for the size that passes outside.
    fit = [each.link for each in ends if full and each.both_ways and each.link in small]
    for link in fit:
        question, answer = questions[link][0], small[link]
        mtu = asker.mtu(question.link or link)
        if mtu is not None and answer.heard.outcome is Outcome.ANSWERED:
            larger[link] = (question, mtu)
    passed = asked(asker, larger, patience_s) if larger else {}
    return tuple(_reached(each, small, larger, passed) for each in ends)


def _reached(
    end: FarEnd,
    small: Mapping[str, Answer],
    larger: Mapping[str, tuple[Question, int]],
    passed: Mapping[str, Answer],
) -> Reached:
    if end.question is None:
        why = "a segment between IPv6 gateways can be asked only if it has addresses of its own"
        return Reached(end.link, end.remote, State.UNKNOWN, why=why)
    answer = small.get(end.link)
    if answer is None:
        return Reached(end.link, end.remote, State.SILENT)
    outcome, why = answer.heard.outcome, answer.heard.why
    if outcome is Outcome.UNSENT:
        return Reached(end.link, end.remote, State.UNKNOWN, why=why)
    if outcome is not Outcome.ANSWERED:
        state = State.REFUSES if outcome is Outcome.REFUSED else State.SILENT
        return Reached(end.link, end.remote, state, why=why)
    size = larger[end.link][1] if end.link in larger else 0
    last = passed.get(end.link)
    return Reached(
        end.link,
        end.remote,
        State.ANSWERS,
        answer.rtt_s,
        end.both_ways,
        size,
        None if not size else last is not None and last.heard.outcome is Outcome.ANSWERED,
        last.heard.mtu_bytes if last is not None else 0,
    )
