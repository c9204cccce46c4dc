"""An agent at work: sockets, clock, signals and the control socket around a role.

One thread, one loop. A message is answered after what it changed is in the file and in the kernel.
SIGTERM and SIGINT end it cleanly, SIGHUP has it read its settings again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from netcont.agent import control
from netcont.agent.foreign import ForeignDaemon
from netcont.agent.home import HomeDaemon
from netcont.agent.node import NodeDaemon
from netcont.agent.notify import notify
from netcont.agent.reporter import Reporter
from netcont.agent.role import Out, Role
from netcont.agent.settings import ForeignSettings, HomeSettings, NodeSettings, Settings
from netcont.agent.store import Store
from netcont.agent.wires import Wires
from netcont.errors import ConfigurationError, NetcontError
from netcont.kernel.namespace import Namespace
from netcont.kernel.origin import kernel_origin
from netcont.mobileip.events import (
    Denied,
    Deregistered,
    Event,
    Registered,
    RegistrationLost,
    Step,
)

Say = Callable[[str, str], None]
Read = Callable[[], Settings]

# Less than whoever asks has patience for: it is to hear why.
_WAIT_LIMIT_S = 25.0


def run_agent(settings: Settings, node: Namespace, say: Say, *, again: Read | None = None) -> None:
    """Serves until a signal ends it. again: reads the settings anew, for SIGHUP.

    The calling process must be in node's namespace. Raises ConfigurationError if it cannot begin.
    """
    # Whoever started it may have had them held back.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    asyncio.run(_serve(settings, node, say, again))


def role_of(settings: Settings, node: Namespace, store: Store) -> Role:
    """The daemon that such settings are for."""
    match settings:
        case HomeSettings():
            return HomeDaemon(settings, node, store)
        case ForeignSettings():
            return ForeignDaemon(settings, node, store)
        case NodeSettings():
            return NodeDaemon(settings, node, store)


async def _serve(settings: Settings, node: Namespace, say: Say, again: Read | None) -> None:
    with _Agent(settings, node, say, again) as agent:
        await agent.ended.wait()


def _limit(request: Mapping[str, Any]) -> float:
    return min(_WAIT_LIMIT_S, float(request.get("limit_s", _WAIT_LIMIT_S)))


class _Agent:
    def __init__(self, settings: Settings, node: Namespace, say: Say, again: Read | None) -> None:
        self.ended = asyncio.Event()
        self._settings = settings
        self._node = node
        self._say = say
        self._again = again
        self._reporter = Reporter(say)
        self._resources = contextlib.ExitStack()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._waiting: dict[int, list[asyncio.Future[str]]] = {}
        self._denied: dict[int, Denied] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._began_s = time.monotonic()
        # Unix time that never jumps: lifetimes count on it.
        self._offset_s = time.time() - time.monotonic()

    def __enter__(self) -> _Agent:
        settings, loop = self._settings, asyncio.get_running_loop()
        try:
            self._store = Store(settings.state)
            self._resources.callback(self._store.close)
            self._store.begin(kernel_origin(), self._now())
            self._wires = Wires(
                settings.address,
                settings.link,
                everywhere=isinstance(settings, NodeSettings),
                icmp=settings.advertises,
            )
            self._resources.callback(self._wires.close)
            inlet = control.listen(settings.control)
            self._resources.callback(control.remove, settings.control)
            self._resources.callback(inlet.close)
            self._role = role_of(settings, self._node, self._store)
            self._out(self._role.start(self._now()))
            self._watch(loop, self._wires.udp, self._hear)
            self._watch(loop, self._wires.news, self._news)
            if self._wires.icmp is not None:
                self._watch(loop, self._wires.icmp, self._hear_icmp)
            self._watch(loop, inlet, lambda: self._accept(inlet))
            for signum in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(signum, self.ended.set)
            loop.add_signal_handler(signal.SIGHUP, self._reload)
        except BaseException:
            self._resources.close()
            raise
        self._say("info", f"ready role={self._role.status(self._now())['role']}")
        notify("READY=1")
        return self

    def __exit__(self, *error: object) -> None:
        notify("STOPPING=1")
        with self._resources:
            self._out(self._role.stop(self._now()))
        self._say("info", "stopped")

    def _watch(
        self, loop: asyncio.AbstractEventLoop, one: socket.socket, act: Callable[[], None]
    ) -> None:
        loop.add_reader(one, act)
        self._resources.callback(loop.remove_reader, one)

    # ---- what comes

    def _now(self) -> float:
        return time.monotonic() + self._offset_s

    def _hear(self) -> None:
        heard = self._wires.datagrams()
        self._follow(lambda now: self._role.receive(heard, now))

    def _hear_icmp(self) -> None:
        for data, source in self._wires.icmp_messages():
            self._follow(partial(self._role.receive_icmp, data, source))

    def _news(self) -> None:
        self._wires.take_news()
        self._follow(self._role.links_changed)

    def _due(self) -> None:
        self._timer = self._timer_at = None
        self._follow(self._role.expire)

    def _follow(self, act: Callable[[float], Out]) -> None:
        """Does something now, and what follows. What fails has no answer: it is asked again."""
        now = self._now()
        try:
            out = act(now)
        except NetcontError as error:
            self._reporter.complain(type(error).__name__, str(error), now)
            out = Step()
        self._out(out)

    def _reload(self) -> None:
        """New settings with the old bindings; settings that are wrong change nothing."""
        if self._again is None:
            return
        notify("RELOADING=1")
        try:
            fresh = self._again()
            kept = ("address", "link", "control", "state", "advertises", "forwards")
            changed = [k for k in kept if getattr(fresh, k) != getattr(self._settings, k)]
            if type(fresh) is not type(self._settings) or changed:
                raise ConfigurationError(
                    f"{', '.join(changed) or 'the role'} cannot change while it runs",
                    remedy="restart the agent",
                )
            role = role_of(fresh, self._node, self._store)
            self._role.hand_over()
            try:
                out = role.start(self._now())
            except NetcontError:
                role.hand_over()
                raise
            self._role, self._settings = role, fresh
            self._out(out)
            self._say("info", "reloaded")
        except NetcontError as error:
            self._say("warning", f"not reloaded: {error}")
        notify("READY=1")

    # ---- what follows

    def _out(self, out: Out) -> None:
        now = self._now()
        for line in self._wires.send(out.replies, out.icmp, self._role.is_near):
            self._reporter.complain("sending", f"not sent {line}", now)
        self._reporter.report(out.events, now)
        for event in out.events:
            self._tell_waiting(event)
        self._set_timer()

    def _set_timer(self) -> None:
        at = self._role.deadline()
        if at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, at
        if at is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, at - self._now()), self._due)

    # ---- the control socket

    def _accept(self, inlet: socket.socket) -> None:
        try:
            peer, _ = inlet.accept()
        except OSError:
            return
        if not control.may_ask(peer):
            peer.close()
            return
        task = asyncio.get_running_loop().create_task(self._converse(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, peer: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=peer)
        with contextlib.suppress(OSError, ValueError):
            line = await reader.readline()
            try:
                request = json.loads(line)
                if not isinstance(request, dict):
                    raise ValueError("a request is a JSON object")
                answer = await self._answer(request)
            except NetcontError as error:
                answer = {"error": error.message, "remedy": error.remedy}
            except ValueError as error:
                answer = {"error": f"not understood: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if request.get("do") == "status":
            return self._status()
        home = int(IPv4Address(str(request.get("home_address", "0.0.0.0"))))
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        with self._awaiting(home, told):
            self._out(self._role.command(request, self._now()))
            if not request.get("wait"):
                return {"done": "sent"}
            try:
                return {"done": await asyncio.wait_for(told, _limit(request))}
            except TimeoutError:
                raise self._unanswered(home) from None

    @contextlib.contextmanager
    def _awaiting(self, home: int, told: asyncio.Future[str]) -> Iterator[None]:
        self._waiting.setdefault(home, []).append(told)
        try:
            yield
        finally:
            self._waiting[home].remove(told)
            if not self._waiting[home]:
                del self._waiting[home]
                self._denied.pop(home, None)

    def _unanswered(self, home: int) -> ConfigurationError:
        denied = self._denied.get(home)
        if denied is None:
            return ConfigurationError(
                "the home agent did not answer", remedy="is it running, and reachable?"
            )
        return ConfigurationError(
            f"refused with code {int(denied.code)}: {denied.why}",
            remedy="the log of the home agent says why; the request is repeated meanwhile",
        )

    def _tell_waiting(self, event: Event) -> None:
        if isinstance(event, Registered | Deregistered | RegistrationLost):
            for told in self._waiting.get(int(event.home_address), ()):
                if not told.done():
                    told.set_result(type(event).__name__.lower())
        elif isinstance(event, Denied) and int(event.home_address) in self._waiting:
            self._denied[int(event.home_address)] = event

    def _status(self) -> dict[str, Any]:
        now = self._now()
        return {
            **self._role.status(now),
            "uptime_s": round(time.monotonic() - self._began_s, 1),
            "counters": dict(sorted(self._reporter.counters.items())),
            "denials": {str(code): n for code, n in sorted(self._reporter.denials.items())},
        }
