"""The table for people: one hundred columns, no frames, the same in a pipe as on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from textwrap import fill

from rich.console import Console
from rich.table import Table
from rich.text import Text

from netcont.model.outcome import Fate, Outcome, Status
from netcont.report.rows import (
    CLIENT_HEADINGS,
    LEGEND,
    RUN_HEADINGS,
    RunRow,
    headline,
    run_rows,
)

_STYLES = {
    str(Fate.SURVIVED): "green",
    str(Fate.STALLED): "red",
    str(Fate.RESET): "red",
    str(Fate.TIMED_OUT): "red",
    str(Fate.REFUSED): "red",
    str(Status.OK): "green",
    str(Status.ROLLED_BACK): "yellow",
    str(Status.PARTIAL): "yellow",
    str(Status.FAILED): "red",
}

_TEXT_COLUMNS = frozenset({"approach", "client", "fate", "status"})


def to_table(outcome: Outcome, *, width: int, colour: bool) -> str:
    """The table: clients by approach, then runs, then remarks, then what the columns mean."""
    rows = run_rows(outcome)
    parts = [
        fill(headline(outcome), width),
        _draw(_clients(rows), width, colour),
        _draw(_runs(rows), width, colour),
        *_remarks(rows, width),
        fill(LEGEND, width),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _clients(rows: Iterable[RunRow]) -> Table:
    table = _table(CLIENT_HEADINGS)
    for row in rows:
        # A blank line between approaches; the name stands in each row, so that grep finds it.
        if table.row_count:
            table.add_row()
        for client in row.clients:
            table.add_row(*_cells(client.cells))
    return table


def _runs(rows: Iterable[RunRow]) -> Table:
    table = _table(RUN_HEADINGS)
    for row in rows:
        table.add_row(*_cells(row.cells))
    return table


def _table(headings: Iterable[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in headings:
        text = heading in _TEXT_COLUMNS
        # Names of clients are the user's and may be long: fold them, never cut them off.
        table.add_column(
            heading,
            justify="left" if text else "right",
            no_wrap=heading != "client",
            overflow="fold",
        )
    return table


def _cells(cells: Iterable[str]) -> list[Text]:
    """Text, not markup: a client may be called "[red]"."""
    return [Text(cell, style=_STYLES.get(cell, "")) for cell in cells]


def _draw(table: Table, width: int, colour: bool) -> str:
    if not table.row_count:
        return ""
    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").split("\n"))


def _remarks(rows: Iterable[RunRow], width: int) -> Iterable[str]:
    for heading, attribute in (("Errors", "errors"), ("Missed", "missed"), ("Notes", "notes")):
        lines = [
            fill(
                f"{row.cells[0]}: {remark}",
                width,
                initial_indent="  ",
                subsequent_indent="    ",
            )
            for row in rows
            for remark in getattr(row, attribute)
        ]
        if lines:
            yield "\n".join([f"{heading}:", *lines])
