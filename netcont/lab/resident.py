"""Files brought into memory: what the lab executes must not come from the host while it measures.

Each file is copied to a tmpfs and bind-mounted over its own path, in a mount namespace that only
the lab sees. Which files a program needs is found out beforehand, on the host.
"""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from netcont.errors import LabError

_CLONE_NEWNS = 0x00020000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_TRACING = Path("/sys/kernel/tracing")
_libc = ctypes.CDLL(None, use_errno=True)

RESOLVER_FILES = (
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/passwd",
    "/etc/group",
    "/etc/localtime",
    "/etc/ld.so.cache",
)


def needed_files(commands: Iterable[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Every file that the commands' programs are made of: the programs and their libraries."""
    found: dict[str, None] = {}
    search = environment.get("PATH", os.defpath)
    words = [word for command in commands for word in shlex.split(command)]
    for word in ("/bin/sh", *words):
        program = shutil.which(word, path=search)
        if program is None:
            if Path(word).is_file():
                found[word] = None
            continue
        found[program] = None
        found[str(Path(program).resolve())] = None
        for library in _libraries(program, environment):
            found[library] = None
            found[str(Path(library).resolve())] = None
    return tuple(path for path in found if not Path(path).is_symlink())


def _libraries(program: str, environment: Mapping[str, str]) -> list[str]:
    answer = subprocess.run(
        ["ldd", program], env=dict(environment), capture_output=True, text=True, check=False
    )
    return re.findall(r"(/\S+) \(0x", answer.stdout)


def own_mounts() -> None:
    """Gives this process a mount namespace of its own. Raises LabError."""
    if _libc.unshare(_CLONE_NEWNS) != 0:
        raise LabError(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    _mount("none", "/", _MS_REC | _MS_PRIVATE)


def bring_into_memory(files: Iterable[str], directory: Path) -> None:
    """Copies each file that exists to directory (a tmpfs) and mounts the copy over it."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(files):
        source = Path(name)
        if source.is_file():
            copy = directory / f"{number}-{source.name}"
            shutil.copy2(source, copy)
            _mount(str(copy), str(source.resolve()), _MS_BIND)


def replace_file(path: str, text: str, directory: Path) -> None:
    """Lets path read as text, for this process's mount namespace only."""
    directory.mkdir(parents=True, exist_ok=True)
    copy = directory / path.strip("/").replace("/", "-")
    copy.write_text(text)
    _mount(str(copy), str(Path(path).resolve()), _MS_BIND)


def show_tracing() -> None:
    """Mounts tracefs where the kernel expects it, unless it is there. Raises LabError."""
    if not (_TRACING / "events").is_dir():
        _mount("tracefs", str(_TRACING), 0, b"tracefs")


def _mount(source: str, target: str, flags: int, kind: bytes | None = None) -> None:
    if _libc.mount(source.encode(), target.encode(), kind, flags, None) != 0:
        code = ctypes.get_errno()
        raise LabError(f"mount {source} on {target}: {os.strerror(code)}")
