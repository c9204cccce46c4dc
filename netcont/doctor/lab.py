"""The lab itself: its files, and whether KVM really starts its kernel."""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import tempfile
from pathlib import Path

from netcont.doctor.finding import Finding, LabKind, Status
from netcont.errors import LabError, PrerequisiteError
from netcont.lab.cache import LabFiles, cache_dir, find_lab_files, program_version
from netcont.lab.qemu import QEMU, VmSettings
from netcont.lab.vm import Vm

KVM_LIMIT_S = 8.0
_MINIMUM_MEMORY_BYTES = 3 * 1024**3
_KVM_DEVICE = Path("/dev/kvm")


def probe_lab() -> tuple[list[Finding], LabFiles | None]:
    """Findings of group lab, and the lab's files if they are there."""
    try:
        files: LabFiles | None = find_lab_files()
        error_text = remedy = ""
    except PrerequisiteError as error:
        files, error_text, remedy = None, error.message, error.remedy
    if files is None:
        kernel = Finding("lab-files", "lab", "missing", error_text, remedy, ("vm",))
    else:
        detail = f"kernel {files.kernel_release}, {len(files.packages)} packages in {files.root}"
        kernel = Finding("lab-files", "lab", "ok", detail, needed_by=("vm",))
    modules = [_python_package(name) for name in ("mininet", "pyroute2", "virtme")]
    return [kernel, *modules, _architecture(), _memory(), probe_kvm(files)], files


def _python_package(name: str) -> Finding:
    labs: tuple[LabKind, ...] = ("vm", "host") if name != "virtme" else ()
    try:
        importlib.import_module(name)
    except ImportError as error:
        return Finding(f"python-{name}", "lab", "missing", str(error), "run scripts/setup", labs)
    return Finding(f"python-{name}", "lab", "ok", needed_by=labs)


def _architecture() -> Finding:
    machine = platform.machine()
    if machine == "x86_64":
        return Finding("architecture", "lab", "ok", machine, needed_by=("vm",))
    detail = f"{machine}: the lab's kernel is for x86_64"
    return Finding("architecture", "lab", "failed", detail, "use an x86_64 machine", ("vm",))


def _memory() -> Finding:
    """Told only: the VM may start with less, but may then be killed."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            available_bytes = int(line.split()[1]) * 1024
            detail = f"{available_bytes / 1024**3:.1f} GiB available"
            if available_bytes >= _MINIMUM_MEMORY_BYTES:
                return Finding("memory", "lab", "ok", detail)
            remedy = "free memory, or ask for a smaller VM"
            return Finding("memory", "lab", "failed", f"{detail}; the VM uses 2 GiB", remedy)
    return Finding("memory", "lab", "unknown", "/proc/meminfo does not tell")


def probe_kvm(files: LabFiles | None) -> Finding:
    """Whether KVM starts the lab's kernel: tried once, then remembered in the cache.

    KVM is never needed: it only makes the lab with the real clock faster.
    """
    if not _KVM_DEVICE.exists():
        return _kvm("missing", "no /dev/kvm", "sudo modprobe kvm_intel || sudo modprobe kvm_amd")
    if not os.access(_KVM_DEVICE, os.R_OK | os.W_OK):
        remedy = "sudo usermod --append --groups kvm $USER, then log in anew"
        return _kvm("failed", "/dev/kvm may not be opened by this user", remedy)
    program = shutil.which(QEMU)
    if files is None or program is None:
        return _kvm("unknown", "cannot be tried without QEMU and the lab's kernel")
    try:
        key = f"{files.kernel_release} {program_version(Path(program), ('--version',), None)}"
    except OSError as error:
        return _kvm("unknown", f"{program}: {error}", "apt-get install --reinstall qemu-system-x86")
    key += f" on {platform.release()}"
    memory = cache_dir() / "kvm.json"
    trouble = _remembered(memory, key)
    if trouble is None:
        trouble = _try_kvm(files)
        _remember(memory, key, trouble)
    if trouble:
        return _kvm("failed", f"does not start the lab's kernel: {trouble}")
    return _kvm("ok", "starts the lab's kernel")


def _kvm(status: Status, detail: str, remedy: str = "") -> Finding:
    remedy = remedy or ("" if status == "ok" else "nothing to do: the lab works without KVM")
    return Finding("kvm", "lab", status, detail, remedy)


def _remembered(memory: Path, key: str) -> str | None:
    """What an earlier try said, or None if there was none."""
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    value = content.get(key) if isinstance(content, dict) else None
    return value if isinstance(value, str) else None


def _remember(memory: Path, key: str, trouble: str) -> None:
    part = memory.with_name(f".{memory.name}.{os.getpid()}")
    try:
        part.write_text(json.dumps({key: trouble}) + "\n", encoding="utf-8")
        part.replace(memory)
    except OSError:
        # A cache that cannot be written only means that the next call tries again.
        part.unlink(missing_ok=True)


def _try_kvm(files: LabFiles) -> str:
    """Empty if a command ran in a VM under KVM, else what happened."""
    settings = VmSettings(
        memory_bytes=512 * 1024**2,
        clock="real",
        kvm=True,
        watchdog_s=KVM_LIMIT_S,
        limit_s=KVM_LIMIT_S,
    )
    with tempfile.TemporaryDirectory(prefix="netcont-kvm-") as directory:
        log = Path(directory) / "console.log"
        try:
            with Vm(
                ["true"],
                files=files,
                output_dir=Path(directory) / "out",
                console_log=log,
                settings=settings,
            ) as vm:
                for _line in vm.lines():
                    pass
                return "" if vm.exit_code == 0 else f"exit code {vm.exit_code}"
        except LabError as error:
            said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
            return said[-1] if said else error.message.splitlines()[0]
