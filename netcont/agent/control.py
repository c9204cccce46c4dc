"""The agent's control socket: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

from netcont.errors import ConfigurationError
from netcont.kernel.agent_control import address_of


def listen(name: str) -> socket.socket:
    """The control socket: a path, or "@name" in this network namespace.

    Raises ConfigurationError if another agent listens there.
    """
    inlet = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if not name.startswith("@"):
            _make_room(Path(name))
        before = os.umask(0o177)
        try:
            inlet.bind(address_of(name))
        finally:
            os.umask(before)
        inlet.listen(16)
    except OSError as error:
        inlet.close()
        raise ConfigurationError(
            f"cannot listen on {name}: {error.strerror or error}",
            remedy="if another agent has it, stop that, or choose another `control`",
        ) from error
    return inlet


def may_ask(peer: socket.socket) -> bool:
    """Whether whoever connected is root or the agent's own user (abstract names have no mode)."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return uid in (0, os.geteuid())


def remove(name: str) -> None:
    """The socket's file is gone."""
    if not name.startswith("@"):
        Path(name).unlink(missing_ok=True)


def _make_room(path: Path) -> None:
    """Removes what a killed agent left; a living one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
