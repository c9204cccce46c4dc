"""What a home agent answers, and what it does and does not change."""

from __future__ import annotations

import math
from ipaddress import IPv4Address

import pytest

from netcont.errors import ConfigurationError
from netcont.mobileip import ntp, replay
from netcont.mobileip.authentication import Failure, sign, verify
from netcont.mobileip.binding import (
    BindingAdded,
    BindingRemoved,
    BindingReplaced,
    Removal,
)
from netcont.mobileip.bindings import EFFECTS, Asked, Held
from netcont.mobileip.codes import Code
from netcont.mobileip.events import Denied, Dropped, Registered, SecurityViolation, Violation
from netcont.mobileip.extensions import RevocationSupport, Unknown
from netcont.mobileip.home import HomeAgent
from netcont.mobileip.messages import Flags, RegistrationReply
from netcont.mobileip.policy import HomePolicy, ReverseTunnel
from netcont.mobileip.replay import Replay
from netcont.mobileip.revocation import Revocation

from .machines import (
    AGENT_A,
    AGENT_B,
    AGENT_KEY,
    FOREIGN_HOME,
    HOME,
    HOME_AGENT,
    KEY,
    MOBILE_HOME,
    NONCE_KEY,
    NOW,
    OTHER_HOME,
    OTHER_KEY,
    STRANGER,
    home_agent,
    only_reply,
    request,
    unsigned,
)

SOURCE = (AGENT_A, 434)


def code_of(agent: HomeAgent, data: bytes, now: float = NOW) -> int:
    return only_reply(agent.receive(data, SOURCE, now).replies).code


def test_a_registration_is_granted_and_signed() -> None:
    agent = home_agent()
    step = agent.receive(request(), SOURCE, NOW)
    (datagram,) = step.replies
    assert datagram.to == SOURCE
    assert verify(datagram.data, MOBILE_HOME, {KEY.spi: KEY}, sealed=True) is KEY
    reply = RegistrationReply.from_bytes(datagram.data)
    assert (reply.code, reply.lifetime_s) == (Code.ACCEPTED, 300)
    assert reply.identification == ntp.to_ntp(NOW)
    (change,) = step.changes
    assert isinstance(change, BindingAdded)
    assert change.binding.expires_at == NOW + 300
    assert change.binding.foreign_agent == AGENT_A
    assert agent.bindings_of(HOME) == (change.binding,)
    assert step.events == (Registered(HOME, AGENT_A, 300),)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(unsigned().to_bytes(), Failure.MISSING, id="no authenticator"),
        pytest.param(request(key=OTHER_KEY), Failure.WRONG, id="forged"),
        pytest.param(request()[:-1] + b"!", Failure.WRONG, id="one bit off"),
        pytest.param(request(key=AGENT_KEY), Failure.UNKNOWN_SPI, id="wrong SPI"),
    ],
)
def test_what_is_not_authentic_is_denied_and_changes_nothing(data: bytes, why: Failure) -> None:
    agent = home_agent()
    agent.receive(request(NOW - 1), SOURCE, NOW)
    before = agent.snapshot()
    step = agent.receive(data, STRANGER, NOW)
    assert only_reply(step.replies).code == Code.HA_MOBILE_NODE_FAILED_AUTHENTICATION
    assert step.changes == ()
    assert SecurityViolation(STRANGER, why, HOME) in step.events
    assert agent.snapshot() == before


def test_an_unknown_node_is_denied_without_a_signature() -> None:
    agent = home_agent()
    home = IPv4Address("10.0.0.99")
    step = agent.receive(request(home=home), STRANGER, NOW)
    reply = only_reply(step.replies)
    assert reply.code == Code.HA_MOBILE_NODE_FAILED_AUTHENTICATION
    assert reply.extensions == ()
    assert SecurityViolation(STRANGER, Violation.UNKNOWN_NODE, home) in step.events


def test_a_replay_is_denied_with_the_agents_time() -> None:
    agent = home_agent()
    data = request(NOW)
    agent.receive(data, SOURCE, NOW)
    before = agent.snapshot()
    step = agent.receive(data, SOURCE, NOW + 2)
    reply = only_reply(step.replies)
    assert reply.code == Code.HA_IDENTIFICATION_MISMATCH
    assert replay.high(reply.identification) == replay.high(ntp.to_ntp(NOW + 2))
    assert replay.answers(reply.identification, ntp.to_ntp(NOW))
    assert SecurityViolation(SOURCE, Violation.REPLAYED, HOME) in step.events
    assert agent.snapshot() == before


