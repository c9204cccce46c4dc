"""The node's role: it hears an agent, registers through it, and comes home again."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

import pytest

from netcont.agent.foreign import ForeignDaemon
from netcont.agent.home import HomeDaemon
from netcont.agent.node import NodeDaemon
from netcont.agent.role import Out, Role
from netcont.errors import ConfigurationError
from netcont.mobileip.messages import PORT

from .agents import (
    AGENT_A,
    HOME,
    HOME_AGENT,
    NOW,
    binding_of,
    foreign_settings,
    here,
    home_settings,
    node_settings,
    store,
)


class World:
    """A node at a foreign agent's link, and its home agent; all stores in memory."""

    def __init__(self) -> None:
        self.stores = [store(), store(), store()]
        self.home = HomeDaemon(home_settings(), here(), self.stores[0])
        self.foreign = ForeignDaemon(foreign_settings(), here(), self.stores[1])
        self.node = NodeDaemon(node_settings(), here(), self.stores[2])
        self.roles: dict[IPv4Address, Role] = {
            HOME_AGENT: self.home,
            AGENT_A: self.foreign,
            HOME: self.node,
        }
        for address, role in self.roles.items():
            self.carry(address, role.start(NOW - 1), NOW - 1)

    def carry(self, source: IPv4Address, out: Out, now: float) -> None:
        """Delivers what a role sent, and what follows from it."""
        if source == AGENT_A:
            for message in out.icmp:
                self.carry(HOME, self.node.receive_icmp(message.data, AGENT_A, now), now)
        for one in out.replies:
            to, origin = one.to[0], (source, PORT)
            self.carry(to, self.roles[to].receive([(one.data, origin)], now), now)

    def advertise(self, now: float) -> None:
        self.carry(AGENT_A, self.foreign.expire(now), now)

    def told(self) -> dict[str, object]:
        told: dict[str, object] = json.loads(json.dumps(self.node.status(NOW)))
        return told

    def close(self) -> None:
        for one in self.stores:
            one.close()


def test_a_node_that_hears_an_agent_registers_through_it() -> None:
    world = World()
    assert world.told()["registered"] is False
    world.advertise(NOW)
    told = world.told()
    assert (told["registered"], told["care_of_address"]) == (True, str(AGENT_A))
    assert told["foreign_agent"] == str(AGENT_A)
    assert binding_of(world.home) == str(AGENT_A)
    (visitor,) = world.foreign.status(NOW)["visitors"]
    assert (visitor["home_address"], visitor["home_agent"]) == (str(HOME), str(HOME_AGENT))
    world.close()


def test_a_node_that_is_told_to_leave_ends_its_binding() -> None:
    world = World()
    world.advertise(NOW)
    world.carry(HOME, world.node.command({"do": "leave"}, NOW + 5), NOW + 5)
    assert world.told()["registered"] is False
    assert binding_of(world.home) is None
    world.close()


def test_a_node_at_home_has_nothing_to_register() -> None:
    world = World()
    with pytest.raises(ConfigurationError, match="at home"):
        world.node.command({"do": "register"}, NOW)
    with pytest.raises(ConfigurationError, match="cannot 'dance'"):
        world.node.command({"do": "dance"}, NOW)
    world.close()


def test_what_strangers_send_changes_nothing() -> None:
    world = World()
    world.advertise(NOW)
    before = world.node.status(NOW)
    for data in (b"", b"\x03", b"\x09" * 16, b"\xff" * 100):
        assert world.node.receive([(data, (AGENT_A, PORT))], NOW).replies == ()
        assert world.node.receive_icmp(data, AGENT_A, NOW).replies == ()
    assert world.node.status(NOW) == before
    world.close()
