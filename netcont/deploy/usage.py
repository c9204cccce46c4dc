"""What is found to use a deployment's path, for people and for programs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netcont.errors import NetcontError
from netcont.kernel.flow import Flow

_SHOWN = 10
_LISTED = 1000


@dataclass(frozen=True)
class Usage:
    """What uses a deployment's path. flows: the connections that count; unseen: why there may be
    more than these; empty: there are no more."""

    flows: tuple[Flow, ...] = ()
    unseen: tuple[str, ...] = ()

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
        }


class InUseError(NetcontError):
    """A deployment is still needed, or it cannot be seen whether it is (exit code 1)."""

    def __init__(self, name: str, usage: Usage) -> None:
        self.usage = usage
        if usage.flows:
            shown = "\n  ".join(str(each) for each in usage.flows[:_SHOWN])
            more = len(usage.flows) - _SHOWN
            rest = f"\n  and {more} more" if more > 0 else ""
            message = f"{name} is in use by {in_words(len(usage.flows))}:\n  {shown}{rest}"
            remedy = "wait for them with --drain SECONDS, or break them with --force"
        else:
            message = f"{name} may be in use: " + "; ".join(usage.unseen)
            remedy = "mend that, then wait as long as your longest connection is silent; or --force"
        super().__init__(message, remedy=remedy)


def in_words(count: int) -> str:
    """A number of connections, in words."""
    return f"{count or 'no'} connection{'s' * (count != 1)}"