@pytest.mark.parametrize(
    ("skew_s", "code"),
    [
        (-7.5, Code.HA_IDENTIFICATION_MISMATCH),
        (-6.5, Code.ACCEPTED),
        (6.5, Code.ACCEPTED),
        (7.5, Code.HA_IDENTIFICATION_MISMATCH),
    ],
)
def test_clocks_may_be_seven_seconds_apart(skew_s: float, code: Code) -> None:
    assert code_of(home_agent(), request(NOW + skew_s)) == code


def test_a_replay_is_refused_after_a_restart() -> None:
    agent = home_agent()
    data = request(NOW)
    agent.receive(data, SOURCE, NOW)
    agent.receive(request(NOW + 1, lifetime_s=0), SOURCE, NOW + 1)
    again = home_agent()
    again.restore(agent.snapshot())
    assert again.snapshot() == agent.snapshot()
    assert code_of(again, data, NOW + 2) == Code.HA_IDENTIFICATION_MISMATCH
    assert len(again) == 0


def test_a_restart_without_the_last_snapshot_refuses_what_was_sent_before_it() -> None:
    agent = home_agent()
    stale = agent.snapshot()
    data = request(NOW)
    agent.receive(data, SOURCE, NOW)
    again = home_agent()
    again.restore(stale, restarted_at=NOW + 1)
    assert code_of(again, data, NOW + 2) == Code.HA_IDENTIFICATION_MISMATCH
    assert code_of(again, request(NOW + 2), NOW + 2) == Code.ACCEPTED


def test_identifications_grow_through_the_end_of_the_era_in_2036() -> None:
    end = 2**32 - ntp.UNIX_EPOCH_S
    agent = home_agent()
    assert code_of(agent, request(end - 1), end - 1) == Code.ACCEPTED
    assert code_of(agent, request(end + 1), end + 1) == Code.ACCEPTED
    assert code_of(agent, request(end - 0.5), end + 1) == Code.HA_IDENTIFICATION_MISMATCH


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x01", id="one byte"),
        pytest.param(request()[:20], id="cut in the fixed part"),
        pytest.param(request()[:-3], id="cut in the authenticator"),
        pytest.param(request() + b"\x00", id="a trailing byte"),
        pytest.param(request() + b"\x84\x09ab", id="truncated extension"),
        pytest.param(
            sign(unsigned().to_bytes() + b"\x05\x02ab", MOBILE_HOME, KEY), id="unknown extension 5"
        ),
        pytest.param(b"\x2a" + request()[1:], id="unknown type of message"),
        pytest.param(RegistrationReply(0, 9, HOME, HOME_AGENT, 1).to_bytes(), id="a reply"),
    ],
)
def test_what_is_malformed_is_dropped(data: bytes) -> None:
    agent = home_agent()
    before = agent.snapshot()
    step = agent.receive(data, STRANGER, NOW)
    assert (step.replies, step.changes) == ((), ())
    assert isinstance(step.events[0], Dropped)
    assert agent.snapshot() == before


def test_an_unknown_extension_from_128_on_is_skipped() -> None:
    data = sign(unsigned().to_bytes() + Unknown(200, b"what?").to_bytes(), MOBILE_HOME, KEY)
    assert code_of(home_agent(), data) == Code.ACCEPTED


def test_lifetime_zero_deregisters_and_may_be_repeated() -> None:
    agent = home_agent()
    agent.receive(request(NOW), SOURCE, NOW)
    (binding,) = agent.bindings_of(HOME)
    step = agent.receive(request(NOW + 1, lifetime_s=0), SOURCE, NOW + 1)
    assert step.changes == (BindingRemoved(binding, Removal.DEREGISTERED),)
    assert only_reply(step.replies).lifetime_s == 0
    step = agent.receive(request(NOW + 2, lifetime_s=0), SOURCE, NOW + 2)
    assert step.changes == ()
    assert only_reply(step.replies).code == Code.ACCEPTED
    assert agent.next_deadline() is None


