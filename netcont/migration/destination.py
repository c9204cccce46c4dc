"""The engine at site B: takes the memory in, commits, resumes the guest; or removes its copy."""

from __future__ import annotations

import contextlib
import socket

from netcont.errors import MigrationError
from netcont.migration import wire
from netcont.migration.engine import Engine, explain
from netcont.migration.link import (
    ConnectionLostError,
    Link,
    PeerRefusedError,
    listen,
    wait_readable,
)
from netcont.migration.memory import PAGE_BYTES, MemoryImage
from netcont.migration.phases import Event, Side, State
from netcont.migration.record import has_committed, last_state
from netcont.migration.reports import Channel, Command, Listening, Moment, Reached
from netcont.migration.site import FAULTS, RECORDED, Clock, Hook, Setup, SiteActions, no_hook
from netcont.model.scenario import Phase

_SEEN = b"\1" * wire.MAX_BATCH_PAGES


class Intake:
    """The copy as it comes in, and whether it is whole."""

    def __init__(self, image: MemoryImage) -> None:
        self.image = image
        self._seen = bytearray(image.pages)
        self._round = 1
        self._pages = 0

    def take(self, link: Link, frame: wire.Pages) -> None:
        """Receives the pages of frame to where they belong."""
        first, count = frame.runs[-1]
        if first + count > self.image.pages:
            raise wire.RemoteProtocolError(
                f"the peer sent page {first + count - 1} of {self.image.pages}"
            )
        if frame.round != self._round:
            raise wire.RemoteProtocolError(
                f"the peer sent pages of round {frame.round} in round {self._round}"
            )
        link.receive_into(self.image.slices(frame.runs))
        for first, count in frame.runs:
            self._seen[first : first + count] = _SEEN[:count]
            self._pages += count

    def close_round(self, number: int, pages: int) -> None:
        """Raises RemoteProtocolError unless round number came with so many pages."""
        if (number, pages) != (self._round, self._pages):
            raise wire.RemoteProtocolError(
                f"the peer ended round {number} after {pages} pages; "
                f"round {self._round} had {self._pages} here"
            )
        self._round += 1
        self._pages = 0

    def finish(self, number: int, pages: int) -> None:
        """As close_round, for the last one: also raises if a page never came."""
        self.close_round(number, pages)
        missing = self._seen.count(0)
        if missing:
            raise wire.RemoteProtocolError(f"{missing} pages never came")


