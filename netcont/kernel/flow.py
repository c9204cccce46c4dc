"""One connection, whoever knows of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flow:
    """A connection or an exchange of datagrams, from whoever began it.

    protocol: its name, or its number as text; ports: None where the protocol has none. state: as
    the kernel calls it, "" where there is none. expires_s: when the kernel forgets it unless it is
    used again; None: that is not known. translated: addresses that NAT has put in the place of
    these. seen_by: conntrack, or socket for this host's own. idle_s: for how long at least no
    packet of it was seen; None: that is not known.
    """

    protocol: str
    source: str
    source_port: int | None
    destination: str
    destination_port: int | None
    state: str = ""
    expires_s: int | None = None
    translated: tuple[str, ...] = ()
    seen_by: str = "conntrack"
    idle_s: int | None = None

    def __str__(self) -> str:
        ends = [
            _end(self.source, self.source_port),
            _end(self.destination, self.destination_port),
        ]
        state = f" {self.state}" if self.state else ""
        notes = [self.seen_by]
        if self.idle_s is not None:
            notes.append(f"idle for {self.idle_s} s")
        if self.expires_s is not None:
            notes.append(f"forgotten after {self.expires_s} s unused")
        return f"{self.protocol} {' -> '.join(ends)}{state} ({', '.join(notes)})"


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
