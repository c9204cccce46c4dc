"""What a client is told: whom to talk to, how, from when on, and until when."""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass, field
from typing import Final

from netcont.model.scenario import ClientKind, Place

FAST_STOP: Final = 0
GIVE_UP: Final = 1
REQUEST_STOP: Final = 2

# While the window is open a probe looks at the shared instants at least this often. Afterwards a
# silent connection is only watched: idle virtual time is free, but each wake-up is not.
FAST_NAP_S: Final = 0.25
SILENT_NAP_S: Final = 10.0


@dataclass(frozen=True)
class Ports:
    """Where the guest's services listen."""

    echo: int = 7
    discard: int = 9
    chargen: int = 19
    request: int = 80
    sink: int = 7007
    source: int = 7008


@dataclass(frozen=True)
class ClientSpec:
    """One client. rate_bps paces bulk kinds; command and output_dir are for programs; node is
    the host that it runs on; family is the IP version that the name is resolved to."""

    name: str
    kind: ClientKind
    place: Place
    client_id: int
    host_name: str
    rate_bps: float = 1e6
    command: str | None = None
    output_dir: str = ""
    ports: Ports = field(default_factory=Ports)
    node: str = ""
    family: int = 4


@dataclass(frozen=True)
class Schedule:
    """When a client begins, an instant of the monotonic clock. When it ends says Control."""

    start_s: float


class Control:
    """The end of the window, in memory shared by the worker and all probes.

    The worker does not know the end when it forks the probes. Both instants are infinite until
    it sets them; probes read ``instants`` directly, without a message or a system call. Short
    connections may be tried for longer than streams are probed: names need their TTL to change,
    streams show within seconds whether they live.
    """

    def __init__(self) -> None:
        self.instants = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("d")
        self.instants[FAST_STOP] = math.inf
        self.instants[GIVE_UP] = math.inf
        self.instants[REQUEST_STOP] = math.inf

    def end(
        self, fast_stop_s: float, give_up_s: float, request_stop_s: float | None = None
    ) -> None:
        """Say when fast probing stops, until when silent connections are watched, and when no new
        short connections are tried (default: when fast probing stops)."""
        # give_up first: who sees the window's end must find the other instant known.
        self.instants[GIVE_UP] = give_up_s
        self.instants[REQUEST_STOP] = fast_stop_s if request_stop_s is None else request_stop_s
        self.instants[FAST_STOP] = fast_stop_s

    @property
    def fast_stop_s(self) -> float:
        """When fast probes stop."""
        return float(self.instants[FAST_STOP])

    @property
    def give_up_s(self) -> float:
        """When watching stops."""
        return float(self.instants[GIVE_UP])


def following(due_s: float, period_s: float, now_s: float) -> float:
    """The next instant of an absolute schedule: what was missed is skipped, never made up for."""
    due_s += period_s
    if due_s <= now_s:
        due_s += period_s * math.ceil((now_s - due_s) / period_s)
        if due_s <= now_s:
            due_s += period_s
    return due_s
