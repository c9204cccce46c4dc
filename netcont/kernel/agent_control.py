"""Asking a running Mobile IP agent, over its control socket: a line of JSON, and one back."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

from netcont.errors import ConfigurationError, PrerequisiteError

_CHUNK_BYTES = 65536


def address_of(name: str) -> str:
    """What to bind or connect: a path, or for "@name" an abstract name of this namespace."""
    return "\0" + name[1:] if name.startswith("@") else name


def listener(name: str) -> int | None:
    """The number of the process that listens there, as root; None: nobody, or somebody else."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as outlet:
        outlet.setblocking(False)
        try:
            outlet.connect(address_of(name))
        except OSError:
            return None
        size = struct.calcsize("3i")
        process, user, _ = struct.unpack(
            "3i", outlet.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        )
    return process if user == 0 else None


def ask(name: str, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """Sends a request and waits for its answer.

    Raises PrerequisiteError if no agent is there, ConfigurationError if it refuses.
    """
    body = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as outlet:
            outlet.settimeout(timeout_s)
            outlet.connect(address_of(name))
            outlet.sendall(json.dumps(dict(request)).encode() + b"\n")
            while not body.endswith(b"\n"):
                chunk = outlet.recv(_CHUNK_BYTES)
                if not chunk:
                    break
                body += chunk
    except OSError as error:
        raise PrerequisiteError(
            f"no agent answers on {name}: {error.strerror or error}",
            remedy="is it running? `netcont agent home|foreign|node --config FILE` starts it",
        ) from error
    answer: dict[str, Any] = json.loads(body or b'{"error": "the agent hung up"}')
    if "error" in answer:
        raise ConfigurationError(str(answer["error"]), remedy=str(answer.get("remedy", "")))
    return answer
