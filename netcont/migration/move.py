"""One move as whoever started it sees it: two engines, what they report, the record of it all."""

from __future__ import annotations

import gc
import os
import select
import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from netcont.migration.memory import PAGE_BYTES
from netcont.migration.phases import ENDS, Side, State
from netcont.migration.reports import (
    Channel,
    Command,
    Died,
    Digest,
    Instant,
    Listening,
    Moment,
    Note,
    PhaseMark,
    Reached,
    Report,
    RoundDone,
    channel_pair,
)
from netcont.migration.site import END, START, Clock
from netcont.model.samples import MoveRecord, PhaseSpan, Round
from netcont.model.scenario import Phase

Main = Callable[[Channel], object]
"""The main function of an engine's process: run_source and its like, all else bound."""

# Which side's marks count where both report a phase. The switch is A's to begin and B's to end.
_BEGINS: Mapping[Phase, Side] = {
    **dict.fromkeys(Phase, Side.SOURCE),
    Phase.RESUME: Side.DESTINATION,
    Phase.ANNOUNCE: Side.DESTINATION,
}
_ENDS: Mapping[Phase, Side] = {**_BEGINS, Phase.SWITCH: Side.DESTINATION}


class EngineProcess:
    """An engine in a child process, which may be killed at any time.

    enter is called in the child first (to go to the hypervisor's network namespace). The child
    ends when main returns, and is told to when this end of the channel closes.
    """

    def __init__(self, side: Side, main: Main, enter: Callable[[], None] | None = None) -> None:
        self.side = side
        self.channel, theirs = channel_pair()
        self.pid = os.fork()
        if self.pid == 0:
            self.channel.close()
            _run_and_exit(main, enter, theirs)
        theirs.close()
        self.alive = True
        self._code = 0

    def tell(self, command: Command) -> None:
        """Sends a command; nothing happens if the engine is gone."""
        self.channel.send(command)

    def close(self) -> None:
        """Tells the engine to stop and waits until it has."""
        self.channel.hang_up()
        self.reap()

    def reap(self) -> int:
        """Waits for the process to end; 0 if it ended as it should."""
        if self.alive:
            self.alive = False
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code


def _run_and_exit(main: Main, enter: Callable[[], None] | None, channel: Channel) -> None:
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it stops it
        gc.disable()  # a collection of all that was inherited would fall into the pause
        if enter is not None:
            enter()
        main(channel)
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


@dataclass
class Story:
    """What the engines have reported so far. Feed it every report; ask it at any time."""

    marks: list[PhaseMark] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    moments: dict[Moment, float] = field(default_factory=dict)
    digests: dict[Side, str | None] = field(default_factory=dict)
    states: dict[Side, Reached] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dead: set[Side] = field(default_factory=set)
    ended: set[Side] = field(default_factory=set)
    port: int | None = None

    def add(self, report: Report) -> None:
        """Takes one report in."""
        match report:
            case PhaseMark():
                self.marks.append(report)
            case RoundDone(_, done):
                self.rounds.append(done)
            case Instant(_, moment, at_s):
                # Both sides may report what one of them did: the first to know is the one who did.
                self.moments.setdefault(moment, at_s)
            case Digest(side, digest):
                # A recovered engine hashes again, but the guest may have written by then.
                self.digests[side] = self.digests.get(side) or digest
            case Reached(side, _, _, error):
                self.states[side] = report
                self.dead.discard(side)
                if error is not None and error not in self.errors:
                    self.errors.append(error)
            case Note(_, text):
                self.notes.append(text)
            case Died(side):
                self.dead.add(side)
                self.errors.append(f"the engine of the {side} died")
            case Listening(_, port):
                self.port = port

    def state(self, side: Side) -> State | None:
        """The state that side reported last."""
        reached = self.states.get(side)
        return None if reached is None else reached.state

    @property
    def status(self) -> str:
        """moved, rolled-back or failed, by what is known now."""
        digests = [self.digests.get(side) for side in Side]
        if None not in digests and digests[0] != digests[1]:
            return "failed"
        if self.state(Side.DESTINATION) in {State.SETTLE, State.RETIRE, State.MOVED}:
            return "moved"
        if self.state(Side.SOURCE) is State.ROLLED_BACK:
            return "rolled-back"
        return "failed"

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return all(self._settled(side) for side in Side)

    def _settled(self, side: Side) -> bool:
        if side in self.dead | self.ended:
            return True
        state = self.state(side)
        return state in ENDS or (state in {State.SETTLE, State.RETIRE} and side in self.digests)

    def spans(self) -> tuple[PhaseSpan, ...]:
        """The phases in their order; one that never ended ends where the reports do."""
        last_s = max((mark.at_s for mark in self.marks), default=0.0)
        for reached in self.states.values():
            last_s = max(last_s, reached.at_s)
        spans = []
        for phase in Phase:
            start_s = self._edge(phase, START, _BEGINS[phase])
            if start_s is None:
                continue
            end_s = self._edge(phase, END, _ENDS[phase])
            spans.append(PhaseSpan(phase, start_s, last_s if end_s is None else end_s))
        return tuple(spans)

    def _edge(self, phase: Phase, edge: str, owner: Side) -> float | None:
        """The instant of that edge as the owner saw it, else as the other side did."""
        seen = [mark for mark in self.marks if mark.phase is phase and mark.edge == edge]
        seen.sort(key=lambda mark: (mark.side is not owner, mark.at_s))
        return seen[0].at_s if seen else None

    def record(self) -> MoveRecord:
        """The move, as far as it has come."""
        errors = list(self.errors)
        source, destination = (self.digests.get(side) for side in Side)
        if source is not None and destination is not None and source != destination:
            errors.append("the destination's memory differs from the source's")
        return MoveRecord(
            status=self.status,
            error="; ".join(errors) or None,
            phases=self.spans(),
            rounds=tuple(self.rounds),
            frozen_s=self.moments.get(Moment.FROZEN),
            thawed_s=self.moments.get(Moment.THAWED),
            committed_s=self.moments.get(Moment.COMMITTED),
            page_bytes=PAGE_BYTES,
            source_digest=source,
            destination_digest=destination,
        )


