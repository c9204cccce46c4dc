"""The cache of what only the lab needs."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import subprocess
from pathlib import Path

import pytest

from netcont.errors import PrerequisiteError
from netcont.lab import cache, debian, initramfs, kernel_image, unpack
from netcont.lab.cache import (
    LabFiles,
    find_lab_files,
    find_program,
    generation_dir,
    in_use,
    lab_environment,
    program_version,
)

ELF = b"\x7fELF" + bytes(range(256)) * 20


def make_generation(base: Path) -> Path:
    """A cache that looks complete, with empty files in it."""
    generation = generation_dir(base)
    for name in (
        "root/usr/bin",
        "root/usr/lib/x86_64-linux-gnu",
        "root/lib/modules/6.0",
        "root/boot",
    ):
        (generation / name).mkdir(parents=True)
    content = {"kernel_release": "6.0", "kernel_image": "root/boot/vmlinux-6.0", "packages": {}}
    (generation / "lab.json").write_text(json.dumps(content))
    (generation / "in-use").touch()
    (generation / "root/boot/vmlinux-6.0").touch()
    (generation / f"initramfs-{cache.code_fingerprint()}").touch()
    return generation


@pytest.fixture(scope="module")
def real_files() -> LabFiles:
    """This machine's own cache, which the set-up has filled."""
    return find_lab_files()


class TestCacheDir:
    def test_follows_xdg(self) -> None:
        assert cache.cache_dir({"XDG_CACHE_HOME": "/a b", "HOME": "/h"}) == Path("/a b/netcont")

    @pytest.mark.parametrize("configured", ["", "relative/dir"])
    def test_unset_or_relative_falls_back_to_home(self, configured: str) -> None:
        environment = {"XDG_CACHE_HOME": configured, "HOME": "/h"}
        assert cache.cache_dir(environment) == Path("/h/.cache/netcont")


class TestFindLabFiles:
    def test_empty_cache_names_the_set_up(self, tmp_path: Path) -> None:
        with pytest.raises(PrerequisiteError, match="not in the cache") as caught:
            find_lab_files(tmp_path)
        assert "scripts/setup" in caught.value.remedy

    def test_complete_cache_is_found(self, tmp_path: Path) -> None:
        generation = make_generation(tmp_path / "with space")
        files = find_lab_files(tmp_path / "with space")
        assert files.root == generation / "root"
        assert files.kernel_release == "6.0"
        assert files.program_dirs == (generation / "root/usr/bin",)

    @pytest.mark.parametrize("removed", ["lab.json", "root/boot/vmlinux-6.0"])
    def test_incomplete_cache_is_refused(self, tmp_path: Path, removed: str) -> None:
        (make_generation(tmp_path) / removed).unlink()
        with pytest.raises(PrerequisiteError, match=r"incomplete|missing"):
            find_lab_files(tmp_path)

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"kernel_release": 1, "kernel_image": "x"}'])
    def test_damaged_description_is_refused(self, tmp_path: Path, text: str) -> None:
        (make_generation(tmp_path) / "lab.json").write_text(text)
        with pytest.raises(PrerequisiteError):
            find_lab_files(tmp_path)

    def test_shell_and_python_agree_on_the_code(self, tmp_path: Path) -> None:
        make_generation(tmp_path / "netcont")
        setup = Path(__file__).parents[2] / "scripts" / "setup"
        script = f'. "{setup}"; cache={tmp_path}/netcont; lab_is_ready'
        assert subprocess.run(["bash", "-c", script], check=False).returncode == 0


class TestPrograms:
    def test_own_programs_come_before_the_cache(self, tmp_path: Path) -> None:
        make_generation(tmp_path)
        files = find_lab_files(tmp_path)
        path = lab_environment(files, {"PATH": "/own/bin"})["PATH"].split(":")
        assert path[0] == "/own/bin"
        assert path[-1] == str(files.program_dirs[-1])
        assert "/usr/sbin" in path

    def test_the_caches_name_server_runs(self, real_files: LabFiles) -> None:
        named = find_program("named", real_files)
        assert named is not None
        assert program_version(named, ("-V",), real_files).startswith("BIND 9")

    def test_a_program_that_fails_is_reported(self) -> None:
        with pytest.raises(OSError, match="exit code 1"):
            program_version(Path("/bin/false"), (), None)

    def test_a_program_that_hangs_is_reported(self) -> None:
        with pytest.raises(OSError, match="no answer"):
            program_version(Path("/bin/sleep"), ("5",), None, timeout_s=0.1)


