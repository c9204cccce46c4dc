"""What a mobile node sends, believes and reports."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from netcont.errors import ConfigurationError
from netcont.mobileip import ntp
from netcont.mobileip.attachment import Attachment
from netcont.mobileip.authentication import Failure, SecurityAssociation, sign
from netcont.mobileip.codes import Code
from netcont.mobileip.events import (
    Denied,
    Deregistered,
    Dropped,
    Registered,
    RegistrationLost,
    Resynchronised,
    SecurityViolation,
    Unanswered,
)
from netcont.mobileip.extensions import AuthenticationKind
from netcont.mobileip.messages import PORT, Flags, RegistrationReply, RegistrationRequest
from netcont.mobileip.node import MobileNode, NodeStep
from netcont.mobileip.policy import HomePolicy, NodePolicy
from netcont.mobileip.registration import TABLE, Action, Input, State

from .machines import (
    AGENT_A,
    AGENT_B,
    AGENT_KEY,
    HOME,
    HOME_AGENT,
    KEY,
    MOBILE_HOME,
    NONCE_KEY,
    NOW,
    OTHER_KEY,
    STRANGER,
    VISIT_KEY,
    home_agent,
    node,
    unsigned,
)

AT_A = Attachment.through(AGENT_A, AGENT_A)
AT_B = Attachment.through(AGENT_B, AGENT_B)
SOURCE = (AGENT_A, PORT)


def sent(step: NodeStep) -> RegistrationRequest:
    (datagram,) = step.replies
    return RegistrationRequest.from_bytes(datagram.data)


def answer(
    request: RegistrationRequest,
    code: int = 0,
    lifetime_s: int | None = None,
    *,
    identification: int | None = None,
    signed: bool = True,
) -> bytes:
    reply = RegistrationReply(
        code,
        request.lifetime_s if lifetime_s is None else lifetime_s,
        request.home_address,
        request.home_agent,
        request.identification if identification is None else identification,
    )
    return sign(reply, MOBILE_HOME, KEY) if signed else reply.to_bytes()


def registered(one: MobileNode, at: float = NOW, place: Attachment = AT_A) -> None:
    one.receive(answer(sent(one.attach(place, at))), SOURCE, at)


def test_a_node_registers_through_the_foreign_agent() -> None:
    one = node()
    step = one.attach(AT_A, NOW)
    assert step.replies[0].to == SOURCE
    request = sent(step)
    assert (request.care_of_address, request.lifetime_s) == (AGENT_A, 300)
    assert request.identification == ntp.to_ntp(NOW)
    step = one.receive(answer(request), SOURCE, NOW + 0.1)
    assert step.events == (Registered(HOME, AGENT_A, 300),)
    assert one.registered
    assert one.next_deadline() == NOW + 150


def test_a_node_with_its_own_care_of_address_asks_the_home_agent_itself() -> None:
    step = node(NodePolicy(reverse_tunnel=True)).attach(
        Attachment.co_located(AGENT_B, HOME_AGENT), NOW
    )
    assert step.replies[0].to == (HOME_AGENT, PORT)
    assert sent(step).flags == Flags.D | Flags.T


def test_requests_are_repeated_with_back_off_and_new_identifications() -> None:
    one = node(NodePolicy(last_retry_s=8.0))
    seen = {sent(one.attach(AT_A, NOW)).identification}
    times = []
    for _ in range(6):
        at = one.next_deadline()
        assert at is not None
        times.append(at - NOW)
        step = one.tick(at)
        assert isinstance(step.events[0], Unanswered)
        seen.add(sent(step).identification)
    assert times == [1, 3, 7, 15, 23, 31]
    assert len(seen) == 7


def test_a_lifetime_counts_from_the_request_and_is_renewed_before_it_ends() -> None:
    one = node()
    request = sent(one.attach(AT_A, NOW))
    one.receive(answer(request, lifetime_s=100), SOURCE, NOW + 0.9)
    assert one.current is not None
    assert one.current.expires_at == NOW + 100
    assert one.tick(NOW + 49.9).replies == ()
    assert sent(one.tick(NOW + 50)).lifetime_s == 300
    assert one.registered, "the old registration goes on while it is renewed"


def test_a_renewal_that_is_never_answered_loses_the_registration_and_goes_on() -> None:
    one = node(NodePolicy(lifetime_s=10))
    registered(one)
    events = []
    sends = 0
    while (at := one.next_deadline()) is not None and at < NOW + 60:
        step = one.tick(at)
        events += [event for event in step.events if isinstance(event, RegistrationLost)]
        sends += len(step.replies)
    assert [event.care_of_address for event in events] == [AGENT_A]
    assert sends >= 4
    assert not one.registered


def test_a_longer_lifetime_than_asked_is_clamped() -> None:
    one = node()
    request = sent(one.attach(AT_A, NOW))
    step = one.receive(answer(request, lifetime_s=9999), SOURCE, NOW)
    assert step.events == (Registered(HOME, AGENT_A, 300),)


def test_a_reply_that_matches_no_pending_request_is_ignored() -> None:
    one = node()
    request = sent(one.attach(AT_A, NOW))
    wrong = answer(request, identification=request.identification ^ 1)
    assert isinstance(one.receive(wrong, SOURCE, NOW).events[0], Dropped)
    assert not one.registered
    one.receive(answer(request), SOURCE, NOW)
    again = one.receive(answer(request, code=133), SOURCE, NOW)
    assert isinstance(again.events[0], Dropped)
    assert one.registered


@pytest.mark.parametrize("code", [0, 1, 131, 133])
def test_a_reply_of_nobody_known_changes_nothing(code: int) -> None:
    one = node()
    request = sent(one.attach(AT_A, NOW))
    offset = ntp.to_ntp(NOW + 5000)
    number = (offset >> 32 << 32) | (request.identification & 0xFFFF_FFFF)
    forged = answer(request, code, identification=number, signed=False)
    step = one.receive(forged, STRANGER, NOW)
    assert step.replies == ()
    assert SecurityViolation(STRANGER, Failure.MISSING, HOME) in step.events
    assert not any(isinstance(event, Resynchronised) for event in step.events)
    other = sign(RegistrationReply(code, 300, HOME, HOME_AGENT, number), MOBILE_HOME, OTHER_KEY)
    assert (
        SecurityViolation(STRANGER, Failure.WRONG, HOME) in one.receive(other, STRANGER, NOW).events
    )
    one.receive(answer(request), SOURCE, NOW)
    assert one.registered


@pytest.mark.parametrize("skew_s", [-1e6, -60.0, -8.0, 8.0, 60.0, 1e6, 3e9])
def test_a_node_whose_clock_is_wrong_registers_with_its_second_request(skew_s: float) -> None:
    agent, one = home_agent(), node()
    there, here = 4_000_000_000.0, 4_000_000_000.0 + skew_s
    step = one.attach(AT_A, here)
    (denial,) = agent.receive(step.replies[0].data, SOURCE, there).replies
    step = one.receive(denial.data, SOURCE, here)
    assert any(isinstance(event, Resynchronised) for event in step.events)
    (reply,) = agent.receive(step.replies[0].data, SOURCE, there).replies
    one.receive(reply.data, SOURCE, here)
    assert one.registered


def test_a_guest_that_another_site_registered_with_a_fast_clock_can_move_on() -> None:
    agent = home_agent()
    first, second = node(), node()
    data = first.attach(AT_A, NOW + 4).replies[0].data
    agent.receive(data, SOURCE, NOW)
    step, at, messages = second.attach(AT_B, NOW), NOW, 1
    while not second.registered and messages < 5:
        (reply,) = agent.receive(step.replies[0].data, (AGENT_B, PORT), at).replies
        step = second.receive(reply.data, (AGENT_B, PORT), at)
        if not step.replies and not second.registered:
            at = second.next_deadline() or at
            step = second.tick(at)
        messages += 1
    assert second.registered
    assert at <= NOW + 2


def test_two_ends_that_disagree_about_time_do_not_exhaust_each_other() -> None:
    one = node()
    step = one.attach(AT_A, NOW)
    messages, at = 0, NOW
    while at < NOW + 60:
        for datagram in step.replies:
            messages += 1
            request = RegistrationRequest.from_bytes(datagram.data)
            number = ((messages * 1000) << 32) | (request.identification & 0xFFFF_FFFF)
            step = one.receive(answer(request, 133, 0, identification=number), SOURCE, at)
            break
        else:
            at = one.next_deadline() or at
            step = one.tick(at)
    assert messages < 16


def test_nonces_are_taken_over_from_the_home_agent() -> None:
    agent, one = home_agent(key=NONCE_KEY), node(key=NONCE_KEY)
    at = NOW
    step = one.attach(AT_A, at)
    for _ in range(3):
        while step.replies:
            (reply,) = agent.receive(step.replies[0].data, SOURCE, at).replies
            step = one.receive(reply.data, SOURCE, at)
        assert one.registered
        at = one.next_deadline() or at
        step = one.tick(at)


def test_a_foreign_agents_refusal_is_a_hint_and_the_request_stays_pending() -> None:
    one = node()
    request = sent(one.attach(AT_A, NOW))
    step = one.receive(answer(request, 66, 0, signed=False), SOURCE, NOW)
    assert step.events == (Denied(HOME, AGENT_A, 66, authenticated=False),)
    assert step.replies == ()
    one.receive(answer(request), SOURCE, NOW + 0.5)
    assert one.registered


def test_a_shorter_lifetime_is_taken_over_if_it_is_worth_having() -> None:
    one = node()
    request = sent(one.attach(AT_A, NOW))
    step = one.receive(answer(request, 69, 60, signed=False), SOURCE, NOW)
    assert sent(step).lifetime_s == 60
    one = node()
    request = sent(one.attach(AT_A, NOW))
    assert one.receive(answer(request, 69, 1, signed=False), SOURCE, NOW).replies == ()


def test_a_denial_by_the_home_agent_is_reported_and_asked_again_later() -> None:
    one = node()
    request = sent(one.attach(AT_A, NOW))
    step = one.receive(answer(request, 129, 0), SOURCE, NOW)
    assert step.events == (Denied(HOME, AGENT_A, 129),)
    assert "prohibited" in step.events[0].why
    assert step.replies == ()
    assert one.next_deadline() == NOW + 1


def test_preparation_leaves_one_message_for_the_switch() -> None:
    agent, one = home_agent(), node()

    def ask(step: NodeStep, at: float) -> None:
        for datagram in step.replies:
            for reply in agent.receive(datagram.data, datagram.to, at).replies:
                one.receive(reply.data, reply.to, at)

    ask(one.attach(AT_A, NOW), NOW)
    ask(one.prepare(AT_B, NOW + 1), NOW + 1)
    assert one.prepared
    assert one.registered
    assert len(agent) == 2
    ask(one.tick(NOW + 150), NOW + 150)
    assert len(agent) == 2, "a renewal of the present place must not end the next one"
    step = one.switch(NOW + 151)
    assert len(step.replies) == 1
    ask(step, NOW + 151)
    assert [binding.care_of_address for binding in agent.bindings_of(HOME)] == [AGENT_B]
    assert one.registered
    assert one.ahead is None


def test_an_abandoned_preparation_leaves_the_present_place_alone() -> None:
    agent, one = home_agent(), node()
    for at, act in enumerate(
        (
            lambda now: one.attach(AT_A, now),
            lambda now: one.prepare(AT_B, now),
            lambda now: one.abandon(now),
        )
    ):
        for datagram in act(NOW + at).replies:
            for reply in agent.receive(datagram.data, datagram.to, NOW + at).replies:
                last = one.receive(reply.data, reply.to, NOW + at)
    assert last.events == (Deregistered(HOME, AGENT_B),)
    assert [binding.care_of_address for binding in agent.bindings_of(HOME)] == [AGENT_A]


def test_without_simultaneous_bindings_the_present_place_is_taken_back() -> None:
    agent, one = home_agent(HomePolicy(max_simultaneous=1)), node()
    registered(one)
    step = one.prepare(AT_B, NOW + 1)
    (reply,) = agent.receive(step.replies[0].data, SOURCE, NOW + 1).replies
    step = one.receive(reply.data, SOURCE, NOW + 1)
    assert Registered(HOME, AGENT_B, 300, Code(1)) in step.events
    assert sent(step).care_of_address == AGENT_A
    assert not one.prepared


def test_a_node_that_comes_home_deregisters_everything_until_it_is_confirmed() -> None:
    one = node()
    registered(one)
    step = one.detach(NOW + 1)
    request = sent(step)
    assert (request.care_of_address, request.lifetime_s) == (HOME, 0)
    assert step.replies[0].to == (HOME_AGENT, PORT)
    request = sent(one.tick(NOW + 2))
    step = one.receive(answer(request), (HOME_AGENT, PORT), NOW + 2)
    assert step.events == (Deregistered(HOME, HOME),)
    assert one.next_deadline() is None


def test_leaving_is_given_up_in_the_end() -> None:
    one = node()
    registered(one)
    one.detach(NOW + 1)
    steps = 0
    while (at := one.next_deadline()) is not None:
        step = one.tick(at)
        steps += 1
        assert steps < 20
    assert isinstance(step.events[-1], RegistrationLost)


@pytest.mark.parametrize("data", [b"", b"\x03", b"\x03" * 90, b"\x01" * 24])
def test_what_is_no_reply_is_dropped(data: bytes) -> None:
    one = node()
    one.attach(AT_A, NOW)
    assert isinstance(one.receive(data, STRANGER, NOW).events[0], Dropped)


def test_every_state_but_the_last_ones_has_an_answer_to_every_timer() -> None:
    waiting = {State.ASKING, State.RENEWING, State.LEAVING}
    for state in waiting:
        for event in (Input.GRANTED, Input.REFUSED, Input.STALE, Input.RETRY):
            assert (state, event) in TABLE
    for state in State:
        assert TABLE[state, Input.START][1] is Action.SEND
    assert all(after is not State.IDLE for after, _ in TABLE.values())


@pytest.mark.parametrize(
    "values",
    [{"lifetime_s": 0}, {"lifetime_s": 70000}, {"renew_at": 1.0}, {"first_retry_s": 0.5}],
)
def test_a_policy_that_cannot_work_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        NodePolicy(**values)  # type: ignore[arg-type]


def test_an_address_is_not_taken_for_another() -> None:
    one = node()
    request = sent(one.attach(AT_A, NOW))
    other = RegistrationReply(0, 300, IPv4Address("10.0.0.60"), HOME_AGENT, request.identification)
    step = one.receive(sign(other, MOBILE_HOME, KEY), SOURCE, NOW)
    assert isinstance(step.events[0], Dropped)


def test_an_acceptance_without_a_lifetime_is_none() -> None:
    one = node()
    request = sent(one.attach(AT_A, NOW))
    one.receive(answer(request, 0, 0), SOURCE, NOW)
    assert not one.registered
    assert one.next_deadline() == NOW + 1


@pytest.mark.parametrize(
    ("place", "kind", "key"),
    [
        pytest.param(
            Attachment.through(AGENT_A, AGENT_A, key=VISIT_KEY),
            AuthenticationKind.MOBILE_FOREIGN,
            VISIT_KEY,
            id="the foreign agent",
        ),
        pytest.param(
            Attachment.by_proxy(AGENT_A, HOME_AGENT, AGENT_KEY),
            AuthenticationKind.FOREIGN_HOME,
            AGENT_KEY,
            id="a proxy's home agent",
        ),
    ],
)
def test_every_key_that_there_is_must_sign_the_reply(
    place: Attachment, kind: AuthenticationKind, key: SecurityAssociation
) -> None:
    one = node()
    reply = answer(sent(one.attach(place, NOW)))
    step = one.receive(reply, SOURCE, NOW)
    assert step.events == (SecurityViolation(SOURCE, Failure.MISSING, HOME),)
    assert not one.registered
    one.receive(sign(reply, kind, key), SOURCE, NOW)
    assert one.registered


def test_a_forgery_that_the_home_agent_denied_does_not_spoil_the_nonce() -> None:
    agent, one = home_agent(key=NONCE_KEY), node(key=NONCE_KEY)
    step = one.attach(AT_A, NOW)
    (denial,) = agent.receive(step.replies[0].data, SOURCE, NOW).replies
    step = one.receive(denial.data, SOURCE, NOW)
    asked = RegistrationRequest.from_bytes(step.replies[0].data)
    number = (0xBAD << 32) | (asked.identification & 0xFFFF_FFFF)
    forged = unsigned(identification=number).to_bytes()
    (oracle,) = agent.receive(forged, STRANGER, NOW).replies
    assert one.receive(oracle.data, STRANGER, NOW).replies == ()
    again = sent(one.tick(NOW + 1))
    assert again.identification >> 32 == asked.identification >> 32
