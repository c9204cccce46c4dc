"""The engine at site A: copies the memory, pauses the guest, hands it over; or takes it back."""

from __future__ import annotations

import time
from collections.abc import Sequence

from netcont.errors import MigrationError
from netcont.migration import wire
from netcont.migration.engine import Engine, explain
from netcont.migration.link import (
    ConnectionLostError,
    Link,
    PeerRefusedError,
    connect,
    wait_readable,
)
from netcont.migration.memory import (
    PAGE_BYTES,
    MemoryImage,
    batches,
    dirty_log,
    runs_of,
)
from netcont.migration.phases import ENDS, Event, Side, State
from netcont.migration.record import has_committed, last_state, read_record
from netcont.migration.reports import Channel, Command, Moment, Reached, RoundDone
from netcont.migration.site import (
    COMMIT_SENT,
    FAULTS,
    Clock,
    Hook,
    Setup,
    SiteActions,
    Writer,
    no_hook,
)
from netcont.migration.strategy import Progress, strategy
from netcont.model.samples import Round
from netcont.model.scenario import Phase

_FENCED = frozenset({State.PAUSE, State.SWITCH, State.COMMITTING, State.UNSURE})
_RETRY_S = 0.25


class Source(Engine):
    """One move, seen from A. run() or, after an engine was killed, recover(); once."""

    side = Side.SOURCE

    def __init__(
        self,
        setup: Setup,
        actions: SiteActions,
        writer: Writer,
        channel: Channel,
        on_phase: Hook,
        clock: Clock,
    ) -> None:
        super().__init__(setup, actions, channel, on_phase, clock)
        self._writer = writer
        self._link: Link | None = None
        self._timeout_s = setup.migration.timeout_s
        self._final = (0, 0, 0.0)  # the last round: number, pages, begun at

    # ---- the way forward

    def run(self) -> State:
        """Moves the guest. Returns the state in which it ended."""
        try:
            self.record.write(self.state)
            with MemoryImage.open(self.setup.image) as image:
                link = self._link = self._prepare(image)
                self._move(image, link)
        except FAULTS as error:
            return self._roll_back(Event.FAILED, explain(error))
        # ---- in doubt from here: only the destination knows whether it has committed.
        return self._await_outcome(link)

    def _prepare(self, image: MemoryImage) -> Link:
        self.begin(Phase.PREPARE)
        link = connect(self.setup.address, self._timeout_s, self.clock, self.setup.bandwidth_bps)
        self._link = link
        link.queue(wire.Hello(self.setup.wire_run_id, PAGE_BYTES, image.pages))
        link.send(wire.Prepare())
        self.actions.apply(Phase.PREPARE)
        link.expect(wire.Prepared)
        self.step(Event.PREPARED)
        self.end(Phase.PREPARE)
        return link

    def _move(self, image: MemoryImage, link: Link) -> None:
        log = dirty_log(self._writer.pid, image)
        try:
            self.note(f"dirty pages found by {log.name}")
            self.begin(Phase.COPY)
            plan = strategy(self.setup.migration.strategy)
            log.start()
            runs = [(0, image.pages)]
            number = 0
            while True:
                number += 1
                pages = self._copy_round(image, link, number, runs)
                dirty_bytes = log.peek().count(1) * PAGE_BYTES
                progress = Progress(number, pages * PAGE_BYTES, dirty_bytes)
                if plan.enough(progress, self.setup.migration, self.setup.bandwidth_bps):
                    break
                self._writer.hold()
                runs = runs_of(log.collect())
                self._writer.release()
            self.end(Phase.COPY)
            self.step(Event.CONVERGED)
            self._pause(link)
            self._switch(image, link, number + 1, runs_of(log.peek()))
        finally:
            log.close()

    def _copy_round(
        self, image: MemoryImage, link: Link, number: int, runs: Sequence[wire.Run]
    ) -> int:
        """Sends runs and waits until the destination has them: the next round starts with an
        empty pipe, so the pause never has old pages in front of it."""
        start_s = self.clock()
        pages = 0
        for batch in batches(runs, wire.MAX_BATCH_PAGES):
            frame = wire.Pages(number, batch)
            link.queue(frame, image.slices(batch))
            link.flush()
            link.notice()
            pages += frame.pages
        link.send(wire.RoundEnd(number, pages))
        answer = link.expect(wire.RoundEnd)
        if answer != wire.RoundEnd(number, pages):
            raise wire.RemoteProtocolError(f"the peer answered round {number} with {answer}")
        self._tell_round(number, pages, start_s, self.clock(), final=False)
        return pages

    def _tell_round(
        self, number: int, pages: int, start_s: float, end_s: float, *, final: bool
    ) -> None:
        done = Round(number, pages, pages * PAGE_BYTES, start_s, end_s, final)
        self.channel.send(RoundDone(self.side, done))

    def _pause(self, link: Link) -> None:
        self.begin(Phase.PAUSE)
        frozen_s = self.clock()
        # It freezes with the guest; held, it also stays quiet after the guest resumed, until the
        # two images were compared.
        self._writer.hold(wait=False)
        self.actions.freeze()
        self.actions.detach()
        link.send(wire.Paused(frozen_s))
        self.step(Event.PAUSED)
        self.tell(Moment.FROZEN, frozen_s)
        self.end(Phase.PAUSE)

    def _switch(
        self, image: MemoryImage, link: Link, number: int, runs: Sequence[wire.Run]
    ) -> None:
        """Fills the socket, switches while the kernel sends from it, then sends what is left.

        So neither waits for the other: the line is busy during the switch, and the switch does
        not wait until a slow line has taken everything.
        """
        self.begin(Phase.SWITCH)
        start_s = self.clock()
        pages = 0
        for batch in batches(runs, wire.MAX_BATCH_PAGES):
            frame = wire.Pages(number, batch)
            link.queue(frame, image.slices(batch))
            pages += frame.pages
        link.flush(wait=False)
        self.actions.apply(Phase.SWITCH)
        link.flush()
        self._final = (number, pages, start_s)
        self.step(Event.COMMIT_SENT)

    # ---- the outcome

    def _await_outcome(self, link: Link) -> State:
        number, pages, start_s = self._final
        try:
            link.send(wire.Commit(number, pages))
            self.on_phase(Phase.SWITCH, COMMIT_SENT)
            reply = link.expect(wire.Committed)
        except PeerRefusedError as error:
            return self._roll_back(Event.ABORTED, explain(error))
        except MigrationError as error:
            link.close()
            self._link = None
            self.step(Event.LOST, explain(error), best_effort=True)
            return self._ask_until_known(explain(error))
        end_s = self.clock() if reply.recorded_s is None else reply.recorded_s
        self._tell_round(number, pages, start_s, end_s, final=True)
        return self._handed_over(reply.recorded_s, reply.thawed_s)

    def _ask_until_known(self, reason: str) -> State:
        """Unsure: the guest stays fenced here until the destination's answer is known."""
        deadline = self.clock() + self.setup.give_up_s
        while True:
            answer = self._evidence() or ask(self.setup, self.clock)
            if answer is not None:
                if answer.committed:
                    return self._handed_over(answer.recorded_s, answer.thawed_s)
                return self._roll_back(Event.ABORTED, reason)
            if self.clock() >= deadline:
                break
            if self.channel.command(_RETRY_S) is Command.STOP:
                break
        why = f"{reason}; the destination never said whether it took the guest over"
        self.channel.send(Reached(self.side, self.state, self.clock(), why))
        return self.state

    def _evidence(self) -> wire.StatusReply | None:
        """What the other side's record says, where this side can read it."""
        if self.setup.peer_record is None:
            return None
        entries = read_record(self.setup.peer_record)
        if has_committed(entries):
            at_s = next(entry.at_s for entry in entries if entry.state is State.RESUME)
            return wire.StatusReply(True, at_s)
        if last_state(entries) is State.ROLLED_BACK:
            return wire.StatusReply(False)
        return None

    def _handed_over(self, recorded_s: float | None, thawed_s: float | None) -> State:
        self.step(Event.COMMITTED, best_effort=True)
        if recorded_s is not None:
            self.tell(Moment.COMMITTED, recorded_s)
        if thawed_s is not None:
            self.tell(Moment.THAWED, thawed_s)
        return self._settle()

    def _settle(self) -> State:
        """Hashes the image and waits until told that the old path is not needed any more."""
        self.begin(Phase.SETTLE)
        digest = self.start_digest()
        command = None
        while command is None:
            ready = wait_readable([self.channel, *([] if digest is None else [digest])])
            if digest is not None and digest in ready:
                self.finish_digest(digest)
                digest = None
            if self.channel in ready:
                command = self.channel.command()
        if digest is not None:
            self.finish_digest(digest)
        self.end(Phase.SETTLE)
        return self._retire() if command is Command.RETIRE else self.state

    def _retire(self) -> State:
        self.step(Event.SETTLED, best_effort=True)
        self.begin(Phase.RETIRE)
        self._retire_destination()
        try:
            self.actions.apply(Phase.RETIRE)
        except FAULTS as error:
            self.note(f"the source did not retire completely: {explain(error)}")
        self.end(Phase.RETIRE)
        self.step(Event.RETIRED, best_effort=True)
        return self.state

    def _retire_destination(self) -> None:
        """Over the move's connection, or over a new one: B's engine may be another one by now."""
        deadline = self.clock() + self._timeout_s
        link = self._link
        while True:
            try:
                if link is None:
                    link = connect(self.setup.address, self._timeout_s, self.clock)
                    link.queue(_hello(self.setup))
                link.send(wire.Retire())
                link.expect(wire.Retired)
            except MigrationError as error:
                if link is not None:
                    link.close()
                link = self._link = None
                if self.clock() >= deadline:
                    self.note(f"the destination did not retire: {explain(error)}")
                    return
                time.sleep(_RETRY_S / 5)
            else:
                link.close()
                self._link = None
                return

    # ---- the way back

    def _roll_back(self, event: Event, reason: str) -> State:
        """The guest first, the bookkeeping after: a peer that does not listen must not hold it.

        The record still names the state in which this began, so that a recovery would do it again.
        """
        trouble = []
        try:
            self.actions.undo()
        except FAULTS as error:
            trouble.append(f"the undoing failed: {explain(error)}")
        try:
            if self.state in _FENCED:
                self.actions.reattach()
                self.actions.thaw()
                self.tell(Moment.THAWED, self.clock())
            self._writer.release()
        except FAULTS as error:
            trouble.append(f"the guest cannot be brought back: {explain(error)}")
            event = Event.BROKEN
        if self._link is not None:
            self._link.refuse(reason)
            self._link.close()
            self._link = None
        self.step(event, "; ".join([reason, *trouble]), best_effort=True)
        return self.state

    # ---- after an engine was killed

    def recover(self) -> State:
        """Does what the record of a killed engine says is due. Returns the state it ended in."""
        last = last_state(self.record.entries)
        self.state = State.PREPARE if last is None else last
        reason = f"the source's engine was killed in state {self.state.value}"
        if self.state in ENDS:
            self.channel.send(Reached(self.side, self.state, self.clock()))
            return self.state
        if self.state in {State.SETTLE, State.RETIRE}:
            self.state = State.SETTLE  # to retire again does no harm
            return self._settle()
        if self.state in {State.COMMITTING, State.UNSURE}:
            self.step(Event.LOST, reason, best_effort=True)
            return self._ask_until_known(reason)
        return self._roll_back(Event.FAILED, reason)


def _hello(setup: Setup) -> wire.Hello:
    return wire.Hello(setup.wire_run_id, PAGE_BYTES, setup.memory_bytes // PAGE_BYTES)


def ask(setup: Setup, clock: Clock) -> wire.StatusReply | None:
    """What the destination says to STATUS; None if it cannot be reached."""
    try:
        link = connect(setup.address, setup.migration.timeout_s, clock)
    except ConnectionLostError:
        return None
    try:
        link.queue(_hello(setup))
        link.send(wire.Status())
        return link.expect(wire.StatusReply)
    except MigrationError:
        return None
    finally:
        link.close()


def run_source(
    setup: Setup,
    actions: SiteActions,
    writer: Writer,
    channel: Channel,
    *,
    clock: Clock,
    on_phase: Hook = no_hook,
) -> State:
    """The main function of the engine at A; returns the state in which the move ended here."""
    source = Source(setup, actions, writer, channel, on_phase, clock)
    with source.record:
        return source.run()
