"""Gets the uncompressed kernel out of a bzImage.

QEMU starts an ELF kernel directly (PVH). That saves the guest from unpacking it: four
seconds of every boot without KVM.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

_ELF = b"\x7fELF"

Decompressor = Callable[[bytes, Mapping[str, str]], bytes]


def _unxz(data: bytes, _environment: Mapping[str, str]) -> bytes:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(data)


def _gunzip(data: bytes, _environment: Mapping[str, str]) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(data)


def _by_program(*command: str) -> Decompressor:
    def decompress(data: bytes, environment: Mapping[str, str]) -> bytes:
        program = shutil.which(command[0], path=environment.get("PATH"))
        if program is None:
            raise ValueError(f"{command[0]} is missing")
        # What follows the compressed part in the image makes these programs end with an error,
        # after they have written all of it.
        done = subprocess.run(
            [program, *command[1:]],
            input=data,
            env=dict(environment),
            capture_output=True,
            check=False,
        )
        return done.stdout

    return decompress


_FORMATS: tuple[tuple[bytes, Decompressor], ...] = (
    (b"\xfd7zXZ\x00", _unxz),
    (b"\x1f\x8b\x08", _gunzip),
    (b"\x28\xb5\x2f\xfd", _by_program("zstd", "-dcq")),
    (b"\x02\x21\x4c\x18", _by_program("lz4", "-dcq")),
)


def extract_vmlinux(image: bytes, environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The ELF kernel in a bzImage, or None where none can be extracted.

    environment: what zstd and lz4 are looked for and run in.
    """
    if image.startswith(_ELF):
        return image
    for magic, decompress in _FORMATS:
        # The magic of one format may occur by chance in the data of another: try each place.
        for place in re.finditer(re.escape(magic), image):
            try:
                kernel = decompress(image[place.start() :], environment)
            except (lzma.LZMAError, zlib.error, ValueError, OSError):
                continue
            if kernel.startswith(_ELF):
                return kernel
    return None


def write_bootable(
    bzimage: Path, target: Path, environment: Mapping[str, str] = os.environ
) -> Path:
    """Writes the ELF kernel of a bzImage to target and returns it; the bzImage if it cannot be."""
    kernel = extract_vmlinux(bzimage.read_bytes(), environment)
    if kernel is None:
        return bzimage
    target.write_bytes(kernel)
    return target
