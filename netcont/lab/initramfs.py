"""The boot archive of the lab VM: busybox, kernel modules, and the first process.

virtme-ng's parts are used as a library: its module finder, its list of what a QEMU guest
needs to see the host's files, and its archive writer.
"""

from __future__ import annotations

import gzip
import importlib
import lzma
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from netcont.errors import PrerequisiteError
from netcont.lab.guest_init import INIT, RUN

LAB_MODULES = (
    "overlay",
    "af_packet",
    "veth",
    "bridge",
    "8021q",
    "dummy",
    "ipip",
    "ip_gre",
    "ip6_tunnel",
    "ip6_gre",
    "vxlan",
    "vrf",
    "tun",
    "sch_netem",
    "sch_htb",
    "sch_tbf",
    "sch_plug",
    "sch_ingress",
    "sch_fq_codel",
    "cls_u32",
    "tcp_diag",
    "udp_diag",
    "nf_tables",
    "nf_conntrack",
    "nft_ct",
    "nft_limit",
    "nft_numgen",
    "nft_reject_inet",
    "nft_chain_nat",
    "nft_fib_inet",
    "nfnetlink_queue",
    "nft_queue",
)
"""Loaded at boot from memory. Loading one at need would read the host's files during a run."""

_SIGNATURE_MARK = b"~Module signature appended~\n"

_DIRECTORIES = ("bin", "dev", "host", "modules", "newroot", "proc", "upper")


def build(
    target: Path, *, root: Path, release: str, busybox: Path, environment: Mapping[str, str]
) -> None:
    """Writes the boot archive for the kernel unpacked below root.

    busybox must be a static one. environment is what modprobe runs in.
    Raises PrerequisiteError if virtme-ng or modprobe is missing, or a needed module.
    """
    modules = _module_files(root, release, environment)
    writer_class = _virtme("cpiowriter").CpioWriter
    with target.open("wb") as stream:
        _write(writer_class(stream), busybox, modules, stream, environment)


def _virtme(name: str) -> Any:
    """A module of virtme-ng, which has no type information."""
    try:
        return importlib.import_module(f"virtme.{name}")
    except ImportError as error:
        raise PrerequisiteError(
            f"virtme-ng cannot be imported ({error})", remedy="pip install virtme-ng"
        ) from error


def _module_files(root: Path, release: str, environment: Mapping[str, str]) -> list[Path]:
    """Files of the modules wanted and of those they need, in the order of loading."""
    wanted = [alias for alias in _virtme("virtmods").MODALIASES if "virtiofs" not in alias]
    wanted += LAB_MODULES
    files: dict[Path, None] = {}
    for alias in wanted:
        for path in _dependencies(alias, root, release, environment):
            # A variant for one make of processor is refused by the others.
            if not any(mark in path.name for mark in ("intel", "pclmul")):
                files.setdefault(path)
    names = {path.name.split(".")[0].replace("-", "_") for path in files}
    for needed in ("9p", "9pnet_virtio", "overlay"):
        if needed not in names and not _is_builtin(needed, root, release):
            raise PrerequisiteError(
                f"the kernel {release} has no module {needed}: the lab cannot see its files",
                remedy="install no cloud or custom kernel for the lab; run scripts/setup",
            )
    return list(files)


def _dependencies(
    alias: str, root: Path, release: str, environment: Mapping[str, str]
) -> list[Path]:
    """What `modprobe --show-depends` lists for a module; nothing if built in or unknown."""
    command = ["modprobe", "-C", "/dev/null", "-d", str(root), "-S", release]
    try:
        done = subprocess.run(
            [*command, "--show-depends", "--", alias],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise PrerequisiteError(
            "modprobe is missing", remedy="apt-get install kmod, or run scripts/setup"
        ) from error
    lines = [line.strip() for line in done.stdout.splitlines()]
    return [Path(line.removeprefix("insmod ")) for line in lines if line.startswith("insmod ")]


def _is_builtin(name: str, root: Path, release: str) -> bool:
    for base in (root / "lib", root / "usr" / "lib"):
        listing = base / "modules" / release / "modules.builtin"
        if listing.is_file():
            return any(
                Path(line).stem.replace("-", "_") == name
                for line in listing.read_text(encoding="utf-8").splitlines()
            )
    return False


def _read_module(path: Path, environment: Mapping[str, str]) -> bytes:
    """A module's bytes, uncompressed and unsigned.

    The guest would need far longer to unpack it, and to verify sixty signatures.
    """
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    elif path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zst":
        data = _unzstd(data, environment)
    return without_signature(data)


def _unzstd(data: bytes, environment: Mapping[str, str]) -> bytes:
    every = {**os.environ, **environment}
    program = shutil.which("zstd", path=every.get("PATH"))
    if program is None:
        raise PrerequisiteError("zstd is missing", remedy="apt-get install zstd")
    done = subprocess.run(
        [program, "-dcq"], input=data, env=every, stdout=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        raise PrerequisiteError("zstd cannot unpack a kernel module", remedy="run scripts/setup")
    return done.stdout


def without_signature(module: bytes) -> bytes:
    """A kernel module without the signature at its end, if there is one.

    There the file has: the signature, eight bytes about its kind, its length in four bytes
    (big-endian), and a fixed text.
    """
    if not module.endswith(_SIGNATURE_MARK):
        return module
    description_end = len(module) - len(_SIGNATURE_MARK)
    length = int.from_bytes(module[description_end - 4 : description_end], "big")
    end = description_end - 12 - length
    return module[:end] if end > 0 else module


def _write(
    writer: Any,
    busybox: Path,
    modules: Sequence[Path],
    stream: BinaryIO,
    environment: Mapping[str, str],
) -> None:
    for name in _DIRECTORIES:
        writer.mkdir(name.encode(), 0o755)
    writer.mkchardev(b"dev/null", (1, 3), mode=0o666)
    writer.mkchardev(b"dev/console", (5, 1), mode=0o600)
    writer.write_file(b"bin/busybox", body=busybox.read_bytes(), mode=0o755)
    names = []
    for path in modules:
        name = path.name.split(".ko")[0] + ".ko"
        names.append(name)
        writer.write_file(
            f"modules/{name}".encode(), body=_read_module(path, environment), mode=0o644
        )
    writer.write_file(b"modules/order", body="".join(f"{n}\n" for n in names).encode(), mode=0o644)
    writer.write_file(b"init", body=INIT.encode(), mode=0o755)
    writer.write_file(b"run.sh", body=RUN.encode(), mode=0o644)
    writer.write_trailer()
    stream.flush()
