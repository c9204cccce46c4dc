from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import Bench, bench


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Bench]:
    """A guest at A and everything that a move needs."""
    with bench(tmp_path) as stand:
        yield stand
