"""The cache of what only the lab needs: what is in it, and how a run finds it.

Layout, below `$XDG_CACHE_HOME/netcont` (default `~/.cache/netcont`):

    lab/<recipe>/lab.json            what is in it (written when the packages are unpacked)
    lab/<recipe>/root/               Debian packages, unpacked and not installed
    lab/<recipe>/initramfs-<code>    boot archive of the lab VM (written last: now it is complete)
    lab/<recipe>/in-use              locked by running VMs; then the directory is never removed

`<recipe>` stands for the list of packages and the distribution, `<code>` for the code that
makes the boot archive: two versions of netcont do not disturb each other's lab.
Filling it is `netcont.lab.unpack`'s work. Here it is only read.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from netcont.errors import PrerequisiteError

LAYOUT = 3
"""Number of the layout above. A cache with another number is filled anew by the set-up."""

SETUP_COMMAND = "scripts/setup"

ALWAYS_UNPACKED = ("busybox-static", "mininet")
"""Without what they depend on: of mininet only mnexec is used."""

PROGRAM_PACKAGES: tuple[tuple[str, str], ...] = (
    ("kmod", "modprobe"),
    ("iproute2", "ip"),
    ("iputils-ping", "ping"),
    ("bind9", "named"),
    ("bind9-utils", "named-checkconf"),
    ("bind9-dnsutils", "dig"),
    ("nftables", "nft"),
    ("tcpdump", "tcpdump"),
    ("tshark", "tshark"),
    ("iperf3", "iperf3"),
    ("bridge-utils", "brctl"),
    ("net-tools", "ifconfig"),
    ("ethtool", "ethtool"),
    ("zstd", "zstd"),
)
"""Package and the program for which it is unpacked, unless the host has that program."""

_CODE = ("cache", "debian", "kernel_image", "initramfs", "guest_init", "unpack")
"""Modules that decide what a complete cache holds (scripts/setup hashes the same files)."""

_PROGRAM_DIRS = ("usr/sbin", "usr/bin", "sbin", "bin")
_LIBRARY_DIRS = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")


@dataclass(frozen=True)
class LabFiles:
    """Files of a complete cache.

    root: top of the unpacked packages.
    kernel_image: what QEMU boots, an ELF `vmlinux` where it could be extracted.
    kernel_release: as `uname -r` prints it in the lab.
    modules: the release's module directory, with `modules.dep`.
    initramfs: boot archive with the modules that the lab needs.
    program_dirs, library_dirs: existing directories for PATH and LD_LIBRARY_PATH.
    packages: name -> version of every package unpacked.
    """

    root: Path
    kernel_image: Path
    kernel_release: str
    modules: Path
    initramfs: Path
    program_dirs: tuple[Path, ...]
    library_dirs: tuple[Path, ...]
    packages: Mapping[str, str]


def cache_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """netcont's cache directory by the XDG rules; a relative XDG_CACHE_HOME does not count."""
    configured = environment.get("XDG_CACHE_HOME", "")
    if configured and Path(configured).is_absolute():
        return Path(configured) / "netcont"
    home = environment.get("HOME")
    return (Path(home) if home else Path.home()) / ".cache" / "netcont"


def recipe() -> str:
    """Name of the directory that holds these packages for this distribution."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    system = [release.get(key, "") for key in ("ID", "VERSION_ID")]
    content = json.dumps([LAYOUT, ALWAYS_UNPACKED, PROGRAM_PACKAGES, system])
    return "-".join(["lab", *filter(None, system), _digest(content.encode())])


def code_fingerprint() -> str:
    """Stands for the code that fills the cache: the boot archive's name ends with it."""
    here = Path(__file__).parent
    return _digest(b"".join((here / f"{name}.py").read_bytes() for name in _CODE))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def generation_dir(cache: Path | None = None) -> Path:
    """Where this version's lab files are, or will be; cache as in find_lab_files."""
    return (cache_dir() if cache is None else cache) / "lab" / recipe()


