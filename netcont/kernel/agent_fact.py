"""How a Mobile IP agent is, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class AgentFact(NamedTuple):
    """remains: there are files of it. settings: its TOML text. error: why it did not answer; told:
    its answer (see `netcont agent status`)."""

    running: bool = False
    remains: bool = False
    settings: str = ""
    error: str = ""
    told: Mapping[str, Any] = MappingProxyType({})

    def guest(self, home_address: str) -> Mapping[str, Any]:
        """What a foreign agent says of a guest; empty if nothing."""
        for one in self.told.get("guests", ()):
            if one["home_address"] == home_address:
                found: Mapping[str, Any] = one
                return found
        return {}

    def failure(self, home_address: str) -> str:
        """What the kernel refused it for that address."""
        return str(self.told.get("forwarding_failures", {}).get(home_address, ""))
