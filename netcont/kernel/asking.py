"""Many questions at once to other hosts, each answered or not: echo and ARP requests."""

from __future__ import annotations

import fcntl
import select
import struct
import time
from collections.abc import Hashable, Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from netcont.errors import PrerequisiteError
from netcont.kernel.echo import EchoSocket
from netcont.kernel.heard import Heard, Mark, Outcome
from netcont.kernel.link_socket import LinkSocket
from netcont.kernel.namespace import Namespace
from netcont.kernel.question import OWN_MAC, Manner, Question

SMALL_BYTES = 84
"""A packet that every path takes: what ping(8) sends."""

_AT_ONCE = 64
"""Questions after which answers are looked for, so that no buffer overflows."""


ATTEMPTS = 3
_SIOCGIFMTU, _SIOCGIFHWADDR, _SIOCGIFINDEX = 0x8921, 0x8927, 0x8933
_NAME_BYTES, _IFREQ_BYTES = 16, 40
_NUMBER = struct.Struct("=i")

Key = TypeVar("Key", bound=Hashable)


class Answer(NamedTuple):
    """What was heard, and how long after it was asked."""

    heard: Heard
    rtt_s: float


class Asker:
    """Asks, and hears. A context manager; sockets are opened when they are needed first.

    node: where they are opened. The kernel's answers are told apart from those to others by a mark
    in each request.
    """

    def __init__(self, node: Namespace) -> None:
        self._node = node
        self._mark = Mark()
        self._echo: dict[int, EchoSocket] = {}
        self._links: LinkSocket | None = None
        self._asked: dict[int, tuple[Hashable, float]] = {}
        self._known: list[Heard] = []
        self._poll = select.poll()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self._sockets():
            one.close()

    def ask(self, key: Hashable, question: Question, size_bytes: int = SMALL_BYTES) -> None:
        """Sends one request; key is given back with what is heard of it.

        size_bytes: of the packet.
        """
        number = len(self._asked)
        try:
            self._open(question)
            self._asked[number] = (key, time.monotonic())
            self._known += self._send(number, question, size_bytes)
        except PrerequisiteError as error:
            self._asked[number] = (key, time.monotonic())
            why = ": ".join(filter(None, (error.message, error.remedy)))
            self._known.append(Heard(number, Outcome.UNSENT, time.monotonic(), why=why))
        if number % _AT_ONCE == _AT_ONCE - 1:
            self._take()

    def _send(self, number: int, question: Question, size_bytes: int) -> list[Heard]:
        link, ends = question.link or "", (question.source, question.destination)
        macs = question.macs
        try:
            index = self._index(link) if link else 0
            if macs is not None and macs.source == OWN_MAC:
                macs = macs._replace(source=self._mac(link))
        except OSError as error:
            return [Heard(number, Outcome.UNSENT, time.monotonic(), why=str(error.strerror))]
        if question.manner is Manner.ECHO:
            return self._echo_socket(question.family).send(number, *ends, size_bytes, index)
        if question.manner is Manner.ARP and macs is not None:
            return self._link_socket().ask_arp(number, link, macs, ends[1], size_bytes)
        return self._link_socket().ask_echo(number, link, macs, ends, size_bytes)

    def hear(self, until_s: float) -> Iterator[tuple[Any, Answer]]:
        """What has come, waiting for something at least, but not after until_s (time.monotonic)."""
        self._take()
        if not self._known:
            left_s = until_s - time.monotonic()
            if left_s > 0 and self._poll.poll(left_s * 1000):
                self._take()
        known, self._known = self._known, []
        for each in known:
            if each.number in self._asked:
                key, asked_s = self._asked[each.number]
                yield key, Answer(each, each.at_s - asked_s)

    def _open(self, question: Question) -> None:
        """Before the clock runs. A raw socket of the packets around hears that one of them came to
        where no tunnel ends."""
        for family in {question.family, question.around} - {0}:
            self._echo_socket(family)
        if question.manner is not Manner.ECHO:
            self._link_socket()

    def _sockets(self) -> list[EchoSocket | LinkSocket]:
        return [*self._echo.values(), *([self._links] if self._links else [])]

    def _take(self) -> None:
        for one in self._sockets():
            self._known += one.receive()

    def _echo_socket(self, family: int) -> EchoSocket:
        if family not in self._echo:
            with self._node.entered():
                self._echo[family] = EchoSocket(family, self._mark)
            self._poll.register(self._echo[family].fileno(), select.POLLIN | select.POLLERR)
        return self._echo[family]

    def _link_socket(self) -> LinkSocket:
        if self._links is None:
            with self._node.entered():
                self._links = LinkSocket(self._mark)
            self._poll.register(self._links.fileno(), select.POLLIN)
        return self._links

    def mtu(self, link: str) -> int | None:
        """The link's MTU in bytes; None if there is no such link. After something was asked."""
        try:
            return int(_NUMBER.unpack_from(self._of_link(_SIOCGIFMTU, link), _NAME_BYTES)[0])
        except OSError:
            return None

    def _mac(self, link: str) -> str:
        return self._of_link(_SIOCGIFHWADDR, link)[_NAME_BYTES + 2 :][:6].hex(":")

    def _index(self, link: str) -> int:
        return int(_NUMBER.unpack_from(self._of_link(_SIOCGIFINDEX, link), _NAME_BYTES)[0])

    def _of_link(self, request: int, link: str) -> bytes:
        """netdevice(7). Raises OSError."""
        some = next(iter(self._echo.values()))
        return fcntl.ioctl(some.fileno(), request, link.encode().ljust(_IFREQ_BYTES, b"\0"))


def asked(
    asker: Asker,
    questions: Mapping[Key, tuple[Question, int]],
    patience_s: float,
    attempts: int = ATTEMPTS,
) -> dict[Key, Answer]:
    """What each question comes to, by its key; what stays silent is not in it.

    questions: with the size of the packet. patience_s: for all attempts together. Whoever has not
    answered is asked again: packets get lost, and a tunnel's end may have been absent a moment ago.
    """
    found: dict[Key, Answer] = {}
    began_s = time.monotonic()
    for attempt in range(1, attempts + 1):
        missing = {key for key in questions if key not in found or _perhaps_later(found[key])}
        for key in missing:
            asker.ask(key, *questions[key])
        until_s = began_s + patience_s * attempt / attempts
        while missing and time.monotonic() < until_s:
            for key, answer in asker.hear(until_s):
                missing.discard(key)
                if key in questions and (key not in found or _more(answer, found[key])):
                    found[key] = answer
    return found


def _perhaps_later(answer: Answer) -> bool:
    return answer.heard.outcome < Outcome.TOO_BIG


def _more(one: Answer, other: Answer) -> bool:
    return one.heard.outcome > other.heard.outcome
