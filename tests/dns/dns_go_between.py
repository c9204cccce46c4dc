"""A server between client and name server that loses, alters or answers messages as it is told."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from netcont.dns.server import Server

Forward = Callable[[bytes], bytes]
Treatment = Callable[[bytes, Forward], bytes | None]
"""What becomes of a request (in wire format): the answer, or None for none."""

_OPCODE_UPDATE = 5  # RFC 2136 §1.3


def is_update(wire: bytes) -> bool:
    """Whether a message is an update."""
    return (wire[2] >> 3) & 0xF == _OPCODE_UPDATE


def pass_on(wire: bytes, forward: Forward) -> bytes:
    """The treatment that changes nothing."""
    return forward(wire)


@contextmanager
def relay(
    here: tuple[str, int], there: tuple[str, int], treat: Treatment = pass_on
) -> Iterator[Server]:
    """Updates over UDP are treated; all else passes. Where there is nobody, there is silence."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as streams,
        selectors.DefaultSelector() as selector,
    ):
        streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for inlet in (datagrams, streams):
            inlet.bind(here)
            selector.register(inlet, selectors.EVENT_READ)
        streams.listen()
        ended = threading.Event()

        def forward(wire: bytes) -> bytes:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outlet:
                outlet.settimeout(5)
                outlet.connect(there)
                outlet.send(wire)
                return outlet.recv(65535)

        def treated(wire: bytes) -> bytes | None:
            try:
                return treat(wire, forward) if is_update(wire) else forward(wire)
            except OSError:
                return None

        def serve() -> None:
            while not ended.is_set():
                for ready, _ in selector.select(0.02):
                    if ready.fileobj is datagrams:
                        wire, client = datagrams.recvfrom(65535)
                        answer = treated(wire)
                        if answer is not None:
                            datagrams.sendto(answer, client)
                    else:
                        _pass_stream(streams.accept()[0], there)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Server(*here)
        finally:
            ended.set()
            thread.join()


def _pass_stream(client: socket.socket, there: tuple[str, int]) -> None:
    """One question and its answer."""
    with client, contextlib.suppress(OSError):
        client.settimeout(5)
        with socket.create_connection(there, timeout=5) as server:
            for source, target in ((client, server), (server, client)):
                length = source.recv(2, socket.MSG_WAITALL)
                size = int.from_bytes(length, "big")
                target.sendall(length + source.recv(size, socket.MSG_WAITALL))
