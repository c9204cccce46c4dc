"""Two and three ends joined in memory, in good weather and in bad."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest

from netcont.mobileip.attachment import Attachment
from netcont.mobileip.events import Registered, RegistrationLost
from netcont.mobileip.foreign import ForeignAgent
from netcont.mobileip.home import HomeAgent
from netcont.mobileip.messages import PORT
from netcont.mobileip.node import MobileNode
from netcont.mobileip.policy import NodePolicy

from .machines import (
    AGENT_A,
    AGENT_B,
    AGENT_KEY,
    HOME,
    HOME_AGENT,
    NODE_A,
    Network,
    Weather,
    foreign_agent,
    home_agent,
    node,
)

STORM = Weather(loss=0.3, duplication=0.3, delay_s=(0.005, 2.0))
AT_A = Attachment.through(AGENT_A, AGENT_A)
AT_B = Attachment.through(AGENT_B, AGENT_B)
NODE_END = (NODE_A[0], PORT)


@dataclass
class Ends:
    network: Network
    home: HomeAgent
    a: ForeignAgent
    b: ForeignAgent
    node: MobileNode


def ends(seed: int, weather: Weather, *, signed: bool = True) -> Ends:
    joined = Ends(
        Network(Random(seed), weather),
        home_agent(signed=signed),
        foreign_agent(AGENT_A, signed=signed),
        foreign_agent(AGENT_B, signed=signed),
        node(NodePolicy(lifetime_s=120)),
    )
    for address, machine in (
        (HOME_AGENT, joined.home),
        (AGENT_A, joined.a),
        (AGENT_B, joined.b),
        (NODE_A[0], joined.node),
    ):
        joined.network.join(address, machine)
    return joined


def bound(joined: Ends) -> list[object]:
    return [binding.care_of_address for binding in joined.home.bindings_of(HOME)]


@pytest.mark.parametrize("signed", [False, True])
def test_in_good_weather_a_node_comes_moves_and_goes_home(signed: bool) -> None:
    joined = ends(1, Weather(), signed=signed)
    network, one = joined.network, joined.node
    network.step_taken(NODE_END, one.attach(AT_A, network.now))
    network.run(1)
    assert one.registered
    assert bound(joined) == [AGENT_A]
    assert joined.a.visitor(HOME) is not None
    network.step_taken(NODE_END, one.attach(AT_B, network.now))
    network.run(1)
    assert bound(joined) == [AGENT_B]
    network.run(600)
    assert one.registered
    assert joined.a.visitor(HOME) is None, "the visit there was over when its lifetime was"
    network.step_taken(NODE_END, one.detach(network.now))
    network.run(1)
    assert bound(joined) == []
    assert not any(isinstance(event, RegistrationLost) for _, event in network.events)


@pytest.mark.parametrize("seed", range(12))
def test_in_a_storm_everybody_agrees_in_the_end(seed: int) -> None:
    joined = ends(seed, STORM)
    network, one = joined.network, joined.node
    network.step_taken(NODE_END, one.attach(AT_A, network.now))
    network.run(60)
    assert one.registered
    network.step_taken(NODE_END, one.prepare(AT_B, network.now))
    network.run(60)
    assert one.prepared
    network.step_taken(NODE_END, one.switch(network.now))
    network.run(60)
    assert one.registered
    assert bound(joined) == [AGENT_B]
    network.step_taken(NODE_END, one.detach(network.now))
    network.run(60)
    network.weather.loss = 0.0
    network.run(120)
    assert bound(joined) == []
    assert joined.a.pending == joined.b.pending == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_node_never_believes_in_a_registration_longer_than_its_home_agent(seed: int) -> None:
    joined = ends(seed, Weather(loss=0.7, delay_s=(0.01, 1.0)))
    network, one = joined.network, joined.node
    network.step_taken(NODE_END, one.attach(AT_A, network.now))
    for _ in range(600):
        network.run(1)
        if one.registered:
            assert bound(joined) == [AGENT_A]


def test_the_same_seed_gives_the_same_run() -> None:
    def events(seed: int) -> list[object]:
        joined = ends(seed, STORM)
        joined.network.step_taken(NODE_END, joined.node.attach(AT_A, joined.network.now))
        joined.network.run(200)
        return [*joined.network.events, joined.network.sent]

    assert events(5) == events(5)
    assert events(5) != events(6)


def test_an_agent_that_is_cut_off_loses_its_node_and_gets_it_back() -> None:
    joined = ends(3, Weather())
    network, one = joined.network, joined.node
    network.step_taken(NODE_END, one.attach(AT_A, network.now))
    network.run(1)
    network.weather.loss = 1.0
    network.run(300)
    assert not one.registered
    assert bound(joined) == []
    network.weather.loss = 0.0
    network.run(40)
    assert one.registered
    assert bound(joined) == [AGENT_A]


def test_a_home_agent_that_restarts_from_its_snapshot_goes_on() -> None:
    joined = ends(4, Weather())
    network, one = joined.network, joined.node
    network.step_taken(NODE_END, one.attach(AT_A, network.now))
    network.run(10)
    again = home_agent(signed=True)
    again.restore(joined.home.snapshot(), restarted_at=network.now)
    network.leave(HOME_AGENT)
    network.join(HOME_AGENT, again)
    assert again.next_deadline() == joined.home.next_deadline()
    network.run(200)
    assert one.registered
    assert len(again) == 1


def test_sites_register_a_guest_that_knows_nothing_of_mobile_ip() -> None:
    """The foreign agents' hosts hold the guest's key; the move costs one message at the switch."""
    network = Network(Random(1), Weather(delay_s=(0.05, 0.05)))
    home = home_agent(signed=True)
    at_a, at_b = node(), node()
    for address, machine in ((HOME_AGENT, home), (AGENT_A, at_a), (AGENT_B, at_b)):
        network.join(address, machine)
    place_a = Attachment.by_proxy(AGENT_A, HOME_AGENT, AGENT_KEY)
    place_b = Attachment.by_proxy(AGENT_B, HOME_AGENT, AGENT_KEY)

    network.step_taken((AGENT_A, PORT), at_a.attach(place_a, network.now))
    network.run(1)
    # Before the pause: site B binds its care-of address beside that of A, for as long as it takes.
    at_a.share()
    network.step_taken((AGENT_B, PORT), at_b.prepare(place_b, network.now))
    network.run(500)
    assert [one.care_of_address for one in home.bindings_of(HOME)] == [AGENT_A, AGENT_B]
    assert all(one.foreign_agent == one.care_of_address for one in home.bindings_of(HOME))
    # At the switch: site A falls silent, site B sends one request.
    before = network.sent
    at_a.hand_over()
    network.step_taken((AGENT_B, PORT), at_b.switch(network.now))
    network.run(0.2)
    assert network.sent - before == 2, "a request and its reply"
    assert [one.care_of_address for one in home.bindings_of(HOME)] == [AGENT_B]
    network.run(1000)
    assert at_b.registered
    assert [one.care_of_address for one in home.bindings_of(HOME)] == [AGENT_B]
    registered = [event for _, event in network.events if isinstance(event, Registered)]
    assert len(registered) >= 6
