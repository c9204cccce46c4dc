"""The sealed lab: everything a run needs, in the boot archive itself.

A lab VM that reads nothing from its host after power-on depends on nothing but its boot archive:
with a clock that counts instructions, two of them do exactly the same, instruction for
instruction, whatever else the host is doing. So the worker's Python, its libraries and its
programs are packed once into an archive (initramfs, "newc" cpio), kept in the cache until one of
the files changes; a second, small one holds the job.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import netcont
from netcont.errors import LabError
from netcont.lab.sealed_init import SEALED_INIT

_FORMAT = 3
_KEPT = 4
_PARTIAL = ".sealed-"
_PACKING_LIMIT_S = 3600.0
_NOT_NEEDED = frozenset(
    {
        "__pycache__",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "dist-packages",
        "test",
        "tests",
        "tkinter",
        "turtledemo",
    }
)
_PROGRAMS = ("named", "tcpdump")
_SETTINGS = (
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/openssl.cnf",
)
_OWN_DIRECTORIES = ("/bin",)  # the boot archive has a real directory there
_NOT_NEEDED_LIBRARIES = ("_tkinter", "_test", "_dbm", "_gdbm", "_curses", "readline")
_LIST_IMPORTED = (
    "import json, sys, netcont.lab.worker, topologies.two_site, topologies.lan,"
    " topologies.three_site;"
    " print(json.dumps(sorted({m.__file__ for m in list(sys.modules.values())"
    " if getattr(m, '__file__', None)})))"
)

_COMPILE = """
import importlib.util, marshal, sys
flags = (0b01).to_bytes(4, "little")  # by hash, unchecked
for path in sys.stdin.read().splitlines():
    with open(path, "rb") as file:
        source = file.read()
    try:
        code = marshal.dumps(compile(source, path, "exec", dont_inherit=True))
        body = importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + code
    except (SyntaxError, ValueError):
        body = b""  # for another version of the language; nobody imports it here
    sys.stdout.buffer.write(len(body).to_bytes(4, "big") + body)
"""


class Archive:
    """Writes a "newc" cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._seen: set[str] = set()
        self._inode = 0

    def file(self, path: str, body: bytes, mode: int = 0o755) -> None:
        """A file at an absolute path, and the directories above it."""
        if path in self._seen:
            return
        self._directories(str(Path(path).parent))
        self._entry(path, 0o100000 | mode, body)

    def copy(self, path: str) -> None:
        """A file of the host's, at its path, with every symbolic link that leads to it."""
        at = Path("/")
        for part in Path(path).parts[1:]:
            at /= part
            if at.is_symlink() and str(at) not in _OWN_DIRECTORIES:
                target = at.parent / at.readlink()
                self._directories(str(at.parent))
                if str(at) not in self._seen:
                    self._entry(str(at), 0o120777, str(target).encode())
                rest = Path(path).relative_to(at)
                self.copy(os.path.normpath(target / rest))
                return
        if at.is_file():
            self.file(path, at.read_bytes())

    def finish(self) -> bytes:
        """The whole archive."""
        self._entry("/TRAILER!!!", 0, b"")
        body = b"".join(self._parts)
        return body + b"\0" * (-len(body) % 512)

    def _directories(self, path: str) -> None:
        if path not in ("/", "") and path not in self._seen:
            self._directories(str(Path(path).parent))
            self._entry(path, 0o040755, b"")

    def _entry(self, path: str, mode: int, body: bytes) -> None:
        self._seen.add(path)
        self._inode += 1
        name = path.lstrip("/").encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._parts += [header, name, b"\0" * (-(len(header) + len(name)) % 4)]
        self._parts += [body, b"\0" * (-len(body) % 4)]


def sealed_archive(cache: Path, environment: Mapping[str, str]) -> Path:
    """The archive with the worker and all it needs, made anew if any of its files changed.

    environment: PATH and library path that find the lab's programs. Raises LabError.
    """
    target = cache / f"sealed-{_key(environment)}.cpio"
    if not target.exists():
        sources, programs = _python_files(environment), _programs(environment)
        libraries = _libraries_of([*sources, *programs], environment)
        binaries = (*programs, *libraries, *_SETTINGS)
        archive = Archive()
        archive.file("/init", SEALED_INIT.encode())
        modules = [path for path in sources if path.endswith(".py")]
        for path in sources:
            if path not in modules or Path(path).name == "os.py":
                archive.copy(path)
        for path, body in _compiled(modules):
            archive.file(path, body)
        for path in binaries:
            archive.copy(path)
        _replace(target, archive.finish())
    target.touch()
    by_age = sorted(cache.glob("sealed-*.cpio"), key=lambda path: path.stat().st_mtime)
    for old in by_age[:-_KEPT]:
        old.unlink(missing_ok=True)
    return target


