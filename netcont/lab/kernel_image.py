"""Gets the uncompressed kernel out of a bzImage.

QEMU starts an ELF kernel directly (PVH). That saves the guest from unpacking it: four
seconds of every boot without KVM.
"""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

_ELF = b"\x7fELF"


def _unxz(data: bytes) -> bytes:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(data)


def _gunzip(data: bytes) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(data)


def _filter(*command: str) -> Callable[[bytes], bytes]:
    def decompress(data: bytes) -> bytes:
        if shutil.which(command[0]) is None:
            raise ValueError(f"{command[0]} is missing")
        # What follows the compressed part in the image makes these programs end with an error,
        # after they have written all of it.
        done = subprocess.run(list(command), input=data, capture_output=True, check=False)
        return done.stdout

    return decompress


_FORMATS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\xfd7zXZ\x00", _unxz),
    (b"\x1f\x8b\x08", _gunzip),
    (b"\x28\xb5\x2f\xfd", _filter("zstd", "-dcq")),
    (b"\x02\x21\x4c\x18", _filter("lz4", "-dcq")),
)


def extract_vmlinux(image: bytes) -> bytes | None:
    """The ELF kernel in a bzImage, or None where none can be extracted."""
    if image.startswith(_ELF):
        return image
    for magic, decompress in _FORMATS:
        # The magic of one format may occur by chance in the data of another: try each place.
        for place in re.finditer(re.escape(magic), image):
            try:
                kernel = decompress(image[place.start() :])
            except (lzma.LZMAError, zlib.error, ValueError, OSError):
                continue
            if kernel.startswith(_ELF):
                return kernel
    return None


def write_bootable(bzimage: Path, target: Path) -> Path:
    """Writes the ELF kernel of a bzImage to target and returns it; the bzImage if it cannot be."""
    kernel = extract_vmlinux(bzimage.read_bytes())
    if kernel is None:
        return bzimage
    target.write_bytes(kernel)
    return target
