"""What holds for a home agent whatever arrives: mutations, floods, and any order of messages."""

from __future__ import annotations

import math
from ipaddress import IPv4Address
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from netcont.mobileip import ntp
from netcont.mobileip.authentication import sign
from netcont.mobileip.binding import Binding, BindingAdded, BindingChange, BindingRemoved
from netcont.mobileip.codes import is_accepted
from netcont.mobileip.foreign import ForeignAgent
from netcont.mobileip.home import HomeAgent
from netcont.mobileip.messages import PORT, Flags
from netcont.mobileip.policy import ForeignPolicy, HomePolicy

from .machines import (
    AGENT_A,
    AGENT_B,
    AGENT_KEY,
    FOREIGN_HOME,
    HOME,
    NODE_A,
    NOW,
    OTHER_HOME,
    OTHER_KEY,
    STRANGER,
    home_agent,
    node,
    only_reply,
    request,
)
from .mutation import mutated

MUTATIONS = 20_000
CARE_OF = (AGENT_A, AGENT_B, IPv4Address("203.0.113.5"))


def test_twenty_thousand_mutated_messages_change_nothing() -> None:
    agent, random = home_agent(), Random(20_000)
    for at, care_of in enumerate(CARE_OF):
        data = request(NOW + at, care_of=care_of, flags=Flags.S)
        agent.receive(data, (care_of, PORT), NOW + at)
    agent.receive(request(home=OTHER_HOME, key=OTHER_KEY), (AGENT_A, PORT), NOW)
    before, now = agent.snapshot(), NOW + 5
    genuine = [
        request(now, care_of=AGENT_B),
        request(now, lifetime_s=0, care_of=HOME),
        request(now, home=OTHER_HOME, key=OTHER_KEY, lifetime_s=0),
        sign(request(now), FOREIGN_HOME, AGENT_KEY),
    ]
    # The node's authenticator covers nothing behind it: what is only appended to is authentic.
    signed = [data if index < 3 else request(now) for index, data in enumerate(genuine)]
    for _ in range(MUTATIONS):
        index = random.randrange(len(genuine))
        data = mutated(genuine[index], random)
        if data.startswith(signed[index]):
            continue
        step = agent.receive(data, STRANGER, now)
        assert step.changes == ()
        assert all(not is_accepted(only_reply((one,)).code) for one in step.replies)
    assert agent.snapshot() == before


def test_mutated_replies_register_no_node_and_mutated_messages_fill_no_agent() -> None:
    home, random = home_agent(), Random(3)
    foreign = ForeignAgent(AGENT_A, policy=ForeignPolicy(max_pending=50))
    one = node()
    from netcont.mobileip.attachment import Attachment

    step = one.attach(Attachment.through(AGENT_A, AGENT_A), NOW)
    asked = step.replies[0].data
    (relayed,) = foreign.receive(asked, NODE_A, NOW).replies
    (reply,) = home.receive(relayed.data, (AGENT_A, PORT), NOW).replies
    for _ in range(5000):
        spoilt = mutated(reply.data, random)
        if not spoilt.startswith(reply.data):
            one.receive(spoilt, STRANGER, NOW)
        foreign.receive(mutated(asked, random), STRANGER, NOW)
        foreign.receive(spoilt, STRANGER, NOW)
        assert not one.registered
        assert len(foreign) == 0
        assert foreign.pending <= 50
    one.receive(reply.data, (AGENT_A, PORT), NOW)
    assert one.registered


class HomeAgentMachine(RuleBasedStateMachine):
    """One node's registrations in any order, beside a plain model of what must be."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.policy = HomePolicy(max_lifetime_s=50, max_simultaneous=2)
        self.agent: HomeAgent = home_agent(self.policy)
        self.accepted: list[int] = []
        self.used: list[bytes] = []
        self.shadow: dict[IPv4Address, Binding] = {}

    def follow(self, changes: tuple[BindingChange, ...]) -> None:
        """The changes alone must be enough to keep a copy of the bindings."""
        for change in changes:
            if isinstance(change, BindingAdded):
                assert change.binding.care_of_address not in self.shadow
                self.shadow[change.binding.care_of_address] = change.binding
            elif isinstance(change, BindingRemoved):
                assert self.shadow.pop(change.binding.care_of_address) == change.binding
            else:
                assert self.shadow.pop(change.old.care_of_address) == change.old
                assert change.new.care_of_address not in self.shadow
                self.shadow[change.new.care_of_address] = change.new

    @rule(
        care_of=st.sampled_from((*CARE_OF, HOME)),
        lifetime_s=st.sampled_from((0, 1, 20, 60)),
        simultaneous=st.booleans(),
        skew_s=st.sampled_from((-9.0, -3.0, 0.0, 3.0, 9.0)),
    )
    def ask(self, care_of: IPv4Address, lifetime_s: int, simultaneous: bool, skew_s: float) -> None:
        flags = Flags.S if simultaneous else Flags(0)
        data = request(self.now + skew_s, care_of=care_of, lifetime_s=lifetime_s, flags=flags)
        number = ntp.to_ntp(self.now + skew_s)
        step = self.agent.receive(data, (AGENT_A, PORT), self.now)
        self.follow(step.changes)
        if is_accepted(only_reply(step.replies).code):
            assert abs(skew_s) <= 7
            assert all(ntp.is_newer(number, before) for before in self.accepted)
            self.accepted.append(number)
            self.used.append(data)

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        if self.used:
            before = self.agent.snapshot()
            again = data.draw(st.sampled_from(self.used))
            step = self.agent.receive(again, STRANGER, self.now)
            assert step.changes == ()
            assert self.agent.snapshot() == before

    @rule(care_of=st.sampled_from(CARE_OF), lifetime_s=st.sampled_from((0, 30)))
    def forge(self, care_of: IPv4Address, lifetime_s: int) -> None:
        before = self.agent.snapshot()
        data = request(self.now, key=OTHER_KEY, care_of=care_of, lifetime_s=lifetime_s)
        assert self.agent.receive(data, STRANGER, self.now).changes == ()
        assert self.agent.snapshot() == before

    @rule(seconds=st.sampled_from((0.25, 1.0, 19.0, 20.0, 49.0)))
    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.agent.next_deadline()) is not None and at <= end:
            assert self.agent.expire(math.nextafter(at, 0)).changes == ()
            changes = self.agent.expire(at).changes
            assert changes
            for change in changes:
                assert isinstance(change, BindingRemoved)
                assert change.binding.expires_at == at
            self.follow(changes)
        self.now = end

    @rule()
    def restart(self) -> None:
        snapshot = self.agent.snapshot()
        self.agent = home_agent(self.policy)
        self.agent.restore(snapshot)
        assert self.agent.snapshot() == snapshot

    @invariant()
    def the_changes_tell_the_whole_story(self) -> None:
        held = {one.care_of_address: one for one in self.agent.bindings_of(HOME)}
        assert held == self.shadow
        assert len(held) == len(self.agent) <= 2

    @invariant()
    def nothing_that_has_expired_is_held(self) -> None:
        assert all(self.now < one.expires_at for one in self.agent)


HomeAgentMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
TestHomeAgentMachine = HomeAgentMachine.TestCase
