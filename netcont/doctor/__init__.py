"""Says what this machine can run, by trying it, and what mends the rest."""

from __future__ import annotations

from netcont.doctor.finding import Finding, LabChoice, choose_lab
from netcont.doctor.kernel import probe_kernel
from netcont.doctor.lab import probe_lab
from netcont.doctor.privileges import probe_privileges
from netcont.doctor.programs import probe_programs

__all__ = ["Finding", "LabChoice", "choose_lab", "examine"]


def examine() -> list[Finding]:
    """Every finding about this machine. Takes a few seconds, the first time a few more."""
    lab, files = probe_lab()
    return [*probe_privileges(), *probe_kernel(), *probe_programs(files), *lab]
