"""One door to all formats."""

from __future__ import annotations

from enum import StrEnum

from netcont.model.outcome import Outcome

DEFAULT_WIDTH = 100


class Format(StrEnum):
    """How an outcome may be written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "md"


def render(
    outcome: Outcome, form: Format | str, *, width: int = DEFAULT_WIDTH, colour: bool = False
) -> str:
    """outcome in one format, ending with a line feed.

    width (columns) and colour concern the table only; colour is for terminals. Raises ValueError
    for a format that is none.
    """
    # Each format brings its own libraries; a program that writes JSON need not wait for rich.
    match Format(form):
        case Format.JSON:
            from netcont.report.codec import dumps

            return dumps(outcome)
        case Format.CSV:
            from netcont.report.csv import to_csv

            return to_csv(outcome)
        case Format.MARKDOWN:
            from netcont.report.markdown import to_markdown

            return to_markdown(outcome)
        case Format.TABLE:
            from netcont.report.table import to_table

            return to_table(outcome, width=width, colour=colour)
