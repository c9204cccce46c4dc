"""Fills the cache of what only the lab needs: `python -m netcont.lab.unpack`.

Needs the network the first time, and never root: packages are fetched and unpacked, not
installed, so that no service starts on this machine because of netcont. Exit codes: 0 done,
5 impossible, 75 apt's lists are missing or out of date (`apt-get update`, then once more).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from netcont.errors import NetcontError, PrerequisiteError
from netcont.lab import debian, initramfs, kernel_image
from netcont.lab.cache import (
    ALWAYS_UNPACKED,
    PROGRAM_PACKAGES,
    SETUP_COMMAND,
    LabFiles,
    cache_dir,
    find_lab_files,
    find_program,
    generation_dir,
    lab_environment,
    read_generation,
)

EXIT_LISTS_OUT_OF_DATE = 75
_KEEP_UNUSED_S = 14 * 24 * 3600.0

Say = Callable[[str], None]


def fill(cache: Path | None = None, *, say: Say = lambda _message: None) -> LabFiles:
    """Makes the cache complete and returns what is in it; does nothing if it already is.

    Of two calls at once the second waits, then finds the work done. A call that is killed
    leaves only a directory that the next one removes.
    Raises PrerequisiteError (UnknownPackageError if apt's lists may be out of date).
    """
    generation = generation_dir(cache)
    generation.parent.mkdir(parents=True, exist_ok=True)
    with _locked(generation.parent / "lock"):
        for leftover in generation.parent.glob(".partial-*"):
            shutil.rmtree(leftover)
        if not (generation / "lab.json").is_file():
            _unpack_all(generation, say)
            _remove_old(generation)
        files = read_generation(
            generation, json.loads((generation / "lab.json").read_text(encoding="utf-8"))
        )
        if not files.initramfs.is_file():
            say("building the boot archive of the lab VM")
            _build_initramfs(files)
    return find_lab_files(cache)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unpack_all(generation: Path, say: Say) -> None:
    """Fetches and unpacks every package into a fresh directory, then puts it in its place."""
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=generation.parent))
    try:
        partial.chmod(0o755)
        packages = _fetch_and_unpack(partial, say)
        root = partial / "root"
        release = _kernel_release(root)
        content: dict[str, object] = {
            "kernel_release": release,
            "kernel_image": f"root/boot/vmlinuz-{release}",
            "packages": dict(sorted(packages.items())),
        }
        files = read_generation(partial, content)
        content["kernel_image"] = str(_bootable(files).relative_to(partial))
        _run_depmod(files)
        (partial / "in-use").touch()
        (partial / "lab.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        if generation.exists():
            shutil.rmtree(generation)
        partial.rename(generation)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _fetch_and_unpack(partial: Path, say: Say) -> dict[str, str]:
    """Lays the packages' files below partial/root; returns each package's version."""
    kernel = debian.kernel_packages()
    wanted = [name for name, program in PROGRAM_PACKAGES if find_program(program, None) is None]
    others = sorted({*debian.missing_closure(wanted), *wanted})
    say(f"unpacking the stock kernel {kernel[0]} into the cache (not installing it)")
    say(f"and what else only the lab needs: {', '.join(sorted({*wanted, *ALWAYS_UNPACKED}))}")
    root, downloads = partial / "root", partial / "downloads"
    root.mkdir()
    downloads.mkdir()
    packages: dict[str, str] = {}
    for archive in debian.download([*kernel, *ALWAYS_UNPACKED, *others], downloads):
        name, version = debian.package_version(archive)
        packages[name] = version
        debian.unpack(archive, root)
        archive.unlink()
    downloads.rmdir()
    return packages


def _kernel_release(root: Path) -> str:
    images = sorted((root / "boot").glob("vmlinuz-*"))
    if len(images) != 1:
        raise PrerequisiteError(
            f"the kernel package holds {len(images)} kernels, not one",
            remedy="apt-get update, then run scripts/setup",
        )
    return images[0].name.removeprefix("vmlinuz-")


def _bootable(files: LabFiles) -> Path:
    """The uncompressed kernel in the place of the compressed one, if that works."""
    compressed = files.kernel_image
    bootable = kernel_image.write_bootable(
        compressed,
        compressed.with_name(f"vmlinux-{files.kernel_release}"),
        {**os.environ, **lab_environment(files)},
    )
    if bootable != compressed:
        compressed.unlink()
    return bootable


def _run_depmod(files: LabFiles) -> None:
    """modules.dep is made when a kernel package is installed: here nothing did that."""
    if not files.modules.is_dir():
        raise PrerequisiteError(
            f"the kernel package holds no modules for {files.kernel_release}",
            remedy="apt-get update, then run scripts/setup",
        )
    if not (files.root / "lib").exists():
        # From Debian 13 on modules are below usr/lib, and depmod still looks below lib.
        (files.root / "lib").symlink_to("usr/lib")
    program = find_program("depmod", files)
    if program is None:
        raise PrerequisiteError("depmod is missing", remedy="apt-get install kmod")
    done = subprocess.run(
        [str(program), "-b", str(files.root), files.kernel_release],
        env={**os.environ, **lab_environment(files)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PrerequisiteError(
            f"depmod failed: {done.stderr.strip()}", remedy=f"run {SETUP_COMMAND} again"
        )


def _build_initramfs(files: LabFiles) -> None:
    busybox = _own_program(files, "busybox")
    part = files.initramfs.with_name(f".{files.initramfs.name}.{os.getpid()}")
    try:
        initramfs.build(
            part,
            root=files.root,
            release=files.kernel_release,
            busybox=busybox,
            environment=lab_environment(files),
        )
        part.replace(files.initramfs)
    finally:
        part.unlink(missing_ok=True)
    archives = sorted(
        files.initramfs.parent.glob("initramfs-*"), key=lambda path: path.stat().st_mtime
    )
    for old in archives[:-4]:
        old.unlink()


def _own_program(files: LabFiles, name: str) -> Path:
    """A program of the cache itself, never the host's."""
    for directory in files.program_dirs:
        if (directory / name).is_file():
            return directory / name
    raise PrerequisiteError(f"{name} is missing from the cache", remedy=f"run {SETUP_COMMAND}")


def _remove_old(generation: Path) -> None:
    """Removes other versions' directories that no VM uses and that are two weeks old."""
    for other in generation.parent.glob("lab-*"):
        marker = other / "in-use"
        if other == generation or not marker.is_file():
            continue
        if time.time() - marker.stat().st_mtime < _KEEP_UNUSED_S:
            continue
        with marker.open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(other)


def main() -> int:
    """Entry point of the set-up scripts."""

    def say(message: str) -> None:
        print(f"netcont: {message}", file=sys.stderr, flush=True)

    try:
        fill(say=say)
    except debian.UnknownPackageError as error:
        say(str(error))
        return EXIT_LISTS_OUT_OF_DATE
    except NetcontError as error:
        say(str(error))
        return error.exit_code
    except OSError as error:
        say(f"the cache {cache_dir()} cannot be filled: {error}")
        return PrerequisiteError.exit_code
    return 0


def _interrupted() -> None:
    """Ends as Ctrl-C ends programs, so that whoever started this one ends as well, and says so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        _interrupted()
