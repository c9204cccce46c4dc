"""What both engines do alike: their state, their record, what they report."""

from __future__ import annotations

from netcont.migration.memory import BackgroundDigest, MemoryImage
from netcont.migration.phases import Event, Side, State, advance
from netcont.migration.record import Record
from netcont.migration.reports import (
    Channel,
    Digest,
    Instant,
    Moment,
    Note,
    PhaseMark,
    Reached,
)
from netcont.migration.site import END, FAULTS, START, Clock, Hook, Setup, SiteActions
from netcont.model.scenario import Phase


class Engine:
    """One side of a move. Opens and locks its record (MigrationError if another holds it)."""

    side: Side

    def __init__(
        self,
        setup: Setup,
        actions: SiteActions,
        channel: Channel,
        on_phase: Hook,
        clock: Clock,
    ) -> None:
        self.setup = setup
        self.actions = actions
        self.channel = channel
        self.on_phase = on_phase
        self.clock = clock
        self.state = State.PREPARE
        self.record = Record(setup.record, setup.run_id, self.side, clock)

    def step(self, event: Event, reason: str | None = None, *, best_effort: bool = False) -> float:
        """Goes where event leads, written down before anything follows from it.

        Returns the instant. Raises OSError if it cannot be written; the state is the old one
        then. best_effort: for steps that a recovery would find out or repeat, and that must not
        fail; what could not be written is noted.
        """
        state = advance(self.side, self.state, event)
        try:
            at_s = self.record.write(state, reason)
        except OSError as error:
            if not best_effort:
                raise
            at_s = self.clock()
            self.note(f"state {state.value} could not be recorded: {explain(error)}")
        self.state = state
        self.channel.send(Reached(self.side, state, at_s, reason))
        return at_s

    def begin(self, phase: Phase) -> None:
        """phase starts now."""
        self._mark(phase, START)

    def end(self, phase: Phase) -> None:
        """phase is over."""
        self._mark(phase, END)

    def _mark(self, phase: Phase, edge: str) -> None:
        self.channel.send(PhaseMark(self.side, phase, edge, self.clock()))
        self.on_phase(phase, edge)

    def tell(self, moment: Moment, at_s: float) -> None:
        """Reports a moment of the guest."""
        self.channel.send(Instant(self.side, moment, at_s))

    def start_digest(self) -> BackgroundDigest | None:
        """Begins to hash this side's image; None, and reported, if it cannot be read."""
        try:
            with MemoryImage.open(self.setup.image) as image:
                return BackgroundDigest(image)
        except FAULTS as error:
            self._no_digest(error)
            return None

    def finish_digest(self, digest: BackgroundDigest) -> None:
        """Waits for the digest and reports it."""
        try:
            self.channel.send(Digest(self.side, digest.result()))
        except FAULTS as error:
            self._no_digest(error)

    def _no_digest(self, error: Exception) -> None:
        self.note(f"the memory image of the {self.side} was not hashed: {explain(error)}")
        self.channel.send(Digest(self.side, None))

    def note(self, text: str) -> None:
        """Reports what a reader of the outcome should know."""
        self.channel.send(Note(self.side, text))


def explain(error: BaseException) -> str:
    """error in one line."""
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{where}"
    return str(error).replace("\n", " ")
