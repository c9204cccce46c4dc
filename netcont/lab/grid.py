"""Fixed starting instants: a measurement begins on a grid of the clock, not when set-up is over.

In virtual time the kernel's timers then fire at the same distance from the begin in every lab,
however long the set-up took there.
"""

from __future__ import annotations

import math
import time

STEP_S = 10.0


def next_begin_s(now_s: float) -> float:
    """The first grid instant that leaves at least half a step for the last preparations."""
    return math.ceil((now_s + STEP_S / 2) / STEP_S) * STEP_S


def sleep_until(instant_s: float) -> None:
    """Returns at instant_s of the monotonic clock, or at once if it has passed."""
    left_s = instant_s - time.monotonic()
    if left_s > 0:
        time.sleep(left_s)
