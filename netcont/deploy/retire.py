"""Taking a deployment down when no connection needs it any more, and not before."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from netcont.deploy.engine import Engine
from netcont.deploy.flows import look, usage, watched
from netcont.deploy.quiet import Quiet
from netcont.deploy.usage import InUseError, Usage

_EACH_S = 1.0  # no event says that a connection has ended in every table


def retire(
    engine: Engine,
    name: str,
    *,
    drain_s: float = 0.0,
    idle_timeout_s: float = math.inf,
    tell: Callable[[Usage], None] = lambda _: None,
) -> Usage | None:
    """What Engine.down does, once nothing uses the deployment; returns what was seen last, None if
    there is no such deployment.

    drain_s: how long to wait for that; idle_timeout_s: what has been idle for so long does not use
    it; tell: called with what still uses it, while waiting. Raises InUseError when
    it is over, and at once where it cannot be seen.
    """
    quiet = Quiet()
    until_s = time.monotonic() + drain_s
    while (record := engine.records.read(name)) is not None:
        seen = look(engine.node, record.stands)
        found = usage(watched(seen, quiet, time.monotonic()), record.stands, idle_timeout_s)
        if found.free:
            return None if engine.down(name) is None else found
        left_s = until_s - time.monotonic()
        if left_s <= 0 or not found.passing:
            raise InUseError(name, found)
        tell(found)
        time.sleep(min(_EACH_S, left_s))
    engine.down(name)
    return None