class TestDebian:
    def test_simulation_leaves_out_upgrades(self) -> None:
        output = (
            "Inst libnew:amd64 (1.2-3 Debian:12/stable [amd64])\n"
            "Inst libold [1.0] (1.1 Debian:12/stable [amd64])\n"
            "Conf libnew (1.2-3 Debian:12/stable [amd64])\n"
        )
        assert debian.parse_simulation(output) == {"libnew": "1.2-3"}

    def test_debian_kernel(self) -> None:
        output = "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n"
        assert debian.parse_kernel_packages(output) == ["linux-image-6.1.0-56-amd64"]

    def test_ubuntu_kernel_with_its_modules(self) -> None:
        output = (
            "linux-image-generic\n"
            "  Depends: linux-image-6.8.0-31-generic\n"
            "  Depends: linux-modules-extra-6.8.0-31-generic\n"
            "  Depends: linux-firmware\n"
        )
        assert debian.parse_kernel_packages(output) == [
            "linux-image-6.8.0-31-generic",
            "linux-modules-extra-6.8.0-31-generic",
            "linux-modules-6.8.0-31-generic",
        ]

    def test_a_missing_tool_is_a_prerequisite(self) -> None:
        with pytest.raises(PrerequisiteError, match="no-such-tool is missing"):
            debian.run(["no-such-tool"])

    def test_a_failing_tool_says_what_it_said(self) -> None:
        with pytest.raises(debian.UnknownPackageError, match="sorry"):
            debian.run(["sh", "-c", "echo sorry >&2; exit 100"])


class TestKernelImage:
    @pytest.mark.parametrize("compress", [lzma.compress, gzip.compress])
    def test_elf_is_extracted(self, compress: object) -> None:
        assert callable(compress)
        image = b"MZ" + b"\x1f\x8b\x08 not it" + compress(ELF) + b"trailing bytes"
        assert kernel_image.extract_vmlinux(image) == ELF

    def test_zstd(self) -> None:
        done = subprocess.run(["zstd", "-cq"], input=ELF, capture_output=True, check=True)
        assert kernel_image.extract_vmlinux(b"MZ" + done.stdout + b"trailing") == ELF

    def test_an_unknown_format_leaves_the_image_as_it_is(self, tmp_path: Path) -> None:
        image = tmp_path / "vmlinuz"
        image.write_bytes(b"MZ nothing known")
        assert kernel_image.write_bootable(image, tmp_path / "vmlinux") == image


class TestModules:
    def test_signature_is_cut_off(self) -> None:
        signature = b"s" * 300
        tail = bytes(8) + len(signature).to_bytes(4, "big") + b"~Module signature appended~\n"
        assert initramfs.without_signature(b"ELF code" + signature + tail) == b"ELF code"

    def test_unsigned_module_is_left_alone(self) -> None:
        assert initramfs.without_signature(b"ELF code") == b"ELF code"

    def test_every_module_of_the_lab_exists(self, real_files: LabFiles) -> None:
        builtin = (real_files.modules / "modules.builtin").read_text()
        there = {path.name.split(".")[0] for path in real_files.modules.rglob("*.ko*")}
        missing = [
            name
            for name in initramfs.LAB_MODULES
            if name not in there and f"/{name}.ko" not in builtin
        ]
        # Which of them a kernel has built in without listing them is its own affair.
        assert set(missing) <= {"af_packet"}


class TestFill:
    def test_a_complete_cache_needs_no_package_tools(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        generation = make_generation(tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert unpack.fill(tmp_path).root == generation / "root"

    def test_leftovers_of_a_killed_call_are_removed(self, tmp_path: Path) -> None:
        leftover = make_generation(tmp_path).parent / ".partial-dead"
        (leftover / "root").mkdir(parents=True)
        unpack.fill(tmp_path)
        assert not leftover.exists()

    def test_unreachable_packages_leave_nothing_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(_packages: object, _directory: Path) -> list[Path]:
            raise debian.UnknownPackageError("cannot fetch", remedy="apt-get update")

        monkeypatch.setattr(debian, "kernel_packages", lambda: ["linux-image-1-amd64"])
        monkeypatch.setattr(debian, "missing_closure", lambda _packages: {})
        monkeypatch.setattr(debian, "download", fails)
        for _attempt in range(2):
            with pytest.raises(debian.UnknownPackageError):
                unpack.fill(tmp_path)
        assert not list((tmp_path / "lab").glob(".partial-*"))
        with pytest.raises(PrerequisiteError):
            find_lab_files(tmp_path)

    def test_a_version_in_use_is_kept(self, tmp_path: Path) -> None:
        generation = make_generation(tmp_path)
        files = find_lab_files(tmp_path)
        other = generation.with_name("lab-other")
        generation.rename(other)
        os.utime(other / "in-use", (0, 0))
        generation.mkdir()
        moved = LabFiles(**{**vars(files), "root": other / "root"})
        with in_use(moved):
            unpack._remove_old(generation)
            assert other.exists()
        os.utime(other / "in-use", (0, 0))
        unpack._remove_old(generation)
        assert not other.exists()
