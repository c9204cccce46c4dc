"""Quantities with units: what "50 ms", "100 Mbit/s" and "16 MiB" mean in SI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from netcont.errors import ConfigurationError

NUMBER_PATTERN = r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?"

_QUANTITY = re.compile(rf"\s*({NUMBER_PATTERN})\s*([A-Za-z/]*)\s*", re.ASCII)


@dataclass(frozen=True)
class Dimension:
    """One kind of quantity and the units it may be written in, each with its SI factor.

    unit: what bare numbers count, in words; example: a value as one would write it.
    """

    name: str
    factors: Mapping[str, float]
    unit: str
    example: str

    def parse(self, text: str) -> float:
        """The SI value of text, rounded once ("35 ms" is 0.035, not 35 times 0.001).

        Raises ConfigurationError for text that is no number with a unit of this dimension, and
        for a number too large to be held.
        """
        from fractions import Fraction

        match = _QUANTITY.fullmatch(text)
        if match is None or match[2] not in self.factors:
            raise ConfigurationError(
                f"{text!r} is not a {self.name}",
                remedy=f"write a number with one of the units {', '.join(self.factors)}",
            )
        try:
            return float(Fraction(match[1]) * Fraction(repr(self.factors[match[2]])))
        except OverflowError as error:
            raise ConfigurationError(
                f"{text!r} is too large for a {self.name}",
                remedy=f"write a smaller one, such as {self.example!r}",
            ) from error

    def pattern(self) -> str:
        """The regular expression (ECMA-262, as in JSON Schema) of what parse() reads."""
        units = "|".join(self.factors)
        return rf"^\s*{NUMBER_PATTERN}\s*({units})\s*$"

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Lets pydantic read text through parse(); only validation imports pydantic."""
        from pydantic_core import core_schema

        def read(value: object) -> object:
            if not isinstance(value, str):
                return value
            try:
                number = self.parse(value)
            except ConfigurationError as error:
                raise ValueError(f"{error.message}: {error.remedy}") from error
            return int(number) if number.is_integer() else number

        return core_schema.no_info_before_validator_function(read, handler(source))

    def __hash__(self) -> int:
        return hash(self.name)


def _si(suffix: str) -> dict[str, float]:
    return {f"{prefix}{suffix}": factor for prefix, factor in _PREFIXES.items()}


_PREFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_BINARY = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}

SECONDS = Dimension(
    "duration",
    MappingProxyType({"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}),
    unit="seconds",
    example="50 ms",
)
BITS_PER_SECOND = Dimension(
    "bit rate",
    MappingProxyType(_si("bit/s") | _si("bps")),
    unit="bits per second",
    example="100 Mbit/s",
)
BYTES = Dimension(
    "size",
    MappingProxyType({f"{p}B": float(f) for p, f in _BINARY.items()}),
    unit="bytes",
    example="16 MiB",
)
BYTES_PER_SECOND = Dimension(
    "byte rate",
    MappingProxyType({f"{p}B/s": float(f) for p, f in _BINARY.items()}),
    unit="bytes per second",
    example="2 MiB/s",
)
