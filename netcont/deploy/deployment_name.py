"""What a deployment is called, given its file or that name itself."""

from __future__ import annotations

import re
from pathlib import Path

from netcont.errors import ConfigurationError


def deployment_name(path_or_name: str) -> str:
    """What a deployment is called: its file's name without the ending.

    Raises ConfigurationError if that is no name.
    """
    name = Path(path_or_name).name.removesuffix(".toml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ConfigurationError(
            f"{path_or_name!r}: {name!r} cannot be the name of a deployment",
            remedy="call the file by letters, digits, '-' and '_', such as web.toml",
        )
    return name
