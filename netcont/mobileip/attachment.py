"""Where a mobile node is: its care-of address and the way to the home agent."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from netcont.mobileip.authentication import SecurityAssociation
from netcont.mobileip.datagram import Endpoint
from netcont.mobileip.messages import INFINITE_LIFETIME_S, PORT


@dataclass(frozen=True, slots=True)
class Attachment:
    """A care-of address, where requests for it go, and what signs them beside the node's own key.

    colocated: the node decapsulates for itself (D bit). agent_key: shared with the foreign agent
    that relays. proxy_key: the foreign agent's own, shared with the home agent, where the foreign
    agent itself registers for the node.
    """

    care_of_address: IPv4Address
    send_to: Endpoint
    colocated: bool = False
    max_lifetime_s: int = INFINITE_LIFETIME_S
    agent_key: SecurityAssociation | None = None
    proxy_key: SecurityAssociation | None = None

    @classmethod
    def through(
        cls,
        agent: IPv4Address,
        care_of_address: IPv4Address,
        *,
        max_lifetime_s: int = INFINITE_LIFETIME_S,
        key: SecurityAssociation | None = None,
    ) -> Attachment:
        """By way of a foreign agent and its care-of address."""
        return cls(care_of_address, (agent, PORT), False, max_lifetime_s, key)

    @classmethod
    def co_located(cls, care_of_address: IPv4Address, home_agent: IPv4Address) -> Attachment:
        """With a care-of address of the node's own; requests go to the home agent."""
        return cls(care_of_address, (home_agent, PORT), True)

    @classmethod
    def by_proxy(
        cls,
        care_of_address: IPv4Address,
        home_agent: IPv4Address,
        key: SecurityAssociation | None = None,
    ) -> Attachment:
        """As the foreign agent with this care-of address registers a node that cannot itself."""
        return cls(care_of_address, (home_agent, PORT), proxy_key=key)
