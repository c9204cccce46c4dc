"""The scenarios that come with netcont: the TOML files beside this module."""

from __future__ import annotations

import tomllib
from importlib import resources


def builtin_names() -> tuple[str, ...]:
    """Their names: "default" first, the others in the alphabet's order."""
    files = resources.files(__package__).iterdir()
    names = {entry.name.removesuffix(".toml") for entry in files if entry.name.endswith(".toml")}
    return ("default", *sorted(names - {"default"}))


def builtin_text(name: str) -> str:
    """The TOML text of one. Raises KeyError for a name that is not in builtin_names()."""
    if name not in builtin_names():
        raise KeyError(name)
    return resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")


def builtin_description(name: str) -> str:
    """Its description, in a sentence. Raises KeyError as builtin_text() does."""
    return str(tomllib.loads(builtin_text(name)).get("description", ""))
