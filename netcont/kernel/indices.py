"""Interface indices by name, one ioctl each (netdevice(7)): a thousand take a millisecond."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from types import TracebackType
from typing import Self

from netcont.kernel.namespace import Namespace, no_link

_SIOCGIFINDEX = 0x8933
_REQUEST = struct.Struct("=16si20x")  # struct ifreq
_NAME_BYTES = 15


class Indices:
    """A context manager, called with a link's name; what was found once is not asked again."""

    def __init__(self, node: Namespace) -> None:
        self._node = node
        self._found: dict[str, int] = {}
        with node.entered():
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def __call__(self, link: str) -> int:
        """The index of a link. Raises KernelError if there is none of that name."""
        known = self._found.get(link)
        if known is None:
            known = self._found[link] = self._ask(link)
        return known

    def _ask(self, link: str) -> int:
        name = link.encode()
        try:
            if len(name) > _NAME_BYTES:
                raise OSError(errno.ENODEV, "too long")
            answer = fcntl.ioctl(self._socket, _SIOCGIFINDEX, _REQUEST.pack(name, 0))
        except OSError as error:
            raise no_link(self._node.name, link) from error
        return int(_REQUEST.unpack(answer)[1])
