"""Quantities with units: what "50 ms", "100 Mbit/s" and "16 MiB" mean in SI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from netcont.errors import ConfigurationError

_QUANTITY = re.compile(r"\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([A-Za-z/]*)\s*")


@dataclass(frozen=True)
class Dimension:
    """One kind of quantity and the units it may be written in, each with its SI factor."""

    name: str
    factors: Mapping[str, float]

    def parse(self, text: str) -> float:
        """The SI value of text. Raises ConfigurationError for a wrong or missing unit."""
        match = _QUANTITY.fullmatch(text)
        if match is None or match[2] not in self.factors:
            raise ConfigurationError(
                f"{text!r} is not a {self.name}",
                remedy=f"write a number with one of the units {', '.join(self.factors)}",
            )
        return float(match[1]) * self.factors[match[2]]

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
)
BITS_PER_SECOND = Dimension("bit rate", MappingProxyType(_si("bit/s") | _si("bps")))
BYTES = Dimension("size", MappingProxyType({f"{p}B": float(f) for p, f in _BINARY.items()}))
BYTES_PER_SECOND = Dimension(
    "byte rate", MappingProxyType({f"{p}B/s": float(f) for p, f in _BINARY.items()})
)
