"""Taking a deployment down when no connection needs it any more, and not before."""

from __future__ import annotations

import time
from collections.abc import Callable

from netcont.deploy.engine import Engine
from netcont.deploy.flows import look, usage
from netcont.deploy.usage import InUseError, Usage

_EACH_S = 1.0  # no event says that a connection has ended in every table


def retire(
    engine: Engine,
    name: str,
    *,
    drain_s: float = 0.0,
    tell: Callable[[Usage], None] = lambda _: None,
) -> Usage | None:
    """What Engine.down does, once nothing uses the deployment; returns what was seen last, None if
    there is no such deployment.

    drain_s: how long to wait for that; tell: called with what still uses it, while waiting. Raises
    InUseError when it is over, and at once where it cannot be seen.
    """
    until_s = time.monotonic() + drain_s
    while (record := engine.records.read(name)) is not None:
        found = usage(look(engine.node, record.stands), record.stands)
        if found.free:
            return found if engine.down(name) else None
        left_s = until_s - time.monotonic()
        if left_s <= 0 or not found.flows:
            raise InUseError(name, found)
        tell(found)
        time.sleep(min(_EACH_S, left_s))
    engine.down(name)
    return None
