"""The lab VM: real ones are started here, a few seconds each."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netcont.errors import LabError, PrerequisiteError
from netcont.lab.cache import LabFiles, find_lab_files
from netcont.lab.qemu import VmSettings, qemu_command
from netcont.lab.vm import Vm

SMALL = VmSettings(memory_bytes=768 * 1024**2, watchdog_s=300, limit_s=400)


@pytest.fixture(scope="module")
def files() -> LabFiles:
    return find_lab_files()


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """An output directory whose name is as awkward as a user's may be."""
    directory = tmp_path / "it's, an output"
    directory.mkdir()
    yield directory


def vm(command: list[str], files: LabFiles, out: Path, settings: VmSettings = SMALL) -> Vm:
    return Vm(
        command,
        files=files,
        output_dir=out,
        console_log=out / "console.log",
        settings=settings,
        environment={"GREETING": "two  words 'quoted'"},
    )


def becomes(state: bool, name: str) -> bool:
    """Whether that VM is running, or not, within a minute (neither while it starts)."""
    deadline_s = time.monotonic() + 60
    while is_running(name) != state and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return is_running(name) == state


def is_running(name: str) -> bool:
    """Whether a process of this machine has that VM's name among its arguments."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if name.encode() in entry.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


SCRIPT = """
echo "$GREETING"
echo "two words, not mixed: $1"
echo to the log >&2
id -u
date +%Y-%m-%d
test "$(cat /proc/sys/kernel/hostname)" = netcont-lab && echo own hostname
echo kept > "$2/file"
echo thrown away > /etc/netcont-was-here && echo everything looks writable
echo straight > /dev/stdout
ip link add netcont-g type gre remote 10.0.0.1 && echo gre
modprobe macvlan && echo more modules
sleep 3600
cut -d. -f1 /proc/uptime
printf 'no end of line'
exit 7
"""


def test_a_command_runs_and_nothing_else_is_touched(files: LabFiles, out: Path) -> None:
    started_s = time.monotonic()
    with vm(["sh", "-c", SCRIPT, "sh", "$HOME `x`", str(out)], files, out) as guest:
        lines = list(guest.lines())
        name = guest.name
    assert lines[:-2] == [
        "two  words 'quoted'",
        "two words, not mixed: $HOME `x`",
        "0",
        "2026-01-01",
        "own hostname",
        "everything looks writable",
        "straight",
        "gre",
        "more modules",
    ]
    assert int(lines[-2]) >= 3600
    assert lines[-1] == "no end of line"
    assert guest.exit_code == 7
    assert time.monotonic() - started_s < 60, "an hour of virtual time must cost next to nothing"
    assert (out / "file").read_text() == "kept\n"
    assert not Path("/etc/netcont-was-here").exists()
    assert "to the log" in (out / "console.log").read_text()
    assert not is_running(name)


def test_a_panic_is_told_with_the_end_of_the_log(files: LabFiles, out: Path) -> None:
    with (
        pytest.raises(LabError, match="kernel panicked") as caught,
        vm(["sh", "-c", "echo before; echo c > /proc/sysrq-trigger"], files, out) as guest,
    ):
        lines = guest.lines()
        assert next(lines) == "before"
        next(lines)
    assert str(out / "console.log") in caught.value.message
    assert "Kernel panic" in caught.value.message
    assert not is_running(guest.name)


def test_a_hung_guest_is_stopped(files: LabFiles, out: Path) -> None:
    settings = VmSettings(memory_bytes=SMALL.memory_bytes, watchdog_s=15, limit_s=120)
    spin = ["sh", "-c", "echo started; while :; do :; done"]
    with (
        pytest.raises(LabError, match="nothing for 15 s"),
        vm(spin, files, out, settings) as guest,
    ):
        assert list(guest.lines()) == ["started"]
    assert not is_running(guest.name)


def test_a_talkative_guest_meets_the_limit(files: LabFiles, out: Path) -> None:
    settings = VmSettings(memory_bytes=SMALL.memory_bytes, watchdog_s=60, limit_s=12)
    talk = ["sh", "-c", "while :; do echo on and on; sleep 1; done"]
    with pytest.raises(LabError, match="more than 12 s"), vm(talk, files, out, settings) as guest:
        for line in guest.lines():
            assert line == "on and on"
    assert not is_running(guest.name)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT means KeyboardInterrupt, also where the suite runs in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_two_at_once_and_an_interrupt_of_one(files: LabFiles, out: Path) -> None:
    other_out = out / "other"
    first = vm(["sh", "-c", "echo first; sleep 1000000000"], files, out)
    second = vm(["sh", "-c", "echo second; cat /proc/sys/kernel/hostname"], files, other_out)
    with second:
        with pytest.raises(KeyboardInterrupt), first:
            for line in first.lines():
                assert line == "first"
                os.kill(os.getpid(), signal.SIGINT)
        assert not is_running(first.name)
        assert list(second.lines()) == ["second", "netcont-lab"]
    assert second.exit_code == 0
    assert not is_running(second.name)


KILLED = """
import sys, time
from pathlib import Path
from netcont.lab.cache import find_lab_files
from netcont.lab.vm import Vm
out = Path(sys.argv[1])
spin = ["sh", "-c", "while :; do :; done"]
with Vm(spin, files=find_lab_files(), output_dir=out, console_log=out / "console.log") as vm:
    print(vm.name, flush=True)
    time.sleep(60)