class Destination(Engine):
    """One move, seen from B. run() or, after an engine was killed, recover(); once."""

    side = Side.DESTINATION

    def __init__(
        self,
        setup: Setup,
        actions: SiteActions,
        channel: Channel,
        on_phase: Hook,
        clock: Clock,
    ) -> None:
        super().__init__(setup, actions, channel, on_phase, clock)
        self._timeout_s = setup.migration.timeout_s
        self._owns_image = False
        self._recorded_s: float | None = None
        self._thawed_s: float | None = None
        self._announced_s: float | None = None

    # ---- the way forward

    def run(self) -> State:
        """Takes the guest in, then answers questions until told to stop. Returns the end state."""
        self.record.write(self.state)
        with self._open_listener() as listener:
            link = self._await_source(listener)
            if link is not None:
                link = self._take_guest(link)
            return self._linger(listener, link)

    def _open_listener(self) -> socket.socket:
        listener = listen(self.setup.address)
        port: int = listener.getsockname()[1]
        self.channel.send(Listening(self.side, port))
        return listener

    def _await_source(self, listener: socket.socket) -> Link | None:
        """The connection on which the move comes; None if it is over before it began."""
        deadline = self.clock() + self.setup.give_up_s
        while True:
            left_s = max(deadline - self.clock(), 0.0)
            ready = wait_readable([listener, self.channel], left_s)
            if self.channel in ready or not ready:
                self._abort("told to stop" if ready else "the source did not come")
                return None
            link = self._accept(listener)
            if link is None:
                continue
            try:
                first = link.receive()
                if isinstance(first, wire.Prepare):
                    return link
                self._answer(link, first)
            except MigrationError as error:
                self.note(f"a connection came to nothing: {explain(error)}")
                link.refuse(explain(error))
            link.close()
            if self.state is State.ROLLED_BACK:
                return None

    def _accept(self, listener: socket.socket) -> Link | None:
        """A connection that belongs to this move; others are told so and closed."""
        try:
            link = Link(listener.accept()[0], self._timeout_s, self.clock)
        except OSError as error:  # it was gone before it was accepted
            self.note(f"a connection came to nothing: {explain(error)}")
            return None
        try:
            hello = link.expect(wire.Hello)
            pages = self.setup.memory_bytes // PAGE_BYTES
            if hello != wire.Hello(self.setup.wire_run_id, PAGE_BYTES, pages):
                raise wire.RemoteProtocolError(
                    "the peer is about another move: its run, page size or memory size differ"
                )
        except MigrationError as error:
            link.refuse(explain(error))
            link.close()
            self.note(f"a connection was refused: {explain(error)}")
            return None
        return link

    def _take_guest(self, link: Link) -> Link | None:
        """Returns link while it is of use."""
        try:
            self.begin(Phase.PREPARE)
            with MemoryImage.create(self.setup.image, self.setup.memory_bytes) as image:
                self._owns_image = True
                self.actions.apply(Phase.PREPARE)
                self.step(Event.PREPARED)
                link.send(wire.Prepared())
                self.end(Phase.PREPARE)
                self._receive(link, Intake(image))
                # ---- the point of no return: once this is written, the guest is B's.
                self._recorded_s = self.step(Event.COMMITTED)
        except FAULTS as error:
            self._abort(explain(error))
            link.refuse(explain(error))
            if isinstance(error, ConnectionLostError | PeerRefusedError):
                link.close()
            else:
                link.close_after_reading()
            return None
        # ---- can't fail from here: only forward.
        self.on_phase(Phase.SWITCH, RECORDED)
        self._resume(link)
        return link

    def _receive(self, link: Link, intake: Intake) -> None:
        """Returns when everything is here and the source said COMMIT."""
        self.begin(Phase.COPY)
        while True:
            match link.receive():
                case wire.Pages() as frame:
                    intake.take(link, frame)
                    link.keep_alive()
                case wire.RoundEnd(number, pages) as frame if self.state is State.COPY:
                    intake.close_round(number, pages)
                    link.send(frame)
                case wire.Paused() if self.state is State.COPY:
                    self.step(Event.PAUSED)
                    self.end(Phase.COPY)
                    self.begin(Phase.SWITCH)
                    self.actions.apply(Phase.SWITCH)
                case wire.Commit(number, pages) if self.state is State.SWITCH:
                    intake.finish(number, pages)
                    return
                case other:
                    raise wire.RemoteProtocolError(
                        f"the peer sent {type(other).__name__} in state {self.state.value}"
                    )

    def _resume(self, link: Link | None) -> None:
        self.end(Phase.SWITCH)
        self.begin(Phase.RESUME)
        try:
            self.actions.attach()
            # What the guest itself must learn, it learns before its first packet.
            self.actions.apply(Phase.RESUME)
            self.actions.thaw()
        except FAULTS as error:
            reason = f"the guest cannot be resumed at B: {explain(error)}"
            self.step(Event.BROKEN, reason, best_effort=True)
        else:
            self._thawed_s = self.clock()
            self.end(Phase.RESUME)
            self.step(Event.RESUMED, best_effort=True)
            self.tell(Moment.THAWED, self._thawed_s)
            self._announce()
        if self._recorded_s is not None:
            self.tell(Moment.COMMITTED, self._recorded_s)
        if link is not None:
            with contextlib.suppress(ConnectionLostError):  # the source will ask
                link.send(wire.Committed(self._recorded_s, self._thawed_s, self._announced_s))

    def _announce(self) -> None:
        self.begin(Phase.ANNOUNCE)
        try:
            self.actions.apply(Phase.ANNOUNCE)
        except FAULTS as error:
            self.note(f"the guest runs at B but could not be announced: {explain(error)}")
        self._announced_s = self.clock()
        self.end(Phase.ANNOUNCE)
        self.step(Event.ANNOUNCED, best_effort=True)

    # ---- the way back

    def _abort(self, reason: str) -> None:
        """First it becomes impossible that this side commits, then the traces go."""
        self.step(Event.FAILED, reason, best_effort=True)
        self._clean_up()

    def _clean_up(self) -> None:
        try:
            self.actions.undo()
        except FAULTS as error:
            self.note(f"the undoing at B failed: {explain(error)}")
        if self._owns_image:
            self.setup.image.unlink(missing_ok=True)

    # ---- afterwards

    def _linger(self, listener: socket.socket, link: Link | None) -> State:
        """Answers STATUS and RETIRE until told to stop: an unsure source may ask at any time."""
        links = [] if link is None else [link]
        digest = None
        if self.state is State.SETTLE:
            self.begin(Phase.SETTLE)
            digest = self.start_digest()
        while True:
            hashing = [] if digest is None else [digest]
            ready = wait_readable([listener, self.channel, *links, *hashing])
            if digest is not None and digest in ready:
                self.finish_digest(digest)
                digest = None
            if listener in ready and (link := self._accept(listener)):
                links.append(link)
            for link in [link for link in links if link in ready]:
                if not self._serve(link):
                    links.remove(link)
            if self.channel in ready:
                if self.channel.command() is Command.STOP:
                    break
                self._retire()
        if digest is not None:
            self.finish_digest(digest)
        for link in links:
            link.close()
        return self.state

    def _serve(self, link: Link) -> bool:
        """Answers what came on link; False if it is of no use any more, and closed."""
        try:
            self._answer(link, link.receive())
        except MigrationError as error:
            link.refuse(explain(error))
            link.close()
            return False
        return True

    def _answer(self, link: Link, frame: wire.Frame) -> None:
        match frame:
            case wire.Status():
                if not self._committed and self.state is not State.ROLLED_BACK:
                    self._abort("the source asked before the move was committed")
                link.send(
                    wire.StatusReply(
                        self._committed, self._recorded_s, self._thawed_s, self._announced_s
                    )
                )
            case wire.Retire() if self._committed:
                self._retire()
                link.send(wire.Retired())
            case other:
                raise wire.RemoteProtocolError(
                    f"the peer sent {type(other).__name__} in state {self.state.value}"
                )

    @property
    def _committed(self) -> bool:
        return self._recorded_s is not None

    def _retire(self) -> None:
        """Once; later ones do nothing."""
        if self.state is State.SETTLE:
            self.end(Phase.SETTLE)
            self.step(Event.SETTLED, best_effort=True)
        if self.state is not State.RETIRE:
            return
        self.begin(Phase.RETIRE)
        try:
            self.actions.apply(Phase.RETIRE)
        except FAULTS as error:
            self.note(f"the destination did not retire completely: {explain(error)}")
        self.end(Phase.RETIRE)
        self.step(Event.RETIRED, best_effort=True)

    # ---- after an engine was killed

    def recover(self) -> State:
        """Does what the record of a killed engine says is due, then lingers as run() does."""
        entries = self.record.entries
        last = last_state(entries)
        if has_committed(entries):
            self._recorded_s = next(e.at_s for e in entries if e.state is State.RESUME)
            if last in {State.SETTLE, State.RETIRE, State.MOVED}:
                self.state = last
                self.channel.send(Reached(self.side, last, self.clock()))
            else:
                self.state = State.RESUME
                self._resume(None)
        else:
            self._owns_image = True
            if last is State.ROLLED_BACK:
                self.state = last
                self._clean_up()
                self.channel.send(Reached(self.side, last, self.clock()))
            else:
                self.state = State.PREPARE if last is None else last
                self._abort(f"the destination's engine was killed in state {self.state.value}")
        with self._open_listener() as listener:
            return self._linger(listener, None)


def run_destination(
    setup: Setup,
    actions: SiteActions,
    channel: Channel,
    *,
    clock: Clock,
    on_phase: Hook = no_hook,
) -> State:
    """The main function of the engine at B; returns the state in which the move ended here."""
    destination = Destination(setup, actions, channel, on_phase, clock)
    with destination.record:
        return destination.run()
