"""What a reader sees: a plan against the kernel, and what stands with its counters. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netcont.deploy.agents import shown
from netcont.deploy.beyond import goes_on
from netcont.deploy.record import Record
from netcont.deploy.standing import Standing, hangs_on_own, link_named, state
from netcont.deploy.usage import in_words
from netcont.kernel.facts import Facts
from netcont.kernel.flow import Flow
from netcont.kernel.stations import Station
from netcont.model import plan as changes
from netcont.model.plan import Change, Plan

SCHEMA_VERSION = 1

_ACTIONS = {
    Standing.PRESENT: "keep",
    Standing.MISSING: "add",
    Standing.CHANGED: "change",
    Standing.UNKNOWN: "add",
}
_MARKS = {"keep": "=", "add": "+", "change": "~", "remove": "-"}


@dataclass(frozen=True)
class Line:
    """One change. action: keep, add, change or remove. found: what is there instead."""

    action: str
    command: str
    found: str = ""

    def __str__(self) -> str:
        found = f"    # is: {self.found}" if self.found else ""
        return f"{_MARKS[self.action]} {self.command}{found}"


def plan_lines(goal: Plan, record: Record | None, facts: Facts) -> tuple[Line, ...]:
    """What going to the goal would do, in that order: removals first."""
    wanted = set(goal)
    known = reversed(record.known.changes) if record else ()
    superfluous = [c for c in known if c not in wanted and not goes_on(c, goal)]
    was = record.was if record else {}
    going = {c.name for c in superfluous if isinstance(c, changes.AddLink)}
    lines = []
    for change in superfluous:
        command = _undoing(change, was, going)
        if command and state(change, facts).standing is not Standing.MISSING:
            lines.append(Line("remove", command))
    for change in goal:
        if isinstance(change, changes.MoveName) and change.name not in facts.names:
            continue  # nobody was told to touch it
        found = state(change, facts)
        lines.append(Line(_ACTIONS[found.standing], _command(change), found.found))
    return tuple(lines)


def _undoing(change: Change, was: Mapping[str, str], going: set[str]) -> str | None:
    if link_named(change) in going and not isinstance(change, changes.AddLink):
        return None
    if isinstance(change, changes.SetSysctl):
        if hangs_on_own(change) or change.key not in was:
            return None
        change = changes.SetSysctl(change.node, change.key, change.value, was[change.key])
    undo = change.undo()
    return None if undo is None else _command(undo)


def _command(change: Change) -> str:
    return "; ".join(change.commands())


def status_of(record: Record, facts: Facts, now_s: float) -> dict[str, Any]:
    """One deployment, ready for JSON. now_s: on CLOCK_BOOTTIME."""
    objects = []
    for change in record.stands:
        found = state(change, facts)
        objects.append(
            {"command": _command(change), "state": found.standing.value, "found": found.found}
        )
    shut = _shut(record.stands, facts)
    drifted = shut or any(each["state"] != Standing.PRESENT.value for each in objects)
    due = record.confirmation
    return {
        "name": record.name,
        "side": record.side,
        "source": record.source,
        "switched": record.switched,
        "state": "interrupted" if record.goal is not None else "changed" if drifted else "up",
        "confirm_within_s": None if due is None else max(0.0, round(due.due_s - now_s, 1)),
        "objects": objects,
        "shut": shut,
        "agents": _agents(record.stands, facts),
        "links": _counters(record.stands, facts),
    }


def _shut(plan: Plan, facts: Facts) -> list[str]:
    """Ports that their guard has shut, and not the state of port or bridge."""
    found = []
    for each in plan:
        link = facts.links.get(each.link) if isinstance(each, changes.SetBridgePort) else None
        bridge = facts.links.get(link.master or "") if link is not None else None
        if link and link.guard and link.shut and link.up and bridge and bridge.up:
            found.append(link.name)
    return found


def _agents(plan: Plan, facts: Facts) -> list[dict[str, Any]]:
    found = []
    for each in plan:
        if isinstance(each, changes.RunAgent) and each.control in facts.agents:
            fact = facts.agents[each.control]
            told = {"role": each.role, "control": each.control, "told": dict(fact.told)}
            found.append({**told, "lines": shown(each, fact)})
    return found


def _counters(plan: Plan, facts: Facts) -> dict[str, dict[str, int]]:
    names = [each.name for each in plan if isinstance(each, changes.AddLink)]
    return {name: dict(facts.links[name].counters) for name in names if name in facts.links}


def status_text(
    found: Sequence[Mapping[str, Any]],
    *,
    verbose: bool,
    heard: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """The same for people: one head each, then what is not as it should be, or everything.

    heard: lines about the other ends, by the deployment's name.
    """
    lines = []
    for one in found:
        notes = [f"side {one['side']}", one["state"]]
        if one["switched"]:
            notes.append("guests switched")
        if one["confirm_within_s"] is not None:
            notes.append(f"reverts in {one['confirm_within_s']:g} s unless confirmed")
        count = sum(each["state"] == "present" for each in one["objects"])
        notes.append(f"{count} of {len(one['objects'])} objects present")
        lines.append(f"{one['name']}: {', '.join(notes)}")
        for each in one["objects"]:
            if verbose or each["state"] != "present":
                is_so = f"    # is: {each['found']}" if each["found"] else ""
                lines.append(f"  {each['state']:8} {each['command']}{is_so}")
        lines += [
            f"  shut     {link}: a bridge that speaks STP is heard there; once the loop is gone:"
            f" ip link set {link} down; ip link set {link} up"
            for link in one["shut"]
        ]
        lines += [f"  {line}" for agent in one["agents"] for line in agent["lines"]]
        lines += _used(one["connections"], verbose=verbose)
        for name, counted in one["links"].items() if verbose or len(one["links"]) <= 8 else ():
            lines.append(
                f"  {name}: received {counted.get('rx_packets', 0)} packets,"
                f" {counted.get('rx_bytes', 0)} bytes, sent {counted.get('tx_packets', 0)} packets,"
                f" {counted.get('tx_bytes', 0)} bytes,"
                f" errors {counted.get('rx_errors', 0)}/{counted.get('tx_errors', 0)},"
                f" dropped {counted.get('rx_dropped', 0)}/{counted.get('tx_dropped', 0)}"
            )
        lines += [f"  {line}" for line in (heard or {}).get(one["name"], ())]
    return lines


def _used(connections: Mapping[str, Any], *, verbose: bool) -> list[str]:
    count, unseen = connections["count"], connections["unseen"]
    lines = []
    if count or not unseen:
        lines.append(f"  in use by {in_words(count)}")
    if verbose:
        lines += [f"    {Flow(**each)}" for each in connections["listed"]]
    for each in connections["segments"]:
        beyond = len(each["stations"])
        known = f"{beyond} station{'s' * (beyond != 1)} beyond it" if beyond else "nobody beyond it"
        lines.append(f"  {each['link']}: {known}, silent for {each['silent_s']} s")
        if verbose:
            lines += [f"    {Station(**one)}" for one in each["stations"]]
    if unseen:
        lines.append(f"  may be in use{' by others' * bool(count)}: {'; '.join(unseen)}")
    return lines
