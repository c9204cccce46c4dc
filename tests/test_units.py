"""netcont.units: what a text with a unit means, and what is no quantity."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.errors import ConfigurationError
from netcont.units import BITS_PER_SECOND, BYTES, BYTES_PER_SECOND, SECONDS, Dimension

DIMENSIONS = (SECONDS, BITS_PER_SECOND, BYTES, BYTES_PER_SECOND)

written = st.tuples(
    st.sampled_from(DIMENSIONS).flatmap(
        lambda d: st.tuples(st.just(d), st.sampled_from(sorted(d.factors)))
    ),
    st.decimals(-(10**12), 10**12, places=3, allow_nan=False),
    st.sampled_from(["", " ", "  "]),
)


@pytest.mark.parametrize(
    ("dimension", "text", "value"),
    [
        (SECONDS, "50 ms", 0.05),
        (SECONDS, "35ms", 0.035),
        (SECONDS, " 1.5 s ", 1.5),
        (SECONDS, "250 us", 0.00025),
        (SECONDS, "2 min", 120.0),
        (SECONDS, "1 h", 3600.0),
        (SECONDS, "-5 ms", -0.005),
        (SECONDS, "1e3 ms", 1.0),
        (BITS_PER_SECOND, "100 Mbit/s", 100e6),
        (BITS_PER_SECOND, "64kbps", 64e3),
        (BITS_PER_SECOND, "1 Gbit/s", 1e9),
        (BYTES, "16 MiB", 16 * 2**20),
        (BYTES, "4096 B", 4096),
        (BYTES, "1 kB", 1000),
        (BYTES_PER_SECOND, "2 MiB/s", 2 * 2**20),
    ],
)
def test_a_quantity_is_read_in_si(dimension: Dimension, text: str, value: float) -> None:
    assert dimension.parse(text) == value


@pytest.mark.parametrize(
    ("dimension", "text", "message"),
    [
        (SECONDS, "50", "'50' is not a duration"),
        (SECONDS, "50 msec", "'50 msec' is not a duration"),
        (SECONDS, "50 MS", "'50 MS' is not a duration"),
        (SECONDS, "ms", "'ms' is not a duration"),
        (SECONDS, "", "'' is not a duration"),
        (SECONDS, "1 s 5 ms", "'1 s 5 ms' is not a duration"),
        (SECONDS, "٣ s", "'٣ s' is not a duration"),
        (SECONDS, "inf s", "'inf s' is not a duration"),
        (SECONDS, "1e999 h", "'1e999 h' is too large for a duration"),
        (SECONDS, "1e99999999 s", "'1e99999999 s' is not a duration"),
        (BITS_PER_SECOND, "100 MB/s", "'100 MB/s' is not a bit rate"),
        (BYTES, "16 Mbit", "'16 Mbit' is not a size"),
        (BYTES_PER_SECOND, "2 MiB", "'2 MiB' is not a byte rate"),
    ],
)
def test_what_is_no_quantity_is_refused_with_the_value_and_a_remedy(
    dimension: Dimension, text: str, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        dimension.parse(text)
    assert caught.value.message == message
    assert caught.value.remedy.startswith("write ")


@given(written)
def test_what_is_written_is_read_exactly_and_rounded_once(
    parts: tuple[tuple[Dimension, str], object, str],
) -> None:
    (dimension, unit), number, space = parts
    exact = Fraction(str(number)) * Fraction(repr(dimension.factors[unit]))
    assert dimension.parse(f"{number}{space}{unit}") == float(exact)


@given(written)
def test_the_pattern_for_json_schema_matches_what_is_read(
    parts: tuple[tuple[Dimension, str], object, str],
) -> None:
    (dimension, unit), number, space = parts
    assert re.search(dimension.pattern(), f"{number}{space}{unit}")


@given(st.sampled_from(DIMENSIONS), st.text())
def test_any_text_is_a_finite_number_or_a_configuration_error(
    dimension: Dimension, text: str
) -> None:
    try:
        value = dimension.parse(text)
    except ConfigurationError:
        return
    assert math.isfinite(value)
    assert re.search(dimension.pattern(), text)


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
def test_the_example_of_a_dimension_can_be_read(dimension: Dimension) -> None:
    assert dimension.parse(dimension.example) > 0
