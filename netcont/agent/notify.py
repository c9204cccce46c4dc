"""What systemd is told (sd_notify(3)): ready, reloading, stopping. Without systemd: nothing."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Sends a state such as READY=1 to the service manager, if there is one."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    # A manager that is gone is no reason to stop serving.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outlet:
        outlet.sendto(state.encode(), address)
