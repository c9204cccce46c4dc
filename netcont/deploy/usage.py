"""What is found to use a deployment's path, for people and for programs. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netcont.errors import NetcontError
from netcont.kernel.flow import Flow
from netcont.kernel.stations import Station

_SHOWN = 10
_LISTED = 1000


@dataclass(frozen=True)
class Segment:
    """What is bridged over a link. stations: those known beyond it; silent_s: for how long at least
    no frame came from there, nor went to one of them; timeout_s: what is silent for so long is not
    in use."""

    link: str
    bridge: str
    stations: tuple[Station, ...]
    silent_s: float
    timeout_s: float = math.inf

    @property
    def heard(self) -> tuple[Station, ...]:
        """The stations that use it."""
        return tuple(each for each in self.stations if each.idle_s < self.timeout_s)

    @property
    def idle(self) -> bool:
        """Whether nobody used it for so long."""
        return self.silent_s >= self.timeout_s

    def values(self) -> dict[str, Any]:
        """The same for JSON. idle: null where no timeout was named."""
        return {
            "link": self.link,
            "bridge": self.bridge,
            "silent_s": int(self.silent_s),
            "idle": None if math.isinf(self.timeout_s) else self.idle,
            "stations": [vars(each) for each in self.stations[:_LISTED]],
        }

    def doubt(self) -> str:
        """Why it may be in use where no station is known to."""
        return (
            f"{self.link} was silent for {int(self.silent_s)} s, and nothing earlier is known:"
            f" {self.bridge} forgets who is silent"
        )


@dataclass(frozen=True)
class Usage:
    """What uses a deployment's path. flows: the connections that count; unseen: why there may be
    more than these, however long one waits. idle: connections that do not count, as they have been
    idle for too long. segments: those that are bridged, in use or not."""

    flows: tuple[Flow, ...] = ()
    unseen: tuple[str, ...] = ()
    idle: tuple[Flow, ...] = ()
    segments: tuple[Segment, ...] = ()

    @property
    def passing(self) -> bool:
        """Whether something uses it that may end."""
        return bool(self.flows or self.busy)

    @property
    def busy(self) -> tuple[Segment, ...]:
        """The segments of which it is not known that nobody used them for the named time."""
        return tuple(each for each in self.segments if not each.idle and each.timeout_s < math.inf)

    @property
    def free(self) -> bool:
        """Whether certainly nothing uses it."""
        return not self.passing and not self.unseen

    def values(self) -> dict[str, Any]:
        """The same for JSON; of very many connections only some are listed."""
        return {
            "count": len(self.flows),
            "unseen": list(self.unseen),
            "listed": [vars(each) for each in self.flows[:_LISTED]],
            "idle_count": len(self.idle),
            "idle_listed": [vars(each) for each in self.idle[:_LISTED]],
            "segments": [each.values() for each in self.segments],
        }

    def users(self) -> str:
        """Who uses it, in words; empty: nobody is known."""
        found = [in_words(len(self.flows))] if self.flows else []
        for each in self.busy:
            if count := len(each.heard):
                found.append(f"{count} station{'s' * (count != 1)} beyond {each.link}")
        return " and ".join(found)

    def left(self) -> str:
        """What is waited for, in words."""
        links = ", ".join(each.link for each in self.busy)
        return in_words(len(self.flows)) + f" and what is bridged over {links}" * bool(links)

    def idle_text(self) -> str:
        """Which connections do not count, for people; empty: there is none."""
        return f"left out as idle: {in_words(len(self.idle))}:{_list(self.idle)}" * bool(self.idle)


class InUseError(NetcontError):
    """A deployment is still needed, or it cannot be seen whether it is (exit code 1)."""

    def __init__(self, name: str, usage: Usage) -> None:
        self.usage = usage
        users = usage.users()
        doubts = [*usage.unseen, *(each.doubt() for each in usage.busy if not each.heard)]
        if users:
            stations = [each for segment in usage.busy for each in segment.heard]
            message = f"{name} is in use by {users}:{_list([*usage.flows, *stations])}"
            message += f"\n  and it may be in use by others: {'; '.join(doubts)}" * bool(doubts)
            remedy = (
                "wait for them with --drain SECONDS, leave out those that say nothing with"
                " --idle-timeout SECONDS, or break them with --force"
            )
        else:
            message = f"{name} may be in use: {'; '.join(doubts)}"
            remedy = "mend that, then wait as long as your longest connection is silent; or --force"
            if not usage.unseen:
                remedy = "have it watched, with a --drain of the idle timeout or more; or --force"
        message += f"\n{usage.idle_text()}" * bool(usage.idle)
        super().__init__(message, remedy=remedy)


def _list(users: Sequence[Flow | Station]) -> str:
    lines = [str(each) for each in users[:_SHOWN]]
    if len(users) > _SHOWN:
        lines.append(f"and {len(users) - _SHOWN} more")
    return "".join(f"\n  {line}" for line in lines)


def in_words(count: int) -> str:
    """A number of connections, in words."""
    return f"{count or 'no'} connection{'s' * (count != 1)}"
