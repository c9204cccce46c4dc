"""How a port is kept apart from what is said about gateways, as a value."""

from __future__ import annotations

from typing import NamedTuple


class IsolationFact(NamedTuple):
    """A port's table of nftables. found: there is one; as_wanted: with these rules; comment: on it.
    error: why that could not be read."""

    found: bool = False
    as_wanted: bool = False
    comment: str = ""
    error: str = ""