def find_lab_files(cache: Path | None = None) -> LabFiles:
    """Files of the lab; cache is netcont's cache directory, None for the user's own.

    Raises PrerequisiteError, naming the command that mends it, if the cache is empty,
    incomplete or of another version.
    """
    generation = generation_dir(cache)
    if not generation.is_dir():
        raise _unusable(f"the lab's kernel and programs are not in the cache ({generation})")
    try:
        content = json.loads((generation / "lab.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unusable(f"the cache {generation} is incomplete ({error})") from error
    try:
        files = read_generation(generation, content)
    except (KeyError, TypeError, AttributeError) as error:
        raise _unusable(f"{generation / 'lab.json'} cannot be understood ({error})") from error
    for needed in (files.kernel_image, files.initramfs, files.modules):
        if not needed.exists():
            raise _unusable(f"{needed} is missing from the cache")
    return files


def _unusable(message: str) -> PrerequisiteError:
    return PrerequisiteError(message, remedy=f"run {SETUP_COMMAND}")


def read_generation(generation: Path, content: Mapping[str, object]) -> LabFiles:
    """LabFiles of one generation directory from the content of its lab.json."""
    root = generation / "root"
    release = str(content["kernel_release"])
    packages = content["packages"]
    if not isinstance(packages, dict):
        raise TypeError("packages is not a table")
    return LabFiles(
        root=root,
        kernel_image=generation / str(content["kernel_image"]),
        kernel_release=release,
        modules=module_dir(root, release),
        initramfs=generation / f"initramfs-{code_fingerprint()}",
        program_dirs=existing(root, _PROGRAM_DIRS),
        library_dirs=existing(root, _LIBRARY_DIRS),
        packages={str(name): str(version) for name, version in packages.items()},
    )


def module_dir(root: Path, release: str) -> Path:
    """Module directory in an unpacked tree: below lib/ or, from Debian 13 on, below usr/lib/."""
    split = root / "lib" / "modules" / release
    return split if split.is_dir() else root / "usr" / "lib" / "modules" / release


def existing(root: Path, names: tuple[str, ...] = _LIBRARY_DIRS) -> tuple[Path, ...]:
    """Those of root's sub-directories that are there, each real directory once."""
    found: dict[Path, Path] = {}
    for name in names:
        path = root / name
        if path.is_dir():
            found.setdefault(path.resolve(), path)
    return tuple(found.values())


def lab_environment(files: LabFiles, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """PATH, LD_LIBRARY_PATH and the like that make the cache's programs run.

    The host's own programs come first: the cache only fills gaps. The usual directories are
    added, because a user's PATH often lacks the sbin ones.
    """
    usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    own = [part for part in environment.get("PATH", "").split(":") if part]
    programs = list(dict.fromkeys([*own, *usual, *map(str, files.program_dirs)]))
    libraries = [part for part in environment.get("LD_LIBRARY_PATH", "").split(":") if part]
    result = {
        "PATH": ":".join(programs),
        "LD_LIBRARY_PATH": ":".join(dict.fromkeys([*libraries, *map(str, files.library_dirs)])),
    }
    result.update(_wireshark_environment(files))
    return result


def _wireshark_environment(files: LabFiles) -> dict[str, str]:
    """Wireshark looks for its data at fixed places, unless told otherwise."""
    data = files.root / "usr" / "share" / "wireshark"
    return {"WIRESHARK_DATA_DIR": str(data)} if data.is_dir() else {}


def find_program(name: str, files: LabFiles | None) -> Path | None:
    """Where a program is: the host's own first, then the cache's; None if nowhere."""
    directories = ["/usr/local/sbin", "/usr/sbin", "/sbin"]
    if files is not None:
        directories += [str(path) for path in files.program_dirs]
    for directory in [*os.environ.get("PATH", "").split(":"), *directories]:
        candidate = Path(directory) / name
        if directory and candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    return None


def program_version(
    program: Path, arguments: tuple[str, ...], files: LabFiles | None, *, timeout_s: float = 5.0
) -> str:
    """First line of what `program arguments` prints, or raises OSError when it does not run."""
    environment = dict(os.environ)
    if files is not None:
        environment.update(lab_environment(files))
    try:
        done = subprocess.run(
            [str(program), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"no answer within {timeout_s:g} s") from error
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode != 0:
        reason = lines[0] if lines else "no output"
        raise OSError(f"ended with exit code {done.returncode}: {reason}")
    return lines[0] if lines else ""


@contextmanager
def in_use(files: LabFiles) -> Iterator[None]:
    """Keeps the generation from being removed by a set-up that runs meanwhile."""
    with (files.root.parent / "in-use").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield
