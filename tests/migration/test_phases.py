"""The state table, and what must hold whatever happens to a pair of engines."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.migration.phases import (
    ENDS,
    MAY_RUN,
    ROLLS_BACK,
    TABLE,
    Event,
    IllegalEventError,
    Side,
    State,
    advance,
)
from netcont.model.scenario import Phase

SOURCE, DESTINATION = Side.SOURCE, Side.DESTINATION


def test_the_way_forward_passes_every_phase() -> None:
    state = State.PREPARE
    for event in (Event.PREPARED, Event.CONVERGED, Event.PAUSED, Event.COMMIT_SENT):
        state = advance(SOURCE, state, event)
    assert state is State.COMMITTING
    for event in (Event.COMMITTED, Event.SETTLED, Event.RETIRED):
        state = advance(SOURCE, state, event)
    assert state is State.MOVED


def test_an_event_that_the_table_does_not_know_is_an_error() -> None:
    with pytest.raises(IllegalEventError, match="the source cannot take 'resumed'"):
        advance(SOURCE, State.COPY, Event.RESUMED)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("phase", sorted(ROLLS_BACK))
def test_failure_before_the_commit_rolls_back(side: Side, phase: Phase) -> None:
    state = State(phase.value)
    if state in TABLE[side]:
        assert advance(side, state, Event.FAILED) is State.ROLLED_BACK


def test_nothing_leads_back_from_behind_the_point_of_no_return() -> None:
    after = {State.RESUME, State.ANNOUNCE, State.SETTLE, State.RETIRE, State.MOVED}
    for side in Side:
        for state in after & set(TABLE[side]):
            assert State.ROLLED_BACK not in TABLE[side][state].values()


def test_ends_are_ends() -> None:
    for side in Side:
        for state in ENDS:
            assert not TABLE[side][state]


@dataclass
class Pair:
    """Both engines, what is on the line between them, and what the destination wrote down."""

    source: State = State.PREPARE
    destination: State = State.PREPARE
    to_source: list[Event] = field(default_factory=list)
    to_destination: list[Event] = field(default_factory=list)
    committed: bool = False
    aborted: bool = False
    connected: bool = True

    def possible(self) -> list[str]:
        """What may happen next: each engine's own progress, arrivals, failures, a cut."""
        moves = []
        if self.source in {State.PREPARE, State.COPY, State.PAUSE, State.SWITCH}:
            moves += ["source-step", "source-fails"]
        if self.destination in {State.PREPARE, State.COPY}:
            moves += ["destination-fails"]
        if self.destination is State.PREPARE:
            moves += ["destination-prepared"]
        if self.destination in {State.RESUME, State.ANNOUNCE}:
            moves += ["destination-step"]
        if self.to_destination and self.connected:
            moves += ["deliver-to-destination"]
        if self.to_source and self.connected:
            moves += ["deliver-to-source"]
        if self.connected:
            moves += ["cut"]
        elif self.source is State.UNSURE:
            moves += ["ask"]
        return moves

    def happen(self, move: str) -> None:
        getattr(self, "_" + move.replace("-", "_"))()

    def _source_step(self) -> None:
        if not self.connected:
            self.source = advance(SOURCE, self.source, Event.LOST)
            return
        event = {
            State.PREPARE: Event.PREPARED,
            State.COPY: Event.CONVERGED,
            State.PAUSE: Event.PAUSED,
            State.SWITCH: Event.COMMIT_SENT,
        }[self.source]
        self.source = advance(SOURCE, self.source, event)
        if event in {Event.PAUSED, Event.COMMIT_SENT}:
            self.to_destination.append(event)

    def _source_fails(self) -> None:
        self.source = advance(SOURCE, self.source, Event.FAILED)
        self.to_destination.append(Event.ABORTED)

    def _abort_destination(self, event: Event) -> None:
        self.destination = advance(DESTINATION, self.destination, event)
        self.aborted = True

    def _destination_fails(self) -> None:
        self._abort_destination(Event.FAILED)
        self.to_source.append(Event.ABORTED)

    def _destination_prepared(self) -> None:
        self.destination = advance(DESTINATION, self.destination, Event.PREPARED)

    def _destination_step(self) -> None:
        event = Event.RESUMED if self.destination is State.RESUME else Event.ANNOUNCED
        self.destination = advance(DESTINATION, self.destination, event)
        if event is Event.ANNOUNCED:
            self.to_source.append(Event.COMMITTED)

    def _deliver_to_destination(self) -> None:
        event = self.to_destination.pop(0)
        if self.destination in ENDS:
            return
        if event is Event.ABORTED:
            self._abort_destination(event)
        elif event is Event.COMMIT_SENT and self.destination is State.SWITCH:
            self.destination = advance(DESTINATION, self.destination, Event.COMMITTED)
            self.committed = True
        elif event is Event.PAUSED and self.destination is State.COPY:
            self.destination = advance(DESTINATION, self.destination, event)
        else:
            self._abort_destination(Event.FAILED)
            self.to_source.append(Event.ABORTED)

    def _deliver_to_source(self) -> None:
        event = self.to_source.pop(0)
        if self.source not in ENDS | {State.SETTLE}:
            self.source = advance(SOURCE, self.source, event)

    def _cut(self) -> None:
        self.connected = False
        self.to_source.clear()
        self.to_destination.clear()
        if self.source is State.COMMITTING:
            self.source = advance(SOURCE, self.source, Event.LOST)
        if self.destination in {State.PREPARE, State.COPY, State.SWITCH}:
            self._abort_destination(Event.LOST)

    def _ask(self) -> None:
        event = Event.COMMITTED if self.committed else Event.ABORTED
        self.source = advance(SOURCE, self.source, event)

    def check(self) -> None:
        source_runs = self.source in MAY_RUN[SOURCE]
        destination_runs = self.destination in MAY_RUN[DESTINATION]
        assert not (source_runs and destination_runs), "two copies run"
        assert not (self.committed and self.aborted), "committed and aborted"
        assert destination_runs == self.committed, "B runs exactly when it has committed"
        if self.committed:
            assert not source_runs
        if self.source is State.UNSURE:
            assert not source_runs
        if self.source is State.ROLLED_BACK:
            assert not self.committed, "rolled back although B has committed"


@given(st.data())
def test_never_do_two_copies_run(data: st.DataObject) -> None:
    pair = Pair()
    while moves := pair.possible():
        pair.happen(data.draw(st.sampled_from(moves)))
        pair.check()
    # Nothing can happen any more: exactly one copy serves.
    serving = [
        pair.source in MAY_RUN[SOURCE],
        pair.destination in MAY_RUN[DESTINATION],
    ]
    assert serving.count(True) == 1