class Move:
    """Two engine processes and their story. Leaving the context stops both.

    recover: main functions that take over where an engine died, started at once; without one for
    a side, that side stays as its engine left it.
    """

    def __init__(
        self,
        source: EngineProcess,
        destination: EngineProcess,
        *,
        recover: Mapping[Side, Callable[[], EngineProcess]] | None = None,
        on_report: Callable[[Report], None] | None = None,
    ) -> None:
        self.engines = {Side.SOURCE: source, Side.DESTINATION: destination}
        self.story = Story()
        self._recover = dict(recover or {})
        self._on_report = on_report
        self._retiring = False

    def step(self, timeout_s: float | None = None) -> None:
        """Takes in what the engines report within timeout_s, one report of each at most."""
        living = [engine for engine in self.engines.values() if engine.alive]
        ready = select.select([engine.channel for engine in living], [], [], timeout_s)[0]
        for engine in living:
            if engine.channel in ready:
                self._take(engine, engine.channel.receive())

    def _take(self, engine: EngineProcess, message: Report | Command | None) -> None:
        if message is None:
            if engine.reap() == 0:
                self.story.ended.add(engine.side)
                return
            message = Died(engine.side)
        if isinstance(message, Command):
            return
        self.story.add(message)
        if self._on_report is not None:
            self._on_report(message)
        if isinstance(message, Reached) and message.side is Side.SOURCE:
            if message.state is State.ROLLED_BACK:
                # It has no more questions; the destination may not even have heard of it yet.
                self.engines[Side.DESTINATION].tell(Command.STOP)
        elif isinstance(message, Died) and engine.side in self._recover:
            engine.channel.close()
            self.engines[engine.side] = self._recover.pop(engine.side)()
            self.story.dead.discard(engine.side)
            if self._retiring:
                self.engines[engine.side].tell(Command.RETIRE)

    def run(self, clock: Clock, deadline_s: float) -> MoveRecord:
        """Until nothing more will happen by itself, or the clock reads deadline_s."""
        return self._until(lambda: self.story.settled, clock, deadline_s)

    def retire(self, clock: Clock, deadline_s: float) -> MoveRecord:
        """Tells the engines that the old path is not needed any more, and waits for them."""
        self._retiring = True
        self.engines[Side.SOURCE].tell(Command.RETIRE)
        done = {State.MOVED, State.ROLLED_BACK, State.FAILED}
        if not self.engines[Side.SOURCE].alive:
            self.engines[Side.DESTINATION].tell(Command.RETIRE)
        return self._until(
            lambda: all(
                self.story.state(side) in done or not engine.alive
                for side, engine in self.engines.items()
            ),
            clock,
            deadline_s,
        )

    def _until(self, condition: Callable[[], bool], clock: Clock, deadline_s: float) -> MoveRecord:
        while not condition():
            left_s = deadline_s - clock()
            if left_s <= 0:
                break
            self.step(left_s)
        return self.story.record()

    def close(self) -> None:
        """Stops both engines and waits for them."""
        for engine in self.engines.values():
            engine.close()
