from __future__ import annotations

import random

from .fuzz import fuzz
from .mutation import mutated
from .wire import SIGNED


def test_twenty_thousand_mutations_are_parsed_and_not_believed() -> None:
    tally = fuzz(20_000, seed=1)
    assert tally.mutations == 20_000
    # Some mutations change nothing that is covered, or nothing at all: those are to be believed.
    assert 0 < tally.believed < tally.unbelieved
    assert 0 < tally.unparsed < tally.mutations


def test_the_same_seed_gives_the_same_mutations() -> None:
    one, other = random.Random(3), random.Random(3)
    for data, _ in SIGNED * 20:
        assert mutated(data, one) == mutated(data, other)
