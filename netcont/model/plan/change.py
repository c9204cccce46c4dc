"""What all changes have in common. Nothing here acts; ``netcont.kernel`` does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """One change on one node.

    Addresses and prefixes are in the text form that the kernel and RFC 5952 agree on; their family
    decides what is made of them.
    """

    node: str

    def undo(self) -> Change | None:
        """The change that takes this one back."""
        return None

    def commands(self) -> tuple[str, ...]:
        """Equal command lines."""
        raise NotImplementedError(type(self).__name__)


def is_ipv6(address: str) -> bool:
    """Whether an address or a prefix is of IPv6."""
    return ":" in address


def ip(address: str) -> str:
    """The word that a line about this address begins with."""
    return "ip -6" if is_ipv6(address) else "ip"
