"""What a foreign agent relays, refuses and remembers."""

from __future__ import annotations

import math
from ipaddress import IPv4Address

import pytest

from netcont.mobileip import ntp
from netcont.mobileip.advertiser import Advertiser
from netcont.mobileip.authentication import Failure, sign, verify
from netcont.mobileip.binding import Removal
from netcont.mobileip.codes import Code
from netcont.mobileip.datagram import ALL_SYSTEMS, Datagram
from netcont.mobileip.discovery import AgentAdvertisement, AgentFlags, AgentSolicitation
from netcont.mobileip.events import Dropped, SecurityViolation
from netcont.mobileip.extensions import AuthenticationKind, Challenge, EncapsulatingDelivery
from netcont.mobileip.foreign import ForeignAgent
from netcont.mobileip.messages import PORT, Flags, RegistrationReply
from netcont.mobileip.policy import ForeignPolicy, ReverseTunnel
from netcont.mobileip.visitor import VisitorAdded, VisitorRemoved, VisitorReplaced

from .machines import (
    AGENT_A,
    AGENT_B,
    AGENT_KEY,
    FOREIGN_HOME,
    HOME,
    HOME_AGENT,
    KEY,
    MOBILE_HOME,
    NODE_A,
    NOW,
    OTHER_HOME,
    STRANGER,
    VISIT_KEY,
    foreign_agent,
    home_agent,
    only_reply,
    request,
    unsigned,
)

HOME_END = (HOME_AGENT, PORT)


def reply_to(
    at: float = NOW, *, code: int = 0, lifetime_s: int = 300, home: IPv4Address = HOME
) -> bytes:
    message = RegistrationReply(code, lifetime_s, home, HOME_AGENT, ntp.to_ntp(at))
    return sign(message, MOBILE_HOME, KEY)


def visited(agent: ForeignAgent, at: float = NOW, lifetime_s: int = 300) -> None:
    agent.receive(request(at, lifetime_s=lifetime_s), NODE_A, at)
    agent.receive(reply_to(at, lifetime_s=lifetime_s), HOME_END, at)


def test_a_request_is_relayed_as_it_was_signed_and_its_reply_comes_back() -> None:
    agent = foreign_agent()
    step = agent.receive(request(), NODE_A, NOW)
    assert step.replies == (Datagram(HOME_END, request()),)
    assert (len(agent), agent.pending, step.changes) == (0, 1, ())
    step = agent.receive(reply_to(), HOME_END, NOW + 0.1)
    assert step.replies == (Datagram(NODE_A, reply_to()),)
    (change,) = step.changes
    assert isinstance(change, VisitorAdded)
    assert change.visitor.expires_at == NOW + 300
    assert agent.pending == 0


def test_between_agents_with_a_key_both_ways_are_signed() -> None:
    agent, home = foreign_agent(signed=True), home_agent(signed=True)
    with_extra = sign(request(), AuthenticationKind.MOBILE_FOREIGN, VISIT_KEY)
    (relayed,) = agent.receive(with_extra, NODE_A, NOW).replies
    assert relayed.data.startswith(request())
    assert verify(relayed.data, FOREIGN_HOME, {AGENT_KEY.spi: AGENT_KEY}, sealed=True)
    (answer,) = home.receive(relayed.data, (AGENT_A, PORT), NOW).replies
    (back,) = agent.receive(answer.data, HOME_END, NOW).replies
    assert verify(back.data, MOBILE_HOME, {KEY.spi: KEY}, sealed=True)
    assert len(agent) == len(home) == 1


def test_a_forged_reply_leaves_the_request_waiting_for_the_true_one() -> None:
    agent = foreign_agent(signed=True)
    agent.receive(request(), NODE_A, NOW)
    step = agent.receive(reply_to(), HOME_END, NOW)
    assert step.events == (SecurityViolation(HOME_END, Failure.MISSING, HOME),)
    assert (step.replies, step.changes, agent.pending) == ((), (), 1)
    step = agent.expire(NOW + 7)
    assert only_reply(step.replies).code == Code.FA_HOME_AGENT_FAILED_AUTHENTICATION