def test_the_home_address_for_care_of_address_deregisters_everything() -> None:
    agent = home_agent()
    agent.receive(request(NOW), SOURCE, NOW)
    agent.receive(request(NOW + 1, care_of=AGENT_B, flags=Flags.S), SOURCE, NOW + 1)
    step = agent.receive(request(NOW + 2, care_of=HOME, lifetime_s=0), SOURCE, NOW + 2)
    assert len(step.changes) == 2
    assert len(agent) == 0


def test_simultaneous_bindings_stand_side_by_side_until_one_message_switches() -> None:
    agent = home_agent()
    agent.receive(request(NOW), SOURCE, NOW)
    step = agent.receive(request(NOW + 1, care_of=AGENT_B, flags=Flags.S), SOURCE, NOW + 1)
    assert isinstance(step.changes[0], BindingAdded)
    assert [one.care_of_address for one in agent.bindings_of(HOME)] == [AGENT_A, AGENT_B]
    step = agent.receive(request(NOW + 2, care_of=AGENT_B), SOURCE, NOW + 2)
    replaced, removed = step.changes
    assert isinstance(replaced, BindingReplaced)
    assert isinstance(removed, BindingRemoved)
    assert removed.why is Removal.SUPERSEDED
    assert [one.care_of_address for one in agent.bindings_of(HOME)] == [AGENT_B]


def test_a_move_without_preparation_replaces_in_one_change() -> None:
    agent = home_agent()
    agent.receive(request(NOW), SOURCE, NOW)
    (change,) = agent.receive(request(NOW + 1, care_of=AGENT_B), SOURCE, NOW + 1).changes
    assert isinstance(change, BindingReplaced)
    assert change.moved
    (change,) = agent.receive(request(NOW + 2, care_of=AGENT_B), SOURCE, NOW + 2).changes
    assert isinstance(change, BindingReplaced)
    assert not change.moved


def test_no_simultaneous_bindings_is_said_with_code_1() -> None:
    agent = home_agent(HomePolicy(max_simultaneous=1))
    agent.receive(request(NOW), SOURCE, NOW)
    code = code_of(agent, request(NOW + 1, care_of=AGENT_B, flags=Flags.S), NOW + 1)
    assert code == Code.ACCEPTED_WITHOUT_SIMULTANEOUS_BINDINGS
    assert [one.care_of_address for one in agent.bindings_of(HOME)] == [AGENT_B]


def test_too_many_simultaneous_bindings_are_denied() -> None:
    agent = home_agent(HomePolicy(max_simultaneous=2))
    for at in range(3):
        care_of = IPv4Address(int(AGENT_B) + at)
        last = code_of(agent, request(NOW + at, care_of=care_of, flags=Flags.S), NOW + at)
    assert last == Code.HA_TOO_MANY_BINDINGS
    assert len(agent) == 2


def test_no_room_is_said_and_does_not_hinder_renewals_and_moves() -> None:
    agent = home_agent(HomePolicy(max_bindings=1))
    assert code_of(agent, request(NOW)) == Code.ACCEPTED
    other = request(NOW, home=OTHER_HOME, key=OTHER_KEY)
    assert code_of(agent, other) == Code.HA_INSUFFICIENT_RESOURCES
    assert code_of(agent, request(NOW + 1), NOW + 1) == Code.ACCEPTED
    assert code_of(agent, request(NOW + 2, care_of=AGENT_B), NOW + 2) == Code.ACCEPTED


def test_a_lifetime_over_the_maximum_is_capped() -> None:
    agent = home_agent(HomePolicy(max_lifetime_s=60))
    for lifetime_s in (61, 0xFFFF):
        agent = home_agent(HomePolicy(max_lifetime_s=60))
        reply = only_reply(agent.receive(request(lifetime_s=lifetime_s), SOURCE, NOW).replies)
        assert reply.lifetime_s == 60
        assert agent.next_deadline() == NOW + 60


def test_an_infinite_lifetime_never_expires() -> None:
    agent = home_agent(HomePolicy(max_lifetime_s=0xFFFF))
    agent.receive(request(lifetime_s=0xFFFF), SOURCE, NOW)
    assert agent.next_deadline() is None
    assert agent.bindings_of(HOME)[0].expires_at == math.inf
    assert agent.expire(NOW + 1e9).changes == ()