class SealedFiles:
    """One archive for all labs of a comparison, whatever happens to sources and cache meanwhile."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._opened: BinaryIO | None = None

    def open(self, environment: Mapping[str, str]) -> BinaryIO:
        """The archive, for reading; the first caller makes it. Raises LabError."""
        with self._lock:
            if self._opened is None:
                self._opened = sealed_archive(self._cache, environment).open("rb")
            # Not by its name: another comparison may have removed it from the cache.
            return Path(f"/proc/self/fd/{self._opened.fileno()}").open("rb")


def job_archive(
    command: Sequence[str], environment: Mapping[str, str], files: Mapping[Path, Path]
) -> bytes:
    """What differs from lab to lab: the command, its environment, its files (there -> here)."""
    archive = Archive()
    lines = [f"export {key}={shlex.quote(value)}" for key, value in sorted(environment.items())]
    script = "\n".join([*lines, f"exec {shlex.join(command)}", ""])
    archive.file("/netcont/command", script.encode())
    for inside, path in sorted(files.items()):
        archive.file(str(inside), path.read_bytes())
    return archive.finish()


def _key(environment: Mapping[str, str]) -> str:
    """Changes with this program's sources, the interpreter, the packages and the programs."""
    root = Path(netcont.__file__).resolve().parent.parent
    digest = hashlib.sha256(f"{_FORMAT} {sys.version} {SEALED_INIT}".encode())
    digest.update(f"{sys.executable} {sorted(environment.items())}".encode())
    packages = Path(sysconfig.get_path("purelib"))
    watched = [path for top in ("netcont", "topologies") for path in (root / top).rglob("*.py")]
    watched += packages.glob("*.dist-info")
    for path in sorted(watched):
        status = path.stat()
        digest.update(f"{path} {status.st_mtime_ns} {status.st_size}\n".encode())
    return digest.hexdigest()[:16]


def _python_files(environment: Mapping[str, str]) -> list[str]:
    """The interpreter, the standard library, and every package that the worker imports."""
    root = Path(netcont.__file__).resolve().parent.parent
    listing = _said(
        [sys.executable, "-c", _LIST_IMPORTED],
        {**environment, "PYTHONPATH": str(root), **_own_distutils()},
    )
    standard = Path(sysconfig.get_path("stdlib"))
    files = [sys.executable, str(Path(sys.executable).parent.parent / "pyvenv.cfg")]
    # Where Python has no distutils any more, this gives Mininet those of setuptools.
    files += map(str, Path(sysconfig.get_path("purelib")).glob("distutils-precedence.pth"))
    files += _tree(standard)
    for name in json.loads(listing):
        if not Path(name).is_relative_to(standard) or "-packages" in name:
            files += _tree(_package_of(Path(name)))
    return sorted(set(files))


def _own_distutils() -> dict[str, str]:
    return {"SETUPTOOLS_USE_DISTUTILS": "stdlib"} if sys.version_info < (3, 12) else {}


def _package_of(module: Path) -> Path:
    """The topmost package that a module belongs to; itself if to none."""
    top = module
    while (top.parent / "__init__.py").exists():
        top = top.parent
    return top


def _tree(top: Path) -> Iterator[str]:
    if top.is_file():
        yield str(top)
        return
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in _NOT_NEEDED]
        for name in names:
            if name.startswith(_NOT_NEEDED_LIBRARIES):
                continue
            # Text, because setuptools reads some when it is imported.
            if name.endswith((".py", ".so", ".txt")):
                yield f"{folder}/{name}"


def _programs(environment: Mapping[str, str]) -> list[str]:
    found = [shutil.which(name, path=environment.get("PATH")) for name in _PROGRAMS]
    return [path for path in found if path is not None]


def _libraries_of(files: Iterable[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Shared libraries that programs and extension modules need."""
    wanted = [path for path in files if not path.endswith((".py", ".cfg", ".pth", ".txt"))]
    # 1: one of them needs none.
    listing = _said(["ldd", *wanted], environment, right=(0, 1)).decode()
    return tuple(sorted(set(re.findall(r"(/\S+) \(0x", listing))))


def _compiled(sources: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Modules without their sources (PEP 552): what the interpreter then loads needs no look at a
    clock.

    Compiled in a process of their own, always in the same order and with the same hashes, so that
    the same sources give the same bytes. Raises LabError.
    """
    compiled = io.BytesIO(
        _said(
            [sys.executable, "-c", _COMPILE],
            {"PYTHONHASHSEED": "0"},
            "\n".join(sources).encode(),
        )
    )
    for path in sources:
        body = compiled.read(int.from_bytes(compiled.read(4), "big"))
        if body:
            yield f"{path}c", body


def _said(
    command: Sequence[str],
    environment: Mapping[str, str],
    told: bytes = b"",
    right: Container[int] = (0,),
) -> bytes:
    """What a program prints. right: exit codes. Raises LabError if it ends with another one.

    In a session of its own: Ctrl-C is for this process, and without it the program ends when it
    next says something.
    """
    done = subprocess.run(
        command,
        env=dict(environment),
        input=told,
        capture_output=True,
        start_new_session=True,
        check=False,
    )
    if done.returncode not in right:
        reason = done.stderr.decode(errors="replace").strip()[-400:]
        raise LabError(f"{Path(command[0]).name} failed while the lab was packed: {reason}")
    return done.stdout


def _replace(target: Path, body: bytes) -> None:
    for left in target.parent.glob(f"{_PARTIAL}*"):
        # Of a packing that was killed: none takes that long.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _PACKING_LIMIT_S:
                left.unlink()
    with tempfile.NamedTemporaryFile(prefix=_PARTIAL, dir=target.parent, delete=False) as fresh:
        fresh.write(body)
    Path(fresh.name).replace(target)
