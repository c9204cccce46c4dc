"""Python's collector of garbage, kept from looking where there is none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Within, Python does not look for garbage: what a command imports, and makes of a file and of
    the kernel's tables, lives until it ends, and looking through it again and again is a fifth of
    its time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