def test_a_binding_expires_at_its_second_and_not_before() -> None:
    agent = home_agent()
    agent.receive(request(lifetime_s=10), SOURCE, NOW)
    assert agent.next_deadline() == NOW + 10
    assert agent.expire(math.nextafter(NOW + 10, 0)).changes == ()
    (change,) = agent.expire(NOW + 10).changes
    assert isinstance(change, BindingRemoved)
    assert change.why is Removal.EXPIRED


@pytest.mark.parametrize("later_s", [10, 20])
def test_any_message_first_ends_what_has_expired(later_s: int) -> None:
    agent = home_agent()
    agent.receive(request(lifetime_s=10), SOURCE, NOW)
    step = agent.receive(request(NOW + later_s), SOURCE, NOW + later_s)
    assert [type(change) for change in step.changes] == [BindingRemoved, BindingAdded]


@pytest.mark.parametrize(
    "care_of",
    [
        HOME_AGENT,
        HOME,
        OTHER_HOME,
        IPv4Address("224.0.0.5"),
        IPv4Address("255.255.255.255"),
        IPv4Address("127.0.0.1"),
        IPv4Address("0.0.0.0"),
    ],
    ids=str,
)
def test_a_care_of_address_that_no_tunnel_can_end_at_is_denied(care_of: IPv4Address) -> None:
    agent = home_agent()
    assert code_of(agent, request(care_of=care_of)) == Code.HA_POORLY_FORMED_REQUEST
    assert len(agent) == 0


GRE_OFF = HomePolicy(gre=False)
NO_TUNNEL = HomePolicy(reverse_tunnel=ReverseTunnel.UNSUPPORTED)
TUNNEL = HomePolicy(reverse_tunnel=ReverseTunnel.REQUIRED)


@pytest.mark.parametrize(
    ("policy", "flags", "code"),
    [
        (NO_TUNNEL, Flags.T, Code.HA_REVERSE_TUNNEL_UNAVAILABLE),
        (NO_TUNNEL, Flags(0), Code.ACCEPTED),
        (TUNNEL, Flags(0), Code.HA_REVERSE_TUNNEL_MANDATORY),
        (TUNNEL, Flags.T, Code.ACCEPTED),
        (None, Flags.M, Code.HA_ENCAPSULATION_UNAVAILABLE),
        (GRE_OFF, Flags.G, Code.HA_ENCAPSULATION_UNAVAILABLE),
        (None, Flags.G, Code.ACCEPTED),
        (None, Flags.r, Code.HA_POORLY_FORMED_REQUEST),
        (None, Flags.x, Code.HA_POORLY_FORMED_REQUEST),
    ],
)
def test_each_flag_is_granted_or_denied_with_its_code(
    policy: HomePolicy | None, flags: Flags, code: Code
) -> None:
    agent = home_agent(policy)
    step = agent.receive(request(flags=flags), SOURCE, NOW)
    assert only_reply(step.replies).code == code
    assert bool(agent.bindings_of(HOME)) == code.accepted
    if not code.accepted:
        assert step.events == (Denied(HOME, AGENT_A, code),)


def test_whoever_leaves_may_leave_in_any_manner() -> None:
    agent = home_agent(TUNNEL)
    agent.receive(request(flags=Flags.T), SOURCE, NOW)
    assert code_of(agent, request(NOW + 1, lifetime_s=0), NOW + 1) == Code.ACCEPTED
    assert len(agent) == 0


def test_the_reverse_tunnel_and_the_encapsulation_are_kept_in_the_binding() -> None:
    agent = home_agent()
    agent.receive(request(flags=Flags.T | Flags.G | Flags.D), SOURCE, NOW)
    (binding,) = agent.bindings_of(HOME)
    assert (binding.reverse_tunnel, binding.gre, binding.foreign_agent) == (True, True, None)


def test_another_home_agents_address_is_denied_with_ours() -> None:
    agent = home_agent()
    reply = only_reply(agent.receive(request(agent=AGENT_B), SOURCE, NOW).replies)
    assert (reply.code, reply.home_agent) == (Code.HA_UNKNOWN_HOME_AGENT, HOME_AGENT)


