"""What an agent says: every event once, and a flood of strangers never as much as it sends."""

from __future__ import annotations

import tracemalloc
from ipaddress import IPv4Address

import pytest

from netcont.agent.reporter import Reporter, told
from netcont.mobileip import events as e
from netcont.mobileip.authentication import Failure
from netcont.mobileip.codes import Code

from .agents import AGENT_A, HOME, NOW, SOURCE, STRANGER


class Said(list[tuple[str, str]]):
    def __call__(self, level: str, line: str) -> None:
        self.append((level, line))


def violation(source: int | None = None) -> e.SecurityViolation:
    origin = STRANGER if source is None else (IPv4Address(source), 666)
    return e.SecurityViolation(origin, Failure.WRONG, HOME)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            e.Registered(HOME, AGENT_A, 300),
            "registered home=10.0.0.50 care-of=192.0.2.1 lifetime=300s",
        ),
        (
            e.Registered(HOME, AGENT_A, 300, 1),
            "registered home=10.0.0.50 care-of=192.0.2.1 lifetime=300s: ",
        ),
        (e.Deregistered(HOME, HOME), "deregistered home=10.0.0.50 care-of=10.0.0.50"),
        (
            e.Denied(HOME, AGENT_A, Code.HA_IDENTIFICATION_MISMATCH),
            "denied home=10.0.0.50 care-of=192.0.2.1 code=133: ",
        ),
        (e.Unanswered(HOME, AGENT_A, 3), "unanswered home=10.0.0.50 care-of=192.0.2.1 attempts=3"),
        (
            e.RegistrationLost(HOME, AGENT_A, "why"),
            "registration-lost home=10.0.0.50 care-of=192.0.2.1: why",
        ),
        (e.Resynchronised(HOME, -1.5), "resynchronised home=10.0.0.50 offset=-1.500s"),
        (e.AgentFound(AGENT_A, AGENT_A), "agent-found agent=192.0.2.1 care-of=192.0.2.1"),
        (e.AgentFound(AGENT_A, None), "agent-found agent=192.0.2.1 home"),
        (e.AgentLost(AGENT_A), "agent-lost agent=192.0.2.1"),
        (e.AgentRestarted(AGENT_A), "agent-restarted agent=192.0.2.1"),
    ],
)
def test_an_event_is_one_line(event: e.Event, line: str) -> None:
    said = Said()
    Reporter(said).report([event], NOW)
    ((level, text),) = said
    assert level == "info"
    assert text.startswith(line)
    assert "\n" not in text


def test_a_dropped_message_is_counted_and_not_said() -> None:
    said = Said()
    reporter = Reporter(said)
    dropped = e.Dropped(STRANGER, "3 bytes are no message")
    reporter.report([dropped] * 5, NOW)
    assert said == []
    assert reporter.counters == {"Dropped": 5}
    assert told(dropped) == "dropped source=203.0.113.66:666: 3 bytes are no message"


def test_a_violation_is_said_at_most_once_a_minute_with_what_was_left_unsaid() -> None:
    said = Said()
    reporter = Reporter(said)
    for second in range(121):
        reporter.report([violation()], NOW + second)
    lines = [line for _, line in said]
    assert [level for level, _ in said] == ["warning"] * 3
    assert lines[0].startswith("security-violation source=203.0.113.66:666 home=10.0.0.50: ")
    assert lines[1].endswith(" (59 more since the last line)")
    assert lines[2].endswith(" (59 more since the last line)")
    assert reporter.counters["SecurityViolation"] == 121


def test_each_source_has_a_minute_of_its_own() -> None:
    said = Said()
    reporter = Reporter(said)
    for _ in range(3):
        reporter.report([violation(source) for source in range(100)], NOW)
    assert len(said) == 100


def test_a_denial_that_anybody_can_cause_is_counted_and_not_said() -> None:
    said = Said()
    reporter = Reporter(said)
    reporter.report([e.Denied(HOME, AGENT_A, 131, authenticated=False)] * 3, NOW)
    assert said == []
    assert reporter.denials == {131: 3}


def test_a_flood_of_sources_costs_neither_memory_nor_a_line_each() -> None:
    said = Said()
    reporter = Reporter(said)
    reporter.report([violation(source) for source in range(10_000)], NOW)
    lines = len(said)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for source in range(10_000, 60_000):
            reporter.report([violation(source)], NOW + source * 1e-4)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines < 5_000
    assert len(said) == lines
    assert after - before < 65_536
    reporter.report([violation(70_000)], NOW + 59)
    reporter.report([violation(70_001)], NOW + 61)
    reporter.report([violation(70_002)], NOW + 62)
    assert len(said) > lines


def test_after_a_flood_the_quiet_minute_of_each_source_still_holds() -> None:
    said = Said()
    reporter = Reporter(said)
    for source in range(20_000):
        reporter.report([violation(source)], NOW + source)
    said.clear()
    reporter.report([violation(19_999)] * 50, NOW + 20_000)
    assert said == []


def test_a_complaint_is_said_once_a_minute_for_each_thing() -> None:
    said = Said()
    reporter = Reporter(said)
    for second in range(61):
        reporter.complain("disk", f"full at {second}", NOW + second)
        reporter.complain("net", f"down at {second}", NOW + second)
    assert [line for _, line in said] == ["full at 0", "down at 0", "full at 60", "down at 60"]


def test_sources_are_told_with_their_ports() -> None:
    assert "source=192.0.2.1:434" in told(e.SecurityViolation(SOURCE, Failure.MISSING))
