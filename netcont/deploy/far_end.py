"""The other end of a tunnel or segment, and how it is asked whether it is there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from netcont.kernel.question import Ethernet, Manner, Question


class FarEnd(NamedTuple):
    """The other end of a link. local, remote: the gateways' outer addresses. question: None:
    nothing there could be asked. both_ways: an answer comes back through the link."""

    link: str
    local: str
    remote: str
    question: Question | None
    both_ways: bool = True


def far_end_of(raw: Sequence[Any]) -> FarEnd:
    """The one that was written as nested lists, as JSON writes it."""
    link, local, remote, question, both_ways = raw
    if question is not None:
        manner, source, destination, device, macs, around = question
        ethernet = None if macs is None else Ethernet(*macs)
        question = Question(Manner(manner), source, destination, device, ethernet, around)
    return FarEnd(link, local, remote, question, both_ways)
