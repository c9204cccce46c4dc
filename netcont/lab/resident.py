"""Files brought into memory: what the lab executes must not come from the host while it measures.

Each file is copied to a tmpfs and bind-mounted over its own path, in a mount namespace that only
the lab sees. Which files a program needs is found out beforehand, on the host.
"""

from __future__ import annotations

import ctypes
import os
import re
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
# What separates words for a shell, quotes included: a command may hold a script of its own.
_BETWEEN_WORDS = re.compile(r"[\s;|&()<>{}\"'`$=]+")
_LONGEST_WAY = 40  # as the kernel has it for symbolic links
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
    # Links that programs follow whatever they do: the C library's and OpenSSL's.
    "/usr/share/locale/locale.alias",
    "/usr/lib/ssl/openssl.cnf",
    "/usr/lib/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/locale.alias",
    "/var/run",
    "/var/lock",
)


def needed_files(commands: Iterable[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Every file that the commands' programs are made of: the programs and their libraries.

    A word that names a program is taken for one, wherever it stands: one too many costs little.
    """
    found = _needed(commands, environment)
    return tuple(path for path in found if not Path(path).is_symlink())


def needed_links(commands: Iterable[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """The symbolic links on the way to the files that the commands' programs are made of."""
    found = _needed(commands, environment)
    return tuple(path for path in found if Path(path).is_symlink())


def _needed(commands: Iterable[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    search = environment.get("PATH", os.defpath)
    words = [word for command in commands for word in _BETWEEN_WORDS.split(command) if word]
    for word in ("/bin/sh", *words):
        program = shutil.which(word, path=search)
        if program is not None:
            found |= dict.fromkeys(_way_to(program))
            for library in _libraries(program, environment):
                found |= dict.fromkeys(_way_to(library))
        elif _is_file(word):
            found |= dict.fromkeys(_way_to(word))
    return tuple(found)


def _way_to(path: str) -> list[str]:
    """The symbolic links that lead to a file, and the file."""
    way: list[str] = []
    where = Path("/")
    left = list(Path(path).absolute().parts[1:])
    while left and len(way) < _LONGEST_WAY:
        part = left.pop(0)
        if part == "..":
            where = where.parent
            continue
        where /= part
        if where.is_symlink():
            way.append(str(where))
            target = where.readlink()
            left = [*target.parts[target.is_absolute() :], *left]
            where = Path("/") if target.is_absolute() else where.parent
    return [*way, str(where)]


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):  # too long for a name, say
        return False


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
    """Copies each file that exists to directory (a tmpfs) and mounts the copy over it.

    Symbolic links are made anew in the lab VM, whose own file system then has them in memory;
    elsewhere they are left alone.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(files):
        source = Path(name)
        if source.is_symlink():
            _make_anew(source)
        elif source.is_file():
            copy = directory / f"{number}-{source.name}"
            shutil.copy2(source, copy)
            _mount(str(copy), str(source), _MS_BIND)


def _make_anew(link: Path) -> None:
    if os.environ.get("NETCONT_LAB") == "vm" and link.exists():
        other = link.with_name(f"{link.name}.netcont")
        other.symlink_to(link.readlink())
        other.rename(link)


def replace_file(path: str, text: str, directory: Path) -> None:
    """Lets path read as text, for this process's mount namespace only."""
    directory.mkdir(parents=True, exist_ok=True)
    copy = directory / path.strip("/").replace("/", "-")
    copy.write_text(text)
    _mount(str(copy), str(Path(path).resolve()), _MS_BIND)


def bind(source: str, target: str, *, recursive: bool = False) -> None:
    """Lets target be source, for this process's mount namespace only. Raises LabError."""
    _mount(source, target, _MS_BIND | (_MS_REC if recursive else 0))


def show_tracing() -> None:
    """Mounts tracefs where the kernel expects it, unless it is there. Raises LabError."""
    if not (_TRACING / "events").is_dir():
        _mount("tracefs", str(_TRACING), 0, b"tracefs")


def _mount(source: str, target: str, flags: int, kind: bytes | None = None) -> None:
    if _libc.mount(source.encode(), target.encode(), kind, flags, None) != 0:
        code = ctypes.get_errno()
        raise LabError(f"mount {source} on {target}: {os.strerror(code)}")
