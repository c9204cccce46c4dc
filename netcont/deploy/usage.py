"""What is found to use a deployment's path, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netcont.errors import NetcontError
from netcont.kernel.flow import Flow

_SHOWN = 10
_LISTED = 1000


@dataclass(frozen=True)
class Usage:
    """What uses a deployment's path. flows: the connections that count; unseen: why there may be
    more than these; empty: there are no more. idle: connections that do not count, as they have
    been idle for too long."""

    flows: tuple[Flow, ...] = ()
    unseen: tuple[str, ...] = ()
    idle: tuple[Flow, ...] = ()

    @property
    def free(self) -> bool:
        """Whether certainly nothing uses it."""
        return not self.flows and not self.unseen

    def values(self) -> dict[str, Any]:
        """The same for JSON; of very many connections only some are listed."""
        return {
            "count": len(self.flows),
            "unseen": list(self.unseen),
            "listed": [vars(each) for each in self.flows[:_LISTED]],
            "idle_count": len(self.idle),
            "idle_listed": [vars(each) for each in self.idle[:_LISTED]],
        }

    def idle_text(self) -> str:
        """Which connections do not count, for people; empty: there is none."""
        return f"left out as idle: {in_words(len(self.idle))}:{_list(self.idle)}" * bool(self.idle)


class InUseError(NetcontError):
    """A deployment is still needed, or it cannot be seen whether it is (exit code 1)."""

    def __init__(self, name: str, usage: Usage) -> None:
        self.usage = usage
        if usage.flows:
            message = f"{name} is in use by {in_words(len(usage.flows))}:{_list(usage.flows)}"
            remedy = (
                "wait for them with --drain SECONDS, leave out those that say nothing with"
                " --idle-timeout SECONDS, or break them with --force"
            )
        else:
            message = f"{name} may be in use: " + "; ".join(usage.unseen)
            remedy = "mend that, then wait as long as your longest connection is silent; or --force"
        message += f"\n{usage.idle_text()}" * bool(usage.idle)
        super().__init__(message, remedy=remedy)


def _list(flows: Sequence[Flow]) -> str:
    lines = [str(each) for each in flows[:_SHOWN]]
    if len(flows) > _SHOWN:
        lines.append(f"and {len(flows) - _SHOWN} more")
    return "".join(f"\n  {line}" for line in lines)


def in_words(count: int) -> str:
    """A number of connections, in words."""
    return f"{count or 'no'} connection{'s' * (count != 1)}"