def test_a_refused_request_cannot_be_used_later() -> None:
    agent = home_agent(NO_TUNNEL)
    data = request(flags=Flags.T)
    assert code_of(agent, data) == Code.HA_REVERSE_TUNNEL_UNAVAILABLE
    agent.policy = HomePolicy()
    assert code_of(agent, data) == Code.HA_IDENTIFICATION_MISMATCH


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(request(), id="missing"),
        pytest.param(sign(request(), FOREIGN_HOME, OTHER_KEY), id="unknown SPI"),
        pytest.param(sign(request(), FOREIGN_HOME, AGENT_KEY)[:-1] + b"!", id="wrong"),
        pytest.param(
            sign(request(), FOREIGN_HOME, AGENT_KEY) + RevocationSupport(5).to_bytes(),
            id="something after it",
        ),
    ],
)
def test_a_known_foreign_agent_must_sign(data: bytes) -> None:
    agent = home_agent(signed=True)
    before = agent.snapshot()
    step = agent.receive(data, SOURCE, NOW)
    assert only_reply(step.replies).code == Code.HA_FOREIGN_AGENT_FAILED_AUTHENTICATION
    assert isinstance(step.events[0], SecurityViolation)
    assert agent.snapshot() == before
    good = sign(request(), FOREIGN_HOME, AGENT_KEY)
    (datagram,) = agent.receive(good, SOURCE, NOW).replies
    assert verify(datagram.data, FOREIGN_HOME, {AGENT_KEY.spi: AGENT_KEY}, sealed=True)


def test_a_foreign_agents_signature_without_a_common_key_is_denied() -> None:
    data = sign(request(), FOREIGN_HOME, AGENT_KEY)
    assert code_of(home_agent(), data) == Code.HA_FOREIGN_AGENT_FAILED_AUTHENTICATION


def test_nonces_are_handed_out_and_each_is_good_once() -> None:
    agent = home_agent(key=NONCE_KEY)
    first = only_reply(agent.receive(request(key=NONCE_KEY, identification=7), SOURCE, NOW).replies)
    assert first.code == Code.HA_IDENTIFICATION_MISMATCH
    number = replay.join(replay.high(first.identification), 8)
    data = request(key=NONCE_KEY, identification=number)
    second = only_reply(agent.receive(data, SOURCE, NOW).replies)
    assert second.code == Code.ACCEPTED
    before = agent.snapshot()
    assert code_of(agent, data) == Code.HA_IDENTIFICATION_MISMATCH
    assert agent.snapshot() == before, "a replay spoiled the node's nonce"
    number = replay.join(replay.high(second.identification), 9)
    assert code_of(agent, request(key=NONCE_KEY, identification=number)) == Code.ACCEPTED


def test_nonces_need_a_source_and_nodes_need_a_key() -> None:
    agent = HomeAgent(HOME_AGENT)
    with pytest.raises(ConfigurationError, match="no source"):
        agent.add_node(HOME, [NONCE_KEY])
    with pytest.raises(ConfigurationError, match="no security association"):
        agent.add_node(HOME, [])
    assert NONCE_KEY.replay is Replay.NONCE


def test_a_node_that_is_served_no_more_loses_everything() -> None:
    agent = home_agent()
    agent.receive(request(), SOURCE, NOW)
    (change,) = agent.remove_node(HOME).changes
    assert isinstance(change, BindingRemoved)
    assert agent.snapshot() == home_agent().snapshot()


@pytest.mark.parametrize(
    ("source", "identifier", "gone"),
    [
        pytest.param(AGENT_A, int(NOW), True, id="the agent itself"),
        pytest.param(AGENT_A, int(NOW) - 1, False, id="from before the registration"),
        pytest.param(AGENT_B, int(NOW), False, id="another agent with a key"),
    ],
)
def test_only_the_agent_of_a_binding_revokes_it(
    source: IPv4Address, identifier: int, gone: bool
) -> None:
    agent = home_agent(signed=True)
    stamped = request() + RevocationSupport(int(NOW)).to_bytes()
    agent.receive(sign(stamped, FOREIGN_HOME, AGENT_KEY), SOURCE, NOW)
    revocation = Revocation(HOME, HOME_AGENT, AGENT_A, identifier)
    data = sign(revocation, FOREIGN_HOME, AGENT_KEY)
    step = agent.receive(data, (source, 434), NOW + 1)
    assert len(step.changes) == gone
    assert len(step.replies) == 1


def test_the_table_of_effects_covers_everything_that_can_be() -> None:
    cannot_be = {(Held.THIS, Asked.HOME), (Held.BOTH, Asked.HOME)}
    assert EFFECTS.keys() == {(held, asked) for held in Held for asked in Asked} - cannot_be
