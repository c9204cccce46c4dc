"""Which files are opened, told by the kernel (fanotify(7)), whoever opens them."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path
from typing import Final

from netcont.errors import LabError

_CLOEXEC, _NONBLOCK, _UNLIMITED_QUEUE = 0x1, 0x2, 0x10
_ADD, _FILESYSTEM = 0x1, 0x100
_OPEN, _ON_DIRECTORY = 0x20, 0x40000000
_AT_FDCWD: Final = -100
_EVENT = struct.Struct("IBBHQii")  # struct fanotify_event_metadata
_BUFFER_BYTES = 65536
_libc = ctypes.CDLL(None, use_errno=True)


class OpenedFiles:
    """Files and directories of one file system that are opened between start and finish.

    The events wait in the kernel until finish: nothing runs for them meanwhile.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._group = -1

    def start(self) -> None:
        """Raises LabError where the kernel refuses."""
        flags = _CLOEXEC | _NONBLOCK | _UNLIMITED_QUEUE
        group = _libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC)
        if group < 0:
            raise LabError(f"fanotify: {os.strerror(ctypes.get_errno())}")
        self._group = group
        marked = _libc.fanotify_mark(
            group,
            _ADD | _FILESYSTEM,
            ctypes.c_uint64(_OPEN | _ON_DIRECTORY),
            _AT_FDCWD,
            self._path.encode(),
        )
        if marked < 0:
            code = ctypes.get_errno()
            self.finish()
            raise LabError(f"fanotify on {self._path}: {os.strerror(code)}")

    def finish(self) -> tuple[str, ...]:
        """The paths that were opened, each once, in their order."""
        found: dict[str, None] = {}
        while self._group >= 0 and self._read(found):
            continue
        if self._group >= 0:
            os.close(self._group)
            self._group = -1
        return tuple(path for path in found if path.startswith("/") and Path(path).exists())

    def _read(self, found: dict[str, None]) -> bool:
        """Some more of the events; whether there were any."""
        try:
            data = os.read(self._group, _BUFFER_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            # One of the files cannot be opened for us any more: its event is lost, not the others.
            return error.errno in (errno.ENOENT, errno.ENXIO, errno.EACCES, errno.ETXTBSY)
        while data:
            length, _, _, _, _, descriptor, _ = _EVENT.unpack_from(data)
            data = data[length:]
            if descriptor >= 0:
                try:
                    found[str(Path(f"/proc/self/fd/{descriptor}").readlink())] = None
                finally:
                    os.close(descriptor)
        return True
