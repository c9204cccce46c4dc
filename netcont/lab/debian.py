"""Debian and Ubuntu packages: which are needed, and unpacking them without installing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from netcont.errors import PrerequisiteError

_INST = re.compile(r"^Inst (?P<name>\S+) (?P<installed>\[[^\]]*\] )?\((?P<version>\S+) ")
_DEPENDS = re.compile(r"^\s*\|?Depends: (?P<name>linux-(?:image|modules|modules-extra)-\d\S*)$")

KERNEL_METAPACKAGES = ("linux-image-amd64", "linux-image-generic")
"""Debian's and Ubuntu's names for "the newest stock kernel" (Debian's cloud one has no 9p)."""


class UnknownPackageError(PrerequisiteError):
    """apt knows no such package, or cannot fetch it: its lists are missing or out of date."""


def run(command: Sequence[str], *, cwd: Path | None = None) -> str:
    """Standard output of a command.

    Raises PrerequisiteError if it is missing, UnknownPackageError with what it said if it fails.
    """
    try:
        done = subprocess.run(
            list(command),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise PrerequisiteError(
            f"{command[0]} is missing: the set-up needs Debian's or Ubuntu's package tools",
            remedy=f"install {command[0]}, or use Debian 12, Debian 13 or Ubuntu 24.04",
        ) from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise UnknownPackageError(
            f"{' '.join(command[:3])} failed: {said[-1] if said else 'it said nothing'}",
            remedy="apt-get update",
        )
    return done.stdout


def parse_simulation(output: str) -> dict[str, str]:
    """Package -> version that `apt-get -s install` would newly install (upgrades left out)."""
    found = (_INST.match(line) for line in output.splitlines())
    return {m["name"].split(":")[0]: m["version"] for m in found if m and not m["installed"]}


def parse_kernel_packages(output: str) -> list[str]:
    """The kernel packages named in what `apt-cache depends METAPACKAGE` prints."""
    found = (_DEPENDS.match(line) for line in output.splitlines())
    names = [m["name"] for m in found if m]
    for image in [name for name in names if name.startswith("linux-image-")]:
        # Ubuntu's image depends on its modules, but the metapackage does not always name them.
        modules = image.replace("linux-image-", "linux-modules-")
        if image.endswith("-generic") and modules not in names:
            names.append(modules)
    return names


def kernel_packages() -> list[str]:
    """Packages that hold the newest stock kernel and its modules.

    Raises UnknownPackageError if apt knows none.
    """
    for metapackage in KERNEL_METAPACKAGES:
        try:
            names = parse_kernel_packages(run(["apt-cache", "depends", metapackage]))
        except UnknownPackageError:
            continue
        if names:
            return names
    raise UnknownPackageError(
        f"apt knows none of the packages {', '.join(KERNEL_METAPACKAGES)}",
        remedy="apt-get update",
    )


def missing_closure(packages: Sequence[str]) -> dict[str, str]:
    """The packages and everything they depend on that the host has not: name -> version."""
    if not packages:
        return {}
    return parse_simulation(
        run(["apt-get", "-s", "install", "--no-install-recommends", "--", *packages])
    )


def download(packages: Sequence[str], directory: Path) -> list[Path]:
    """Fetches the packages' files (no root needed); `name` or `name=version` each."""
    # As root apt would fetch as another user, who may not write here, and complain about it.
    run(["apt-get", "-o", "APT::Sandbox::User=root", "-q", "download", *packages], cwd=directory)
    return sorted(directory.glob("*.deb"))


def package_version(archive: Path) -> tuple[str, str]:
    """Name and version that a package file says it has."""
    fields = run(["dpkg-deb", "-f", str(archive), "Package", "Version"])
    parts = dict(line.split(": ", 1) for line in fields.splitlines() if ": " in line)
    return parts["Package"], parts["Version"]


def unpack(archive: Path, root: Path) -> None:
    """Lays the files of a package below root; its scripts do not run."""
    run(["dpkg-deb", "-x", str(archive), str(root)])
