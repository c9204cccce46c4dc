"""What a home agent must not forget over a restart."""

from __future__ import annotations

from dataclasses import dataclass

from netcont.mobileip.binding import Binding
from netcont.mobileip.freshness import Numbers


@dataclass(frozen=True, slots=True)
class HomeSnapshot:
    """The state that messages have made, as a value; in order of home addresses.

    identifications: the last accepted one of each node, without which replays would be believed
    again; nonces: those that nodes must bring back.
    """

    bindings: tuple[Binding, ...] = ()
    identifications: Numbers = ()
    nonces: Numbers = ()
