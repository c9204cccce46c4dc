"""netcont doctor: what this machine can run, and what mends the rest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from netcont.cli.options import format_option
from netcont.doctor import Finding, LabChoice, choose_lab, examine
from netcont.doctor.finding import SCHEMA_VERSION
from netcont.errors import PrerequisiteError

_STYLES = {"ok": "green", "missing": "yellow", "failed": "red", "unknown": "dim"}


@click.command()
@format_option("table", "json")
def doctor(output_format: str) -> int:
    """Say what this machine can run, by trying it, and what mends the rest.

    The exit code is 0 if a lab can run here, else 5.
    """
    findings = examine()
    try:
        choice = choose_lab("auto", findings)
        reason = choice.reason
    except PrerequisiteError as error:
        choice, reason = None, error.message
    if output_format == "json":
        click.echo(as_json(findings, choice, reason))
    else:
        show_table(findings, choice, reason)
    return 0 if choice is not None else PrerequisiteError.exit_code


def as_json(findings: Sequence[Finding], choice: LabChoice | None, reason: str) -> str:
    """The JSON object of --format json; kind and clock are null if no lab can run."""
    kept = [
        {key: value for key, value in asdict(finding).items() if key != "needed_by"}
        for finding in findings
    ]
    lab = {
        "kind": choice.kind if choice else None,
        "clock": choice.clock if choice else None,
        "reason": reason,
    }
    content = {"schema_version": SCHEMA_VERSION, "findings": kept, "lab": lab}
    return json.dumps(content, indent=2)


def show_table(findings: Sequence[Finding], choice: LabChoice | None, reason: str) -> None:
    """Prints the findings, what mends each miss, and the lab that a run would use."""
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("group", "name", "status"):
        table.add_column(heading, no_wrap=True)
    table.add_column("detail", overflow="fold")
    for finding in findings:
        detail = Text(finding.detail)
        if finding.remedy:
            detail.append(f"\n→ {finding.remedy}", style="bold")
        status = Text(finding.status, style=_STYLES[finding.status])
        table.add_row(finding.group, finding.name, status, detail)
    console.print(table)
    console.print()
    if choice is None:
        console.print(Text(f"No lab can run here: {reason}", style="red"))
    else:
        console.print(Text(f"Lab: {choice.kind}, {choice.clock} clock: {reason}."))
        if choice.kind == "vm":
            console.print("What only this kernel lacks does not matter: the VM brings its own.")
