"""After an engine was killed: the other half of "whatever fails, exactly one copy serves".

What is due follows from the record of the dead engine alone where it can, else from what the
other side says:

==============================  ==============================================================
the source's record ends in     what is due at A
==============================  ==============================================================
nothing, prepare … switch       COMMIT was not sent: roll back. B notices by itself and aborts.
committing, unsure              ask B; until it answers, stay fenced
settle, retire                  the guest is at B: hash, retire
an end                          nothing
==============================  ==============================================================

==============================  ==============================================================
the destination's record        what is due at B
==============================  ==============================================================
no commit record                write "aborted", undo, remove the copy
ends in resume, announce        attach and thaw (again), announce (again)
ends in settle or later         nothing but to answer
==============================  ==============================================================

A recovery takes the lock of the record first: beside a living engine it refuses to act. It may be
killed and repeated like the engine itself.
"""

from __future__ import annotations

from enum import StrEnum

from netcont.migration.destination import Destination
from netcont.migration.phases import ENDS, ROLLS_BACK, Side, State
from netcont.migration.record import Entry, has_committed, last_state
from netcont.migration.reports import Channel
from netcont.migration.site import Clock, Hook, Setup, SiteActions, Writer, no_hook
from netcont.migration.source import Source


class Due(StrEnum):
    """What a killed engine left to do."""

    ROLL_BACK = "roll back"
    ASK = "ask the destination"
    COMPLETE = "complete"
    NOTHING = "nothing"


def due(side: Side, entries: tuple[Entry, ...]) -> Due:
    """What is due at side, whose record holds entries. Pure."""
    last = last_state(entries)
    if side is Side.DESTINATION:
        if has_committed(entries):
            return Due.NOTHING if last is State.MOVED else Due.COMPLETE
        return Due.NOTHING if last is State.ROLLED_BACK else Due.ROLL_BACK
    if last is None or last.value in set(ROLLS_BACK):
        return Due.ROLL_BACK
    if last in ENDS:
        return Due.NOTHING
    return Due.COMPLETE if last in {State.SETTLE, State.RETIRE} else Due.ASK


def recover_source(
    setup: Setup,
    actions: SiteActions,
    writer: Writer,
    channel: Channel,
    *,
    clock: Clock,
    on_phase: Hook = no_hook,
) -> State:
    """Does what is due at A. Raises MigrationError if the engine still lives."""
    source = Source(setup, actions, writer, channel, on_phase, clock)
    with source.record:
        return source.recover()


def recover_destination(
    setup: Setup,
    actions: SiteActions,
    channel: Channel,
    *,
    clock: Clock,
    on_phase: Hook = no_hook,
) -> State:
    """Does what is due at B, then answers questions. Raises MigrationError if the engine lives.

    setup.address must be the one at which the killed engine listened: an unsure source asks there.
    """
    destination = Destination(setup, actions, channel, on_phase, clock)
    with destination.record:
        return destination.recover()