@pytest.mark.parametrize(
    ("data", "source"),
    [
        pytest.param(reply_to(NOW + 0.5), HOME_END, id="another identification"),
        pytest.param(reply_to(), (AGENT_B, PORT), id="another home agent"),
        pytest.param(reply_to(home=OTHER_HOME), HOME_END, id="another node"),
    ],
)
def test_a_reply_that_matches_no_pending_request_is_ignored(
    data: bytes, source: tuple[IPv4Address, int]
) -> None:
    agent = foreign_agent()
    agent.receive(request(), NODE_A, NOW)
    step = agent.receive(data, source, NOW)
    assert (step.replies, step.changes, agent.pending) == ((), (), 1)
    assert isinstance(step.events[0], Dropped)


def test_a_denial_is_passed_on_and_leaves_the_visitor_as_it_is() -> None:
    agent = foreign_agent()
    visited(agent)
    agent.receive(request(NOW + 1), NODE_A, NOW + 1)
    step = agent.receive(reply_to(NOW + 1, code=133, lifetime_s=0), HOME_END, NOW + 1)
    assert only_reply(step.replies).code == 133
    assert (step.changes, len(agent)) == ((), 1)


def test_a_visitor_renews_leaves_and_expires() -> None:
    agent = foreign_agent()
    visited(agent)
    agent.receive(request(NOW + 1), NODE_A, NOW + 1)
    (change,) = agent.receive(reply_to(NOW + 1), HOME_END, NOW + 1).changes
    assert isinstance(change, VisitorReplaced)
    agent.receive(request(NOW + 2, lifetime_s=0), NODE_A, NOW + 2)
    (change,) = agent.receive(reply_to(NOW + 2, lifetime_s=0), HOME_END, NOW + 2).changes
    assert isinstance(change, VisitorRemoved)
    assert change.why is Removal.DEREGISTERED
    visited(agent, NOW + 3, lifetime_s=10)
    agent.expire(NOW + 3)
    assert agent.expire(math.nextafter(NOW + 13, 0)).changes == ()
    (change,) = agent.expire(NOW + 13).changes
    assert isinstance(change, VisitorRemoved)
    assert change.why is Removal.EXPIRED


def test_a_reply_that_grants_more_than_was_asked_is_clamped() -> None:
    agent = foreign_agent()
    agent.receive(request(lifetime_s=100), NODE_A, NOW)
    agent.receive(reply_to(lifetime_s=1000), HOME_END, NOW)
    visitor = agent.visitor(HOME)
    assert visitor is not None
    assert visitor.lifetime_s == 100


def policy(**values: object) -> ForeignPolicy:
    return ForeignPolicy(**values)  # type: ignore[arg-type]


NO_TUNNEL = policy(reverse_tunnel=ReverseTunnel.UNSUPPORTED)
TUNNEL = policy(reverse_tunnel=ReverseTunnel.REQUIRED)


@pytest.mark.parametrize(
    ("rules", "data", "code"),
    [
        (NO_TUNNEL, request(flags=Flags.T), Code.FA_REVERSE_TUNNEL_UNAVAILABLE),
        (TUNNEL, request(), Code.FA_REVERSE_TUNNEL_MANDATORY),
        (None, request(flags=Flags.M), Code.FA_ENCAPSULATION_UNAVAILABLE),
        (policy(gre=False), request(flags=Flags.G), Code.FA_ENCAPSULATION_UNAVAILABLE),
        (policy(max_lifetime_s=60), request(), Code.FA_LIFETIME_TOO_LONG),
        (None, request(care_of=AGENT_B), Code.FA_INVALID_CARE_OF_ADDRESS),
        (None, request(agent=AGENT_A), Code.FA_INVALID_HOME_AGENT_ADDRESS),
        (None, request(agent=IPv4Address("224.0.0.1")), Code.FA_INVALID_HOME_AGENT_ADDRESS),
        (None, request(home=IPv4Address("127.0.0.1")), Code.FA_POORLY_FORMED_REQUEST),
        (None, request(flags=Flags.r), Code.FA_POORLY_FORMED_REQUEST),
        (None, unsigned().to_bytes(), Code.FA_POORLY_FORMED_REQUEST),
        (None, request()[:-3], Code.FA_POORLY_FORMED_REQUEST),
        (None, request() + b"\x84\x09ab", Code.FA_POORLY_FORMED_REQUEST),
    ],
    ids=lambda value: value.name if isinstance(value, Code) else "",
)
def test_what_is_refused_is_not_relayed(
    rules: ForeignPolicy | None, data: bytes, code: Code
) -> None:
    agent = foreign_agent(policy=rules)
    step = agent.receive(data, NODE_A, NOW)
    reply = only_reply(step.replies)
    assert step.replies[0].to == NODE_A
    assert reply.code == code
    assert (agent.pending, len(agent), step.changes) == (0, 0, ())
    if code is Code.FA_LIFETIME_TOO_LONG:
        assert reply.lifetime_s == 60


