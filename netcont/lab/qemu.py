"""The command line of the lab VM."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from netcont.errors import PrerequisiteError
from netcont.lab.cache import LabFiles

QEMU = "qemu-system-x86_64"
QEMU_REMEDY = "apt-get install --no-install-recommends qemu-system-x86"

Clock = Literal["virtual", "real"]

_MIB = 1024 * 1024
_FAST_FIRMWARE = Path("/usr/share/qemu/qboot.rom")

_KERNEL_OPTIONS = (
    "console=ttyS0",
    "loglevel=4",
    "panic=-1",
    "oops=panic",
    "mitigations=off",
    "net.ifnames=0",
    "cryptomgr.notests=1",
    "nowatchdog",
    "rcupdate.rcu_cpu_stall_suppress=1",
)

_VIRTUAL_OPTIONS = (
    # Nothing by chance: the same addresses, and no randomness that the host could lend.
    "nokaslr",
    "norandmaps",
    "random.trust_cpu=off",
    "random.trust_bootloader=off",
    # Calibrating the APIC's timer takes three seconds here; the HPET does the same work.
    "nolapic_timer",
    # The clock counts instructions: there is nothing to check it against, or to refine.
    "tsc=reliable",
)


_ICOUNT = "shift=0,sleep=off"
_EXACT = ",rr=record,rrfile=/dev/null"
"""QEMU's main thread moves the clock over idle time. When it sees the processor halt before the
processor has counted its last few instructions, it moves too far, by chance. While it records, the
two threads take turns, and the clock is exact to the instruction; the record itself is of no use.
"""


@dataclass(frozen=True)
class VmSettings:
    """How a VM runs.

    memory_bytes: of the guest. cpus: always 1 in virtual time.
    clock: `virtual` counts instructions (QEMU's icount) and jumps over idle time;
        `real` is the wall clock.
    kvm: use KVM; only with the real clock, and only where it was seen to work.
    watchdog_s: wall seconds without a line of output after which the VM is taken for hung.
    limit_s: wall seconds for the whole run.
    """

    memory_bytes: int = 2048 * _MIB
    clock: Clock = "virtual"
    cpus: int = 1
    kvm: bool = False
    watchdog_s: float = 180.0
    limit_s: float = 3600.0


def qemu_command(
    *,
    files: LabFiles,
    settings: VmSettings,
    name: str,
    control_dir: Path,
    output_dir: Path | None,
    console_log: Path,
    interactive: bool,
) -> list[str]:
    """QEMU's arguments; the guest's standard output goes to QEMU's own.

    control_dir and output_dir are writable in the guest, everything else of the host is not.
    Raises PrerequisiteError if QEMU is missing.
    """
    command = _machine(name, settings, console_log)
    command += _shared("root", Path("/"), read_only=True)
    command += _shared("control", control_dir, read_only=False)
    if output_dir is not None:
        command += _shared("output", output_dir, read_only=False)
    if interactive:
        command += ["-serial", "mon:stdio"]
    else:
        command += ["-device", "virtio-serial-pci"]
        command += ["-chardev", "file,id=out,path=/proc/self/fd/1"]
        command += ["-device", "virtserialport,name=netcont.out,chardev=out"]
    command += ["-kernel", str(files.kernel_image), "-initrd", str(files.initramfs)]
    return [*command, "-append", _kernel_options(settings)]


def sealed_command(
    *,
    kernel: Path,
    initramfs: Path,
    settings: VmSettings,
    name: str,
    output: Path,
    console_log: Path,
) -> list[str]:
    """QEMU's arguments for a guest that sees nothing of the host; it prints into the file output.

    Raises PrerequisiteError if QEMU is missing.
    """
    command = _machine(name, settings, console_log)
    if settings.clock == "virtual":
        command[command.index(_ICOUNT)] += _EXACT
    command += ["-device"]
    # Without ioeventfd the guest's own processor does the writing, at an instant of its own clock.
    command += ["virtio-serial-pci,ioeventfd=off", "-chardev"]
    command += [f"file,id=out,path={_quoted(output)}", "-device"]
    command += ["virtserialport,name=netcont.out,chardev=out"]
    command += ["-kernel", str(kernel), "-initrd", str(initramfs)]
    return [*command, "-append", _kernel_options(settings)]


def _machine(name: str, settings: VmSettings, console_log: Path) -> list[str]:
    program = shutil.which(QEMU)
    if program is None:
        raise PrerequisiteError(f"{QEMU} is missing: the lab VM needs it", remedy=QEMU_REMEDY)
    command = [program, "-name", name, "-nodefaults", "-no-user-config", "-no-reboot"]
    command += ["-display", "none", "-m", f"{max(1, settings.memory_bytes // _MIB)}M"]
    command += _processor(settings)
    log = f"file,id=console,append=on,path={_quoted(console_log)}"
    return [*command, "-chardev", log, "-serial", "chardev:console"]


def _kernel_options(settings: VmSettings) -> str:
    return " ".join((*_KERNEL_OPTIONS, *(_VIRTUAL_OPTIONS if settings.clock == "virtual" else ())))


def _processor(settings: VmSettings) -> list[str]:
    if settings.clock == "virtual":
        arguments = ["-M", "q35", "-accel", "tcg,thread=single", "-smp", "1"]
        # The plainest processor: it has no random number instruction, and is the fastest here.
        arguments += ["-cpu", "qemu64", "-icount", _ICOUNT]
        # Always the same date, so that signatures and logs repeat as well.
        arguments += ["-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed", "1"]
    else:
        accelerator = ["-accel", "kvm", "-cpu", "host"] if settings.kvm else ["-cpu", "max"]
        arguments = ["-M", "q35", "-smp", str(settings.cpus), *accelerator]
    if _FAST_FIRMWARE.is_file():
        arguments += ["-bios", str(_FAST_FIRMWARE)]
    return arguments


def _shared(tag: str, path: Path, *, read_only: bool) -> list[str]:
    """A directory of the host, seen in the guest over 9p with the tag `netcont.TAG`."""
    backend = f"local,id={tag},path={_quoted(path)},security_model=none,multidevs=remap"
    if read_only:
        backend += ",readonly=on"
    return ["-fsdev", backend, "-device", f"virtio-9p-pci,fsdev={tag},mount_tag=netcont.{tag}"]


def _quoted(path: Path) -> str:
    """A path in a QEMU option: a comma is doubled."""
    return str(path).replace(",", ",,")
