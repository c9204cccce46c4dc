"""What is wrong with a message, and whose fault it is."""

from __future__ import annotations

from enum import Enum

from netcont.errors import NetcontError
from netcont.mobileip.codes import Code


class Blame(Enum):
    """Who made the nonsense."""

    LOCAL = "local"
    """We were asked to build something that the wire cannot hold."""
    REMOTE = "remote"
    """A peer sent something that the RFC forbids."""


class MessageError(NetcontError):
    """A message that cannot be built or parsed.

    blame: whose fault it is.
    code: the denial that the RFC wants, as a home agent says it; None: drop the message silently.
    """

    def __init__(
        self, message: str, *, blame: Blame, code: Code | None = None, remedy: str = ""
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.blame = blame
        self.code = code

    @property
    def foreign_code(self) -> Code | None:
        """The same denial as a foreign agent says it (RFC 5944 section 3.4)."""
        return Code.FA_POORLY_FORMED_REQUEST if self.poorly_formed else self.code

    @property
    def poorly_formed(self) -> bool:
        """Whether the message is a Registration Request of the wrong form."""
        return self.code is Code.HA_POORLY_FORMED_REQUEST


def unbuildable(message: str) -> MessageError:
    """The error for values that do not fit into their fields."""
    return MessageError(message, blame=Blame.LOCAL)


def malformed(message: str, code: Code | None = None) -> MessageError:
    """The error for bytes of a peer that do not follow the RFC."""
    return MessageError(message, blame=Blame.REMOTE, code=code)
