"""The states of a move and what leads from one to the next, as a table for each side.

A move has two engines, one at each site, and one guest. They agree through one durable fact, the
**commit record** that the destination writes. Everything follows from it:

* Before the commit record the source owns the guest. Whatever fails (the network, an action of
  either site, an engine) ends in ``rolled-back``: the source undoes what it did and its copy
  serves again; the destination writes *aborted*, so that it can never commit later, and removes
  its copy.
* The commit record is the **point of no return**. After it the destination owns the guest and
  only goes forward; nothing that fails there gives the guest back.
* Between sending COMMIT and hearing the answer the source cannot know on which side of that point
  the move is. It is ``committing``, then ``unsure``: its copy stays fenced (frozen and unplugged)
  until the destination says ``committed`` or ``aborted``. A destination that has not committed
  when it is asked aborts first and answers then, so the answer stays true. (Confirming the last
  round before COMMIT would narrow the doubt, and lengthen every pause by a round trip.)
* ``failed`` means that the side which owns the guest could not make it run. It is fenced too.

So at most one copy runs in any pair of states that the two engines can reach, and the source's
copy stops (state ``switch``) before COMMIT can be sent, hence before the destination's starts.

The table, read as "in this state, this event leads there"::

    source                                     destination
    prepare    --prepared-->    copy           prepare   --prepared-->   copy
    copy       --converged-->   pause          copy      --paused-->     switch
    pause      --paused-->      switch         switch    --committed-->  resume   (no return)
    switch     --commit-sent--> committing     resume    --resumed-->    announce
    committing --committed-->   settle         announce  --announced-->  settle
    unsure     --committed-->   settle         settle    --settled-->    retire
    settle     --settled-->     retire         retire    --retired-->    moved
    retire     --retired-->     moved
    prepare … switch, and on 'aborted' committing and unsure --> rolled-back
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from netcont.errors import MigrationError
from netcont.model.scenario import Phase


class Side(StrEnum):
    """One of the two engines."""

    SOURCE = "source"
    DESTINATION = "destination"


class State(StrEnum):
    """Where one engine is: a phase, doubt about the commit, or an end."""

    PREPARE = "prepare"
    COPY = "copy"
    PAUSE = "pause"
    SWITCH = "switch"
    COMMITTING = "committing"
    UNSURE = "unsure"
    RESUME = "resume"
    ANNOUNCE = "announce"
    SETTLE = "settle"
    RETIRE = "retire"
    MOVED = "moved"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"


class Event(StrEnum):
    """What happened to one engine."""

    PREPARED = "prepared"
    CONVERGED = "converged"
    PAUSED = "paused"
    COMMIT_SENT = "commit-sent"
    COMMITTED = "committed"
    ABORTED = "aborted"
    LOST = "lost"
    RESUMED = "resumed"
    ANNOUNCED = "announced"
    SETTLED = "settled"
    RETIRED = "retired"
    FAILED = "failed"
    BROKEN = "broken"


class IllegalEventError(MigrationError):
    """An engine met an event that its state does not allow: a mistake in the engine itself."""


_BEFORE_COMMIT: Mapping[Event, State] = {
    Event.FAILED: State.ROLLED_BACK,
    Event.ABORTED: State.ROLLED_BACK,
    Event.LOST: State.ROLLED_BACK,
    # The way back failed as well: the guest is fenced at its own site.
    Event.BROKEN: State.FAILED,
}
_AFTER_COMMIT: Mapping[Event, State] = {Event.BROKEN: State.FAILED}

_SOURCE: Mapping[State, Mapping[Event, State]] = {
    State.PREPARE: {Event.PREPARED: State.COPY, **_BEFORE_COMMIT},
    State.COPY: {Event.CONVERGED: State.PAUSE, **_BEFORE_COMMIT},
    State.PAUSE: {Event.PAUSED: State.SWITCH, **_BEFORE_COMMIT},
    State.SWITCH: {Event.COMMIT_SENT: State.COMMITTING, **_BEFORE_COMMIT},
    # ---- from here on the source may not act on its own: the destination may have committed.
    State.COMMITTING: {
        Event.COMMITTED: State.SETTLE,
        Event.ABORTED: State.ROLLED_BACK,
        Event.LOST: State.UNSURE,
        Event.BROKEN: State.FAILED,
    },
    State.UNSURE: {
        Event.COMMITTED: State.SETTLE,
        Event.ABORTED: State.ROLLED_BACK,
        Event.LOST: State.UNSURE,
        Event.BROKEN: State.FAILED,
    },
    # ---- from here on the guest is the destination's.
    State.SETTLE: {Event.SETTLED: State.RETIRE, Event.LOST: State.SETTLE},
    State.RETIRE: {Event.RETIRED: State.MOVED, Event.LOST: State.RETIRE},
    State.MOVED: {},
    State.ROLLED_BACK: {},
    State.FAILED: {},
}

_DESTINATION: Mapping[State, Mapping[Event, State]] = {
    State.PREPARE: {Event.PREPARED: State.COPY, **_BEFORE_COMMIT},
    State.COPY: {Event.PAUSED: State.SWITCH, **_BEFORE_COMMIT},
    State.SWITCH: {Event.COMMITTED: State.RESUME, **_BEFORE_COMMIT},
    # ---- the point of no return: the commit record is on the disk. Only forward from here.
    State.RESUME: {Event.RESUMED: State.ANNOUNCE, **_AFTER_COMMIT},
    State.ANNOUNCE: {Event.ANNOUNCED: State.SETTLE, **_AFTER_COMMIT},
    State.SETTLE: {Event.SETTLED: State.RETIRE, Event.LOST: State.SETTLE},
    State.RETIRE: {Event.RETIRED: State.MOVED, Event.LOST: State.RETIRE},
    State.MOVED: {},
    State.ROLLED_BACK: {},
    State.FAILED: {},
}

TABLE: Mapping[Side, Mapping[State, Mapping[Event, State]]] = MappingProxyType(
    {Side.SOURCE: _SOURCE, Side.DESTINATION: _DESTINATION}
)
"""For each side: which event leads from which state to which."""

MAY_RUN: Mapping[Side, frozenset[State]] = MappingProxyType(
    {
        Side.SOURCE: frozenset({State.PREPARE, State.COPY, State.PAUSE, State.ROLLED_BACK}),
        Side.DESTINATION: frozenset(
            {State.RESUME, State.ANNOUNCE, State.SETTLE, State.RETIRE, State.MOVED}
        ),
    }
)
"""The states in which a side's copy of the guest may run. In all others it must not."""

ENDS = frozenset({State.MOVED, State.ROLLED_BACK, State.FAILED})
"""States that nothing leads out of."""

ROLLS_BACK = frozenset({Phase.PREPARE, Phase.COPY, Phase.PAUSE, Phase.SWITCH})
"""Phases before the commit record: a failure in them leaves the guest at A."""


def advance(side: Side, state: State, event: Event) -> State:
    """The state that event leads to. Raises IllegalEventError where the table has no such way."""
    try:
        return TABLE[side][state][event]
    except KeyError:
        raise IllegalEventError(
            f"the {side} cannot take {event.value!r} in state {state.value!r}", phase=state.value
        ) from None
