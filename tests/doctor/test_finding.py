"""Which lab follows from what was found."""

from __future__ import annotations

import pytest

from netcont.doctor.finding import Finding, LabKind, choose_lab, obstacles
from netcont.errors import PrerequisiteError


def need(name: str, *labs: LabKind, good: bool = True) -> Finding:
    status = "ok" if good else "missing"
    return Finding(name, "programs", status, "", "" if good else f"get {name}", labs)


def test_the_vm_is_preferred_because_its_clock_is_virtual() -> None:
    choice = choose_lab("auto", [need("qemu", "vm"), need("root", "host")])
    assert (choice.kind, choice.clock) == ("vm", "virtual")


def test_the_host_is_taken_where_the_vm_cannot_run() -> None:
    choice = choose_lab("auto", [need("qemu", "vm", good=False), need("root", "host")])
    assert (choice.kind, choice.clock) == ("host", "real")
    assert "qemu" in choice.reason


def test_a_lab_asked_for_is_not_exchanged() -> None:
    findings = [need("qemu", "vm", good=False), need("root", "host")]
    with pytest.raises(PrerequisiteError, match="lab vm cannot run: qemu missing") as caught:
        choose_lab("vm", findings)
    assert caught.value.remedy == "get qemu"
    assert choose_lab("host", findings).reason == "it was asked for"


def test_without_any_lab_every_remedy_is_named_once() -> None:
    missing = [
        need("a", "vm", "host", good=False),
        need("b", "vm", good=False),
        Finding("c", "lab", "failed", "broken", "get b", ("vm",)),
    ]
    with pytest.raises(PrerequisiteError, match=r"c failed \(broken\)") as caught:
        choose_lab("auto", missing)
    assert caught.value.remedy == "get a; get b"
    assert caught.value.exit_code == 5


def test_what_no_lab_needs_is_in_nobodys_way() -> None:
    findings = [Finding("kvm", "lab", "failed"), Finding("soft-dirty", "kernel", "unknown")]
    assert obstacles("vm", findings) == obstacles("host", findings) == []