"""


def test_a_killed_caller_takes_its_vm_along(out: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(out)], stdout=subprocess.PIPE, text=True
    ) as caller:
        assert caller.stdout is not None
        name = caller.stdout.readline().strip()
        assert becomes(True, name)
        caller.kill()
    assert becomes(False, name)


def test_what_a_killed_caller_left_is_removed(
    files: LabFiles, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(out))
    left, fresh = out / "netcont-vm-left", out / "netcont-vm-fresh"
    for directory in (left, fresh):
        directory.mkdir()
        (directory / "lock").touch()
    os.utime(left / "lock", (0, 0))
    with vm(["true"], files, out):
        assert not left.exists()
        assert fresh.exists()
        assert len(list(out.glob("netcont-vm-*"))) == 2
    assert list(out.glob("netcont-vm-*")) == [fresh]


def test_qemu_that_refuses_to_start_is_told(files: LabFiles, out: Path) -> None:
    broken = LabFiles(**{**vars(files), "kernel_image": out / "no-kernel"})
    with (
        pytest.raises(LabError, match="QEMU ended with exit code 1") as caught,
        vm(["true"], broken, out) as guest,
    ):
        list(guest.lines())
    assert "no-kernel" in caught.value.message


def test_missing_qemu_names_the_package(
    files: LabFiles, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(PrerequisiteError, match="qemu-system-x86_64 is missing") as caught:
        vm(["true"], files, out).__enter__()
    assert "apt-get install" in caught.value.remedy


def test_nothing_of_the_host_is_writable_but_what_is_asked_for(files: LabFiles, out: Path) -> None:
    command = qemu_command(
        files=files,
        settings=SMALL,
        name="x",
        control_dir=out / "control",
        output_dir=out,
        console_log=out / "console.log",
        interactive=False,
    )
    shared = [word for word in command if word.startswith("local,id=")]
    writable = [word for word in shared if "readonly=on" not in word]
    assert len(shared) == 3
    assert all("it's,, an output" in word for word in writable)
    assert "virtio-net-pci" not in " ".join(command)


def test_the_virtual_clock_has_no_source_of_chance(files: LabFiles, out: Path) -> None:
    command = qemu_command(
        files=files,
        settings=VmSettings(clock="virtual", cpus=4, kvm=True),
        name="x",
        control_dir=out,
        output_dir=None,
        console_log=out / "console.log",
        interactive=False,
    )
    words = " ".join(command)
    assert "-icount shift=0,sleep=off" in words
    assert "-smp 1 " in words
    assert "kvm" not in words.replace("-kvm", "").split("-append")[0]
    assert "virtio-rng" not in words
    assert "base=2026-01-01T00:00:00,clock=vm" in words
