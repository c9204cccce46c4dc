"""What several looks tell of when connections and segments were used last. Pure.

An entry of the connection table that nobody uses loses a second each second. This needs no
knowledge of the timeout that it began with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from netcont.kernel.conntrack import UNRENEWED
from netcont.kernel.flow import Flow
from netcont.kernel.stations import Port

_SLACK_S = 1.5  # whole seconds are told, and a look takes a while


@dataclass(frozen=True)
class _Begun:
    at_s: float
    expires_s: int


class Quiet:
    """Remembers what was seen at earlier looks."""

    def __init__(self) -> None:
        self._begun: dict[Flow, _Begun] = {}
        self._looked_s = -math.inf
        self._used_s: dict[str, float] = {}

    def told(self, flows: Sequence[Flow], now_s: float) -> tuple[Flow, ...]:
        """The same connections, idle for as long as they have been watched, if that is longer.

        now_s: when the kernel was asked, on any clock that never goes back.
        """
        begun = {_key(each): self._since(each, now_s) for each in flows}
        self._begun = {key: since for key, since in begun.items() if since is not None}
        return tuple(self._idle(each, now_s) for each in flows)

    def silent(self, ports: Mapping[str, Port], now_s: float) -> dict[str, float]:
        """For how long at least nobody used ports of bridges, by their names: also for longer than
        the bridge remembers, if they have been watched."""
        gap_s, self._looked_s = now_s - self._looked_s, now_s
        self._used_s = {name: self._last_s(port, now_s, gap_s) for name, port in ports.items()}
        return {name: now_s - used_s for name, used_s in self._used_s.items()}

    def _last_s(self, port: Port, now_s: float, gap_s: float) -> float:
        """The latest time at which it can have been used."""
        last_s, known_s = now_s - port.silent_s, self._used_s.get(port.link)
        if known_s is None or gap_s >= min(port.since_s, port.remembers_s or 0.0):
            return last_s  # who spoke since the look before may be forgotten already
        idle_s = min((each.idle_s for each in port.stations), default=math.inf)
        return min(last_s, max(known_s, now_s - idle_s))

    def _since(self, flow: Flow, now_s: float) -> _Begun | None:
        if flow.expires_s is None or flow.state in UNRENEWED:
            return None
        known = self._begun.get(_key(flow))
        if known is not None:
            expected_s = known.expires_s - (now_s - known.at_s)
            if abs(expected_s - flow.expires_s) <= _SLACK_S:
                return known
        return _Begun(now_s, flow.expires_s)

    def _idle(self, flow: Flow, now_s: float) -> Flow:
        since = self._begun.get(_key(flow))
        watched_s = 0 if since is None else int(now_s - since.at_s - _SLACK_S)
        return replace(flow, idle_s=max(watched_s, flow.idle_s or 0)) if watched_s > 0 else flow


def _key(flow: Flow) -> Flow:
    """A connection as long as it is in one state."""
    return replace(flow, expires_s=None, idle_s=None)
