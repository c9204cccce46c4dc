"""Outcome to JSON and back. docs/outcome.md says what the fields mean.

Floats are rounded to microseconds (the probes' clocks are not better), so the same run gives the
same text; enumerations are written as their words; what is unknown is null. A number that is not
finite is unknown as well: JSON has no word for it.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netcont.errors import ConfigurationError
from netcont.model.outcome import SCHEMA_VERSION, Outcome

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FILE_NAME = "outcome.json"
DECIMALS = 6

_SHOWN_PROBLEMS = 3


def dumps(outcome: Outcome) -> str:
    """outcome as JSON text, ending with a line feed."""
    return json.dumps(plain(outcome), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """value as dicts, lists, text, rounded numbers and None. Raises TypeError for other types."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        # Adding 0.0 turns -0.0 into 0.0, which reads the same everywhere.
        return round(value, DECIMALS) + 0.0 if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def loads(text: str, source: str = "the outcome") -> Outcome:
    """The outcome in text; source names it in errors. Raises ConfigurationError."""
    try:
        data = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{source} is not JSON: {error}", remedy="give the outcome.json of a finished run"
        ) from error
    _check_version(data, source)
    from pydantic import ValidationError

    try:
        return _adapter().validate_python(data)
    except ValidationError as error:
        problems = error.errors()
        shown = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in problems[:_SHOWN_PROBLEMS]
        )
        more = len(problems) - _SHOWN_PROBLEMS
        rest = f" (and {more} more)" if more > 0 else ""
        raise ConfigurationError(
            f"{source} is not an outcome: {shown}{rest}",
            remedy="give a file that netcont wrote, unchanged",
        ) from None


def load(path: Path) -> Outcome:
    """The outcome in a file, or in the outcome.json of a results directory.

    Raises ConfigurationError if there is none, or if it cannot be read.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no {file}", remedy="give a results directory or its outcome.json"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error}", remedy="give a readable file that netcont wrote"
        ) from error
    return loads(text, str(file))


def _check_version(data: object, source: str) -> None:
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version is None:
        raise ConfigurationError(
            f"{source} has no schema_version", remedy="give the outcome.json of a finished run"
        )
    # bool is an int to Python, and true is no version.
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise ConfigurationError(
            f"{source} has schema_version {version!r}; this netcont reads {SCHEMA_VERSION}",
            remedy="read it with the netcont that wrote it, or run the comparison again",
        )


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")


@cache
def _adapter() -> TypeAdapter[Outcome]:
    from pydantic import TypeAdapter

    return TypeAdapter(Outcome)
