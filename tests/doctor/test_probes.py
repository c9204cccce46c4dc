"""The probes, on this machine as it is; other programs are the judges."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from netcont.cli.doctor import doctor
from netcont.doctor import kernel, lab, privileges
from netcont.doctor.finding import Finding
from netcont.doctor.programs import probe_programs
from netcont.lab.cache import find_lab_files


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    names = [finding.name for finding in findings]
    assert len(names) == len(set(names))
    return dict(zip(names, findings, strict=True))


def ip_can_add(namespace: kernel.Namespace, words: str) -> bool:
    """What the program ip says about a kind of device."""
    script = f"ip link add ncp-a type veth peer name ncp-b; exec ip link add ncp-c {words}"
    command = [*namespace.command, "sh", "-c", script]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bridge", "type bridge"),
        ("dummy", "type dummy"),
        ("vrf", "type vrf table 77"),
        ("gre", "type gre local 127.0.0.1 remote 127.0.0.9"),
        ("ipip", "type ipip local 127.0.0.1 remote 127.0.0.9"),
        ("vlan", "link ncp-a type vlan id 7"),
        ("vxlan", "type vxlan id 7 dstport 4789 local 127.0.0.1"),
    ],
)
def test_ip_agrees_about_devices(name: str, words: str) -> None:
    namespace = kernel.find_namespace()
    if namespace is None:
        pytest.skip("neither root nor user namespaces here")
    found = by_name(kernel.probe_kernel())[name]
    assert (found.status == "ok") == ip_can_add(namespace, words), found
    assert (found.status == "ok") == (found.remedy == "")


def test_nothing_of_the_probes_stays() -> None:
    before = set(Path("/sys/class/net").iterdir())
    groups = set(Path("/sys/fs/cgroup").glob("ncprobe*"))
    kernel.probe_kernel()
    assert set(Path("/sys/class/net").iterdir()) == before
    assert set(Path("/sys/fs/cgroup").glob("ncprobe*")) == groups


def test_without_a_namespace_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "find_namespace", lambda: None)
    found = kernel.probe_kernel()
    assert {finding.status for finding in found} == {"unknown"}
    assert all("root" in finding.remedy for finding in found)


def test_probes_that_die_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    dying = kernel.Namespace(("sh", "-c", "echo no luck >&2; exit 3"), "not at all")
    monkeypatch.setattr(kernel, "find_namespace", lambda: dying)
    found = by_name(kernel.probe_kernel())["gre"]
    assert found.status == "unknown"
    assert "no luck" in found.detail


def test_capabilities_are_the_kernels() -> None:
    mask = privileges.effective_capabilities()
    assert mask is not None
    assert (mask >> 12 & 1 == 1) == (
        by_name(privileges.probe_privileges())["CAP_NET_ADMIN"].status == "ok"
    )


def test_programs_tell_their_versions() -> None:
    found = by_name(probe_programs(find_lab_files()))
    for name in ("qemu-system-x86_64", "named", "tshark", "nft", "mnexec", "ip"):
        assert found[name].status == "ok", found[name]
    assert "QEMU emulator version" in found["qemu-system-x86_64"].detail


def test_a_missing_program_has_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = by_name(probe_programs(None))["qemu-system-x86_64"]
    assert found.status == "missing"
    assert "qemu-system-x86" in found.remedy


def test_kvm_is_tried_once_and_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []

    def tried(_files: object) -> str:
        calls.append(1)
        return "it fell over"

    files = find_lab_files()
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(lab, "_KVM_DEVICE", device)
    monkeypatch.setattr(lab, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(lab, "_try_kvm", tried)
    first, second = lab.probe_kvm(files), lab.probe_kvm(files)
    assert first == second
    assert first.status == "failed"
    assert "it fell over" in first.detail
    assert len(calls) == 1


def test_a_present_kvm_device_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(lab, "_KVM_DEVICE", device)
    assert lab.probe_kvm(None).status == "unknown"
    monkeypatch.setattr(lab, "_KVM_DEVICE", tmp_path / "none")
    assert lab.probe_kvm(None).status == "missing"


def test_json_is_one_object_with_the_lab() -> None:
    result = CliRunner().invoke(doctor, ["--format", "json"], standalone_mode=False)
    content = json.loads(result.stdout)
    assert content["schema_version"] == 1
    assert {f["status"] for f in content["findings"]} <= {"ok", "missing", "failed", "unknown"}
    assert all(
        set(f) == {"name", "group", "status", "detail", "remedy"} for f in content["findings"]
    )
    assert content["lab"]["kind"] == "vm"
    assert result.return_value == 0


def test_without_a_cache_the_set_up_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(privileges.os, "geteuid", lambda: 1000)
    result = CliRunner().invoke(doctor, [], standalone_mode=False)
    assert result.return_value == 5
    assert "scripts/setup" in result.stdout
    assert "No lab can run here" in result.stdout
