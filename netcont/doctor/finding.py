"""What the doctor found, and which lab follows from it. Pure values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from netcont.errors import PrerequisiteError

Status = Literal["ok", "missing", "failed", "unknown"]
Group = Literal["kernel", "privileges", "programs", "lab"]
LabKind = Literal["vm", "host"]
LabRequest = Literal["auto", "vm", "host"]
LabClock = Literal["virtual", "real"]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    status: ok; missing (it is not there); failed (it is there and does not work); unknown
    (it could not be tried, detail says why). remedy: the exact command that mends it, or "".
    needed_by: the labs that cannot do without it.
    """

    name: str
    group: Group
    status: Status
    detail: str = ""
    remedy: str = ""
    needed_by: tuple[LabKind, ...] = ()


@dataclass(frozen=True)
class LabChoice:
    """Which lab a run uses, and why. clock: what it has unless the user asks for another."""

    kind: LabKind
    reason: str
    clock: LabClock


def obstacles(kind: LabKind, findings: Sequence[Finding]) -> list[Finding]:
    """What keeps a lab of this kind from working."""
    return [f for f in findings if kind in f.needed_by and f.status != "ok"]


def choose_lab(requested: LabRequest, findings: Sequence[Finding]) -> LabChoice:
    """The lab to use.

    auto takes the VM, because its virtual clock makes results repeat; the host only where the
    VM cannot run. Raises PrerequisiteError, listing what is missing, if the lab asked for
    (with auto: neither) can run.
    """
    in_the_way: dict[LabKind, list[Finding]] = {
        "vm": obstacles("vm", findings),
        "host": obstacles("host", findings),
    }
    if requested in ("auto", "vm") and not in_the_way["vm"]:
        reason = "it needs no root, leaves the host alone, and its clock makes results repeat"
        return LabChoice("vm", reason if requested == "auto" else "it was asked for", "virtual")
    if requested == "host" and not in_the_way["host"]:
        return LabChoice("host", "it was asked for", "real")
    if requested == "auto" and not in_the_way["host"]:
        lacking = ", ".join(f.name for f in in_the_way["vm"])
        return LabChoice("host", f"the VM cannot run here ({lacking})", "real")
    wanted: LabKind = "vm" if requested == "auto" else requested
    remedies = dict.fromkeys(f.remedy for f in in_the_way[wanted] if f.remedy)
    raise PrerequisiteError(
        f"the lab {wanted} cannot run: {'; '.join(map(_said, in_the_way[wanted]))}",
        remedy="; ".join(remedies) if remedies else "run netcont doctor",
    )


def _said(finding: Finding) -> str:
    detail = f" ({finding.detail})" if finding.detail else ""
    return f"{finding.name} {finding.status}{detail}"
