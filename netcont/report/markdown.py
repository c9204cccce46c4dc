"""The same tables in Markdown, and the summary that lies beside the JSON of a results directory."""

from __future__ import annotations

from collections.abc import Iterable

from netcont.model.outcome import Outcome
from netcont.report.rows import (
    CLIENT_HEADINGS,
    LEGEND,
    RUN_HEADINGS,
    RunRow,
    headline,
    run_rows,
)

_TEXT_COLUMNS = frozenset({"approach", "client", "fate", "status"})


def to_markdown(outcome: Outcome) -> str:
    """Runs, clients and remarks as GitHub-flavoured Markdown, ending with a line feed."""
    rows = run_rows(outcome)
    parts = [
        _grid(RUN_HEADINGS, (row.cells for row in rows)),
        _grid(CLIENT_HEADINGS, (client.cells for row in rows for client in row.clients)),
        *_remarks(rows),
        LEGEND,
    ]
    return "\n\n".join(parts) + "\n"


def summary(outcome: Outcome) -> str:
    """The text of summary.md: what was compared, the tables, and what the runs rested on."""
    programs = ", ".join(
        f"{name} {version}" for name, version in sorted(outcome.environment.programs.items())
    )
    description = [outcome.scenario.description] if outcome.scenario.description else []
    parts = [
        f"# {_plain(outcome.scenario.name)}",
        *map(_plain, description),
        _plain(headline(outcome)) + ".",
        to_markdown(outcome).rstrip("\n"),
        f"netcont {outcome.environment.netcont}" + (f"; {_plain(programs)}." if programs else "."),
    ]
    return "\n\n".join(parts) + "\n"


def _grid(headings: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    rules = [":---" if heading in _TEXT_COLUMNS else "---:" for heading in headings]
    return "\n".join(_line(cells) for cells in (headings, tuple(rules), *lines))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _remarks(rows: Iterable[RunRow]) -> Iterable[str]:
    for heading, attribute in (("Errors", "errors"), ("Missed", "missed"), ("Notes", "notes")):
        lines = [
            f"- {_plain(row.cells[0])}: {_plain(remark)}"
            for row in rows
            for remark in getattr(row, attribute)
        ]
        if lines:
            yield "\n".join([f"**{heading}**", "", *lines])


def _plain(text: str) -> str:
    """text on one line, with what Markdown and HTML would act upon made harmless."""
    escaped = "".join(f"\\{c}" if c in "\\|*_`[]" else c for c in " ".join(text.split()))
    return escaped.replace("<", "&lt;")
