"""Which agent a mobile node turns to, judged by advertisements (RFC 5944 2.4).

Theory. A node stays with its agent as long as it hears it; that alone keeps a flood of other
advertisements from driving it to and fro. `hear` and `tick` return at most one `Move`:

| heard                                      | searching | with an agent           | at home |
|--------------------------------------------|-----------|-------------------------|---------|
| the home agent (2.4.3)                     | HOME      | HOME                    | -       |
| an agent that will have us                 | FOUND     | FOUND if ours is silent | FOUND * |
| our agent                                  | .         | -                       | .       |
| our agent, numbered anew (2.3.2)           | .         | RESTARTED               | .       |
| our agent, without our care-of address     | .         | FOUND, its next one     | .       |
| our agent, with nothing for us any more    | .         | LOST, or FOUND another  | .       |
| nothing until our agent's lifetime is over | .         | LOST, or FOUND another  | LOST *  |

Ours is silent: it has missed advertisements for half of its lifetime, and the other one is on
another network as far as prefix lengths tell (2.4.2.2); else the lifetime decides. (*) Only when
the home agent's own lifetime is over. After each move the node dwells for a time before anything
but the home agent or the end of a lifetime moves it again, and what it remembers is bounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network

from netcont.mobileip.discovery import AgentAdvertisement, AgentFlags
from netcont.mobileip.policy import NodePolicy

FIRST_AFTER_ROLLOVER = 256
"""A sequence number that falls below it was begun anew. RFC 5944 2.3.2."""

_SILENT = 0.5


class Move(Enum):
    """What an advertisement, or their absence, means for the node."""

    FOUND = "another agent"
    RESTARTED = "our agent has forgotten us"
    LOST = "no agent any more"
    HOME = "we are at home"


@dataclass(slots=True)
class Heard:
    """An agent and its last advertisement."""

    agent: IPv4Address
    advertisement: AgentAdvertisement
    at: float

    @property
    def expires_at(self) -> float:
        """When it counts as gone if nothing is heard any more."""
        return self.at + self.advertisement.lifetime_s

    @property
    def network(self) -> IPv4Network | None:
        """The link's network, if the agent told its prefix length."""
        for router in self.advertisement.routers:
            if router.prefix_length is not None:
                prefix = (int(router.address), router.prefix_length)
                return IPv4Network(prefix, strict=False)
        return None


class Movement:
    """The agents that a node hears, and the one that it has turned to."""

    def __init__(self, home_agent: IPv4Address, policy: NodePolicy) -> None:
        self._home_agent = home_agent
        self._policy = policy
        self._agents: dict[int, Heard] = {}
        self._moved_at = -math.inf
        # Seen at once, acted upon when the node has dwelt long enough.
        self._restarted = False
        self.current: Heard | None = None
        self.care_of_address: IPv4Address | None = None

    def __len__(self) -> int:
        return len(self._agents)

    @property
    def at_home(self) -> bool:
        """Whether the node has turned to its home agent."""
        return self.current is not None and self.current.agent == self._home_agent

    def hear(
        self, advertisement: AgentAdvertisement, source: IPv4Address, now: float
    ) -> Move | None:
        """Take an advertisement."""
        before = self._remember(advertisement, source, now)
        if before is None:
            return None
        heard, sequence = before
        if source == self._home_agent and advertisement.flags & AgentFlags.H:
            return None if self.at_home else self._turn_to(heard, now)
        current = self.current
        if current is not None and source == current.agent:
            began_anew = sequence is not None and (
                advertisement.sequence < min(sequence, FIRST_AFTER_ROLLOVER)
            )
            self._restarted = self._restarted or began_anew
            return self._hear_ours(heard, now) if self._may_move(now) else None
        if not self._would_have_us(heard):
            return None
        if current is None or (self._silent(current, heard, now) and self._may_move(now)):
            return self._turn_to(heard, now)
        return None

    def _hear_ours(self, heard: Heard, now: float) -> Move | None:
        if not self._would_have_us(heard):
            return self._leave(now)
        if self.care_of_address not in heard.advertisement.care_of_addresses:
            return self._turn_to(heard, now)
        if not self._restarted:
            return None
        self._restarted = False
        self._moved_at = now
        return Move.RESTARTED

    def next_deadline(self) -> float:
        """When `tick` has something to do; infinite for never."""
        return math.inf if self.current is None else self.current.expires_at

    def tick(self, now: float) -> Move | None:
        """Notice that the agent is no longer heard."""
        if self.current is None or now < self.current.expires_at:
            return None
        return self._leave(now)

    def _remember(
        self, advertisement: AgentAdvertisement, source: IPv4Address, now: float
    ) -> tuple[Heard, int | None] | None:
        """Its entry with the sequence number before; None if there is no room for it."""
        key = int(source)
        heard = self._agents.get(key)
        if heard is not None:
            sequence = heard.advertisement.sequence
            heard.advertisement, heard.at = advertisement, now
            return heard, sequence
        if len(self._agents) >= self._policy.max_agents:
            self._agents = {
                other: one
                for other, one in self._agents.items()
                if one is self.current or now < one.expires_at
            }
        if len(self._agents) >= self._policy.max_agents and source != self._home_agent:
            return None
        heard = self._agents[key] = Heard(source, advertisement, now)
        return heard, None

    def _would_have_us(self, heard: Heard) -> bool:
        flags, policy = heard.advertisement.flags, self._policy
        if not flags & AgentFlags.F or not heard.advertisement.care_of_addresses:
            return False
        mine = heard is self.current
        # Busy agents take nobody new, but keep whom they have (RFC 5944 2.1.1).
        return (
            (mine or not flags & AgentFlags.B)
            and (not policy.reverse_tunnel or bool(flags & AgentFlags.T))
            and (not policy.gre or bool(flags & AgentFlags.G))
        )

    def _silent(self, current: Heard, other: Heard, now: float) -> bool:
        lifetime_s = current.advertisement.lifetime_s
        if now < current.at + _SILENT * lifetime_s:
            return False
        here, there = current.network, other.network
        return here is not None and there is not None and here != there

    def _may_move(self, now: float) -> bool:
        return now >= self._moved_at + self._policy.dwell_s

    def _turn_to(self, heard: Heard, now: float) -> Move:
        self.current = heard
        self.care_of_address = next(iter(heard.advertisement.care_of_addresses), None)
        self._moved_at = now
        self._restarted = False
        return Move.HOME if heard.agent == self._home_agent else Move.FOUND

    def _leave(self, now: float) -> Move:
        """Turn to the agent heard last, if there is one."""
        gone, self.current = self.current, None
        alive = [
            one
            for one in self._agents.values()
            if one is not gone and now < one.expires_at and self._would_have_us(one)
        ]
        if not alive:
            return Move.LOST
        return self._turn_to(max(alive, key=lambda one: one.at), now)
