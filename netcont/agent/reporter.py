"""What happened, counted and told: one line an event, violations once a minute for each source."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address

from netcont.mobileip import events as e
from netcont.mobileip.codes import describe

_QUIET_S = 60.0
_REMEMBERED = 4096
_SILENT = (e.Dropped,)


class Reporter:
    """Counts events and says them; say gets a level (info, warning) and a line."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        # By source; None stands for all that are too many to be told apart.
        self._said_at: OrderedDict[IPv4Address | None, float] = OrderedDict()
        self._unsaid: Counter[IPv4Address | None] = Counter()
        self._complained_at: dict[str, float] = {}
        self.counters: Counter[str] = Counter()
        self.denials: Counter[int] = Counter()

    def report(self, events: Iterable[e.Event], now: float) -> None:
        """Takes events in their order."""
        for event in events:
            self.counters[type(event).__name__] += 1
            if isinstance(event, e.SecurityViolation):
                self._violation(event, now)
                continue
            if isinstance(event, e.Denied):
                self.denials[int(event.code)] += 1
                if not event.authenticated:
                    continue  # told as a violation already, and anybody can cause any number
            if not isinstance(event, _SILENT):
                self._say("info", told(event))

    def _violation(self, event: e.SecurityViolation, now: float) -> None:
        source: IPv4Address | None = event.source[0]
        if source not in self._said_at and len(self._said_at) >= _REMEMBERED:
            oldest = next(iter(self._said_at.values()))
            source = None if now - oldest < _QUIET_S else source
        if now - self._said_at.get(source, -_QUIET_S) < _QUIET_S:
            self._unsaid[source] += 1
            return
        self._said_at[source] = now
        self._said_at.move_to_end(source)
        more = self._unsaid.pop(source, 0)
        self._say("warning", told(event) + (f" ({more} more since the last line)" if more else ""))
        while len(self._said_at) > _REMEMBERED + 1:
            gone, _ = self._said_at.popitem(last=False)
            self._unsaid.pop(gone, None)

    def complain(self, about: str, line: str, now: float) -> None:
        """Says what does not work, once a minute for each thing that this is about."""
        if now - self._complained_at.get(about, -_QUIET_S) >= _QUIET_S:
            self._complained_at[about] = now
            self._say("warning", line)


def told(event: e.Event) -> str:
    """An event as a line for people and for grep: a word, then key=value."""
    match event:
        case e.SecurityViolation(source, why, home):
            about = "" if home is None else f" home={home}"
            return f"security-violation source={source[0]}:{source[1]}{about}: {why.value}"
        case e.Dropped(source, why):
            return f"dropped source={source[0]}:{source[1]}: {why}"
        case e.Registered(home, care_of, lifetime_s, code):
            note = "" if code == 0 else f": {describe(code)}"
            return f"registered home={home} care-of={care_of} lifetime={lifetime_s}s{note}"
        case e.Deregistered(home, care_of):
            return f"deregistered home={home} care-of={care_of}"
        case e.Denied(home, care_of, code):
            return f"denied home={home} care-of={care_of} code={int(code)}: {describe(code)}"
        case e.Unanswered(home, care_of, attempts):
            return f"unanswered home={home} care-of={care_of} attempts={attempts}"
        case e.RegistrationLost(home, care_of, why):
            return f"registration-lost home={home} care-of={care_of}: {why}"
        case e.Resynchronised(home, offset_s):
            return f"resynchronised home={home} offset={offset_s:.3f}s"
        case e.AgentFound(agent, care_of):
            where = "home" if care_of is None else f"care-of={care_of}"
            return f"agent-found agent={agent} {where}"
        case e.AgentLost(agent):
            return f"agent-lost agent={agent}"
        case e.AgentRestarted(agent):
            return f"agent-restarted agent={agent}"
