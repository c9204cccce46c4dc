"""When to pause: pure arithmetic."""

from __future__ import annotations

import pytest

from netcont.errors import ConfigurationError
from netcont.migration.strategy import Progress, strategy
from netcont.model.scenario import Migration

MIB = 2**20


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress(1, 16 * MIB, 0), True),
        (Progress(1, 16 * MIB, 1_250_000), True),
        (Progress(1, 16 * MIB, 1_250_001), False),
        (Progress(2, 4 * MIB, 4 * MIB), True),
        (Progress(2, 4 * MIB, 3 * MIB), False),
        (Progress(10, 4 * MIB, 3 * MIB), True),
    ],
    ids=["nothing left", "just fits", "just not", "stuck", "shrinking", "rounds used up"],
)
def test_pre_copy_pauses_when_another_round_is_not_worth_it(
    progress: Progress, expected: bool
) -> None:
    migration = Migration(downtime_target_s=0.1, max_rounds=10)
    assert strategy("pre-copy").enough(progress, migration, 100e6) is expected


def test_an_unknown_strategy_is_named_with_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="'teleport'") as caught:
        strategy("teleport")
    assert "pre-copy" in caught.value.remedy
