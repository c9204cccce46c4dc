"""What netcont dns prints: text for people, JSON for programs, from the same facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from netcont.dns.agreement import Agreed
from netcont.dns.memo import Memo
from netcont.dns.move import Moved, MovePlan
from netcont.dns.prepare import Prepared, PreparePlan
from netcont.dns.zone_update import Replacement, ZoneUpdate


@dataclass(frozen=True)
class Shown:
    """How to print. output_format: text or json; now_s: seconds since 1970."""

    output_format: str
    now_s: float

    def print(self, facts: dict[str, Any], lines: Sequence[str], notes: Sequence[str]) -> None:
        """Either form; in text the notes go to stderr."""
        if self.output_format == "json":
            click.echo(json.dumps({**facts, "notes": list(notes)}, indent=2))
            return
        for line in lines:
            click.echo(line)
        for note in notes:
            click.echo(f"netcont: note: {note}", err=True)


def show_move(plan: MovePlan, moved: Moved | None, memo: Memo | None, shown: Shown) -> float | None:
    """Prints a move (moved None: a dry run). Returns until when caches may have the old addresses.

    In seconds since 1970; None if nothing was moved.
    """
    name = plan.name
    reverse = [change for each in plan.reverse.updates for change in each.update.replacements]
    changed = [each for each in (*plan.records, *reverse) if each.needed]
    notes = list(plan.notes)
    if moved and not changed:
        lines = [f"{name} has these addresses already: nothing was changed"]
    else:
        lines = [_line(each) for each in changed]
    stale_until_s = None
    if moved:
        lines.append(_agreement(plan.zone.name, moved.agreed))
        if plan.old_ttl_s or any(each.was.values != each.becomes.values for each in plan.records):
            stale_until_s = max(moved.at_s + plan.old_ttl_s, memo.safe_at_s if memo else 0.0)
            lines.append(f"caches may keep the old addresses until {_time(stale_until_s)}")
            if memo:
                lines.append(
                    f"the TTL was {memo.old_ttl_s} s once; give it back: "
                    f"netcont dns prepare {name} --ttl {memo.old_ttl_s}"
                )
    elif memo and memo.safe_at_s > shown.now_s:
        notes.append(f"caches have the lowered TTL only from {_time(memo.safe_at_s)}")
    facts = _facts(name, plan.zone.name, str(plan.zone.primary), changed, plan.updates, moved)
    facts["stale_until"] = None if stale_until_s is None else _time(stale_until_s)
    shown.print(facts, [*([] if moved else _dry(plan.updates)), *lines], notes)
    return stale_until_s


def show_prepare(plan: PreparePlan, prepared: Prepared | None, shown: Shown) -> None:
    """Prints a preparation (prepared None: a dry run)."""
    changed = [each for each in plan.records if each.needed]
    updates = (plan.update,) if changed else ()
    lines = [_line(each) for each in changed]
    if prepared and not changed:
        lines = [f"{plan.name} has a TTL of {plan.ttl_s} s already: nothing was changed"]
    safe_at_s = prepared.safe_at_s if prepared else None
    if prepared:
        lines += [_agreement(plan.zone.name, prepared.agreed), f"old TTL: {plan.first_ttl_s} s"]
        lines.append(
            f"safe to move from {_time(safe_at_s)}"
            if safe_at_s
            else "an earlier TTL is not known here: it is safe to move once that has passed"
        )
    else:
        lines.append(f"safe to move {plan.old_ttl_s} s after this is done")
    lines.append(
        f"that a record is missing is remembered for {plan.zone.negative_ttl_s} s (the SOA record's"
        f" negative TTL): do not remove {plan.name} and add it again"
    )
    facts = _facts(plan.name, plan.zone.name, str(plan.zone.primary), changed, updates, prepared)
    facts |= {
        "ttl_s": plan.ttl_s,
        "old_ttl_s": plan.first_ttl_s,
        "negative_ttl_s": plan.zone.negative_ttl_s,
        "safe_at": None if safe_at_s is None else _time(safe_at_s),
    }
    shown.print(facts, [*([] if prepared else _dry(updates)), *lines], ())


def _facts(
    name: str,
    zone: str,
    primary: str,
    changed: Sequence[Replacement],
    updates: Sequence[ZoneUpdate],
    done: Moved | Prepared | None,
) -> dict[str, Any]:
    return {
        "name": name,
        "zone": zone,
        "primary": primary,
        "dry_run": done is None,
        "changed": bool(changed) and done is not None,
        "records": [
            {
                "name": each.was.name,
                "type": each.was.kind,
                "was": list(each.was.values),
                "was_ttl_s": each.was.ttl_s,
                "values": list(each.becomes.values),
                "ttl_s": each.becomes.ttl_s,
            }
            for each in changed
        ],
        "updates": [list(update.commands()) for update in updates],
        "authoritative": [
            {"server": each.server.name, "address": each.server.address, "after_s": each.after_s}
            for each in (done.agreed if done else ())
        ],
    }


def _dry(updates: Sequence[ZoneUpdate]) -> list[str]:
    if not updates:
        return ["nothing would be changed"]
    return ["this would be sent, as nsupdate would say it:"] + [
        f"  {line}" for update in updates for line in update.commands()
    ]


def _line(change: Replacement) -> str:
    was, now = change.was, change.becomes
    old, new = (", ".join(each.values) or "nothing" for each in (was, now))
    ttl = f"TTL {now.ttl_s} s" if now.values else ""
    if was.values and now.values and was.ttl_s != now.ttl_s:
        ttl += f", was {was.ttl_s} s"
    values = new if old == new else f"{old} -> {new}"
    return f"{was.name} {was.kind} {values}" + (f" ({ttl})" if ttl else "")


def _agreement(zone: str, agreed: Sequence[Agreed]) -> str:
    servers = ", ".join(str(each.server) for each in agreed)
    after_s = max((each.after_s for each in agreed), default=0.0)
    return f"all servers of {zone} agree after {after_s:.1f} s: {servers}"


def _time(at_s: float) -> str:
    """RFC 3339, in UTC, to the next whole second."""
    return datetime.fromtimestamp(-(-at_s // 1), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