@pytest.mark.parametrize("data", [b"", b"\x01", request()[:20], b"\xff" * 40])
def test_what_is_no_message_is_dropped(data: bytes) -> None:
    step = foreign_agent().receive(data, NODE_A, NOW)
    assert step.replies == ()
    assert isinstance(step.events[0], Dropped)


def test_a_node_with_a_key_must_sign_for_the_agent_too() -> None:
    agent = foreign_agent()
    agent.add_node(HOME, [VISIT_KEY])
    step = agent.receive(request(), NODE_A, NOW)
    assert only_reply(step.replies).code == Code.FA_MOBILE_NODE_FAILED_AUTHENTICATION
    kind = AuthenticationKind.MOBILE_FOREIGN
    assert verify(step.replies[0].data, kind, {VISIT_KEY.spi: VISIT_KEY}, sealed=True)
    step = agent.receive(sign(request(), kind, VISIT_KEY), NODE_A, NOW)
    assert step.replies == (Datagram(HOME_END, request()),)


def test_a_flood_of_requests_makes_the_agent_busy_and_no_bigger() -> None:
    agent = foreign_agent(policy=ForeignPolicy(max_pending=20, max_pending_from_source=5))
    codes = []
    for number in range(200):
        source = (IPv4Address(int(NODE_A[0]) + number // 10), 5000)
        home = IPv4Address(int(HOME) + number)
        step = agent.receive(request(home=home), source, NOW)
        codes += [only_reply(step.replies).code] if step.replies[0].to == source else []
    assert agent.pending == 20
    assert len(codes) == 180
    assert set(codes) == {Code.FA_INSUFFICIENT_RESOURCES}
    assert agent.busy
    (message,) = agent.expire(NOW).icmp
    assert AgentAdvertisement.from_bytes(message.data).flags & AgentFlags.B
    step = agent.expire(NOW + 7)
    assert {only_reply((one,)).code for one in step.replies} == {Code.FA_REGISTRATION_TIMEOUT}
    assert agent.pending == 0
    assert not agent.busy


def test_visitors_are_bounded_but_may_renew_and_leave() -> None:
    agent = foreign_agent(policy=ForeignPolicy(max_visitors=1))
    visited(agent)
    step = agent.receive(request(home=OTHER_HOME), NODE_A, NOW)
    assert only_reply(step.replies).code == Code.FA_INSUFFICIENT_RESOURCES
    assert agent.receive(request(NOW + 1), NODE_A, NOW + 1).replies[0].to == HOME_END
    step = agent.receive(request(NOW + 2, lifetime_s=0), NODE_A, NOW + 2)
    assert step.replies[0].to == HOME_END


def test_the_same_request_from_elsewhere_takes_no_reply_away() -> None:
    agent = foreign_agent()
    agent.receive(request(), NODE_A, NOW)
    assert agent.receive(request(), STRANGER, NOW).replies == ()
    assert agent.receive(request(), NODE_A, NOW).replies == (Datagram(HOME_END, request()),)
    assert agent.receive(reply_to(), HOME_END, NOW).replies[0].to == NODE_A


def test_a_home_agent_revokes_and_the_revocation_does_not_hold_for_the_next_visit() -> None:
    agent, home = foreign_agent(signed=True), home_agent(signed=True)

    def register(at: float) -> None:
        (relayed,) = agent.receive(request(at), NODE_A, at).replies
        (answer,) = home.receive(relayed.data, (AGENT_A, PORT), at).replies
        agent.receive(answer.data, HOME_END, at)

    register(NOW)
    (revocation,) = home.revoke(HOME, NOW + 0.1).replies
    assert home.next_deadline() == NOW + 1.1
    step = agent.receive(revocation.data, HOME_END, NOW + 0.2)
    (change,) = step.changes
    assert isinstance(change, VisitorRemoved)
    assert change.why is Removal.REVOKED
    home.receive(step.replies[0].data, (AGENT_A, PORT), NOW + 0.3)
    assert home.next_deadline() is None
    register(NOW + 0.4)
    step = agent.receive(revocation.data, HOME_END, NOW + 0.5)
    assert (step.changes, len(agent)) == ((), 1)
    assert len(step.replies) == 1, "a lost acknowledgement is said again"


def test_a_foreign_agent_revokes_at_the_home_agent_and_gives_up_in_the_end() -> None:
    agent, home = foreign_agent(signed=True), home_agent(signed=True)
    (relayed,) = agent.receive(request(), NODE_A, NOW).replies
    (answer,) = home.receive(relayed.data, (AGENT_A, PORT), NOW).replies
    agent.receive(answer.data, HOME_END, NOW)
    (revocation,) = agent.revoke(HOME, NOW + 1).replies
    forged = home.receive(revocation.data[:-1] + b"!", (AGENT_A, PORT), NOW + 1)
    assert (forged.replies, forged.changes, len(home)) == ((), (), 1)
    assert isinstance(forged.events[0], SecurityViolation)
    step = home.receive(revocation.data, (AGENT_A, PORT), NOW + 1)
    assert len(step.changes) == 1
    assert len(home) == 0
    sent = sum(len(agent.expire(NOW + 1 + second).replies) for second in range(60))
    assert sent == 3


def test_advertisements_are_numbered_so_that_a_restart_shows() -> None:
    agent = foreign_agent()
    numbers = []
    for tick in range(0x1_0002):
        (message,) = agent.expire(NOW + tick).icmp
        assert message.to == ALL_SYSTEMS
        if tick < 2 or tick > 0xFFFD:
            numbers.append(AgentAdvertisement.from_bytes(message.data).sequence)
    assert numbers == [0, 1, 0xFFFE, 0xFFFF, 256, 257]


def test_an_advertisement_says_what_the_agent_offers() -> None:
    agent = foreign_agent(policy=ForeignPolicy(gre=False, max_lifetime_s=90, prefix_length=24))
    (message,) = agent.expire(NOW).icmp
    said = AgentAdvertisement.from_bytes(message.data)
    assert said.care_of_addresses == (AGENT_A,)
    assert said.registration_lifetime_s == 90
    assert said.lifetime_s == 3
    assert said.routers[0].prefix_length == 24
    assert said.flags & (AgentFlags.F | AgentFlags.T | AgentFlags.R)
    assert not said.flags & (AgentFlags.G | AgentFlags.B)
    assert agent.next_deadline() == NOW + 1


def test_solicitations_are_answered_at_a_limited_rate() -> None:
    agent = foreign_agent()
    ask = AgentSolicitation().to_bytes()
    (message,) = agent.receive_icmp(ask, NODE_A[0], NOW).icmp
    assert message.to == NODE_A[0]
    assert agent.receive_icmp(ask, NODE_A[0], NOW + 0.5).icmp == ()
    (message,) = agent.receive_icmp(ask, IPv4Address("0.0.0.0"), NOW + 1).icmp
    assert message.to == ALL_SYSTEMS
    assert isinstance(agent.receive_icmp(b"\x0a", NODE_A[0], NOW).events[0], Dropped)
    assert agent.receive_icmp(message.data, NODE_A[0], NOW).icmp == ()


def test_advertisements_of_several_agents_do_not_keep_step() -> None:
    shares = iter((0.0, 1.0))
    advertiser = Advertiser(
        AGENT_A,
        AgentFlags.F,
        registration_lifetime_s=60,
        interval_s=4.0,
        jitter=lambda: next(shares),
    )
    advertiser.due(NOW)
    assert advertiser.next_deadline() == NOW + 3
    assert advertiser.due(NOW + 2.9) == ()
    advertiser.due(NOW + 3)
    assert advertiser.next_deadline() == NOW + 7


def test_a_challenge_behind_the_authenticator_stays_behind() -> None:
    agent = foreign_agent()
    data = request() + Challenge(b"not for the home agent").to_bytes()
    assert agent.receive(data, NODE_A, NOW).replies == (Datagram(HOME_END, request()),)


def test_a_reply_with_something_behind_the_agents_authenticator_is_not_believed() -> None:
    agent, home = foreign_agent(signed=True), home_agent(signed=True)
    (relayed,) = agent.receive(request(), NODE_A, NOW).replies
    (answer,) = home.receive(relayed.data, (AGENT_A, PORT), NOW).replies
    tail = Challenge(b"from somebody else").to_bytes()
    assert agent.receive(answer.data + tail, HOME_END, NOW).changes == ()
    assert len(agent.receive(answer.data, HOME_END, NOW).changes) == 1


def test_another_home_agent_cannot_revoke_a_visit() -> None:
    agent, home = foreign_agent(signed=True), home_agent(signed=True)
    agent.add_home_agent(AGENT_B, [AGENT_KEY])
    (relayed,) = agent.receive(request(), NODE_A, NOW).replies
    (answer,) = home.receive(relayed.data, (AGENT_A, PORT), NOW).replies
    agent.receive(answer.data, HOME_END, NOW)
    (revocation,) = home.revoke(HOME, NOW + 1).replies
    assert agent.receive(revocation.data, (AGENT_B, PORT), NOW + 1).changes == ()
    assert len(agent.receive(revocation.data, HOME_END, NOW + 1).changes) == 1


def test_one_source_gets_its_share_of_the_list_and_no_more() -> None:
    agent = foreign_agent(policy=ForeignPolicy(max_pending_from_source=3))
    for number in range(5):
        agent.receive(request(home=IPv4Address(int(HOME) + number)), STRANGER, NOW)
    assert agent.pending == 3
    later = request(NOW + 0.5)
    assert agent.receive(later, NODE_A, NOW).replies[0].to == HOME_END


def test_ending_another_care_of_address_leaves_the_visitor_here() -> None:
    agent = foreign_agent()
    visited(agent)
    agent.receive(request(NOW + 0.5, care_of=AGENT_B, lifetime_s=0), NODE_A, NOW + 0.5)
    step = agent.receive(reply_to(NOW + 0.5, lifetime_s=0), HOME_END, NOW + 0.5)
    assert (step.changes, len(agent)) == ((), 1)


def delivered_in_a_tunnel(at: float = NOW) -> bytes:
    """A request that says, to the foreign agent alone, how the node delivers (RFC 3024 3.3)."""
    return request(at, flags=Flags.T) + EncapsulatingDelivery().to_bytes()


def test_the_delivery_style_is_the_foreign_agents_and_is_not_relayed() -> None:
    agent = foreign_agent()
    (relayed,) = agent.receive(delivered_in_a_tunnel(), NODE_A, NOW).replies
    assert relayed.data == request(NOW, flags=Flags.T)
    agent.receive(reply_to(), HOME_END, NOW)
    visitor = agent.visitor(HOME)
    assert visitor is not None
    assert visitor.encapsulating and visitor.reverse_tunnel


def test_a_delivery_style_that_is_not_supported_is_79() -> None:
    agent = ForeignAgent(AGENT_A, policy=ForeignPolicy(encapsulating=False))
    reply = only_reply(agent.receive(delivered_in_a_tunnel(), NODE_A, NOW).replies)
    assert reply.code == Code.FA_DELIVERY_STYLE_UNSUPPORTED


def test_a_delivery_style_without_a_reverse_tunnel_means_nothing() -> None:
    agent = foreign_agent()
    agent.receive(request(NOW) + EncapsulatingDelivery().to_bytes(), NODE_A, NOW)
    agent.receive(reply_to(), HOME_END, NOW)
    visitor = agent.visitor(HOME)
    assert visitor is not None
    assert not visitor.encapsulating
