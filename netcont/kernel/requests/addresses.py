"""RTM_NEWADDR, RTM_DELADDR: addresses of links (linux/if_addr.h)."""

from __future__ import annotations

import struct

from netcont.kernel.requests.message import (
    NEW,
    Indices,
    Message,
    attribute,
    family,
    on,
    packed,
)
from netcont.model import plan as changes
from netcont.model.plan import is_ipv6

_NEW_ADDRESS, _DEL_ADDRESS = 20, 21
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg
_NO_DUPLICATE_DETECTION = 0x2  # IFA_F_NODAD


def _body(change: changes.AddAddress | changes.DelAddress, index: int, flags: int) -> bytes:
    value = packed(change.address)
    head = _ADDRESS.pack(family(change.address), change.prefixlen, flags, 0, index)
    return head + attribute(2, value) + attribute(1, value)  # IFA_LOCAL, IFA_ADDRESS


@on(changes.AddAddress)
def _add(change: changes.AddAddress, indices: Indices) -> Message:
    flags = _NO_DUPLICATE_DETECTION if is_ipv6(change.address) else 0
    return _NEW_ADDRESS, NEW, _body(change, indices(change.link), flags)


@on(changes.DelAddress)
def _del(change: changes.DelAddress, indices: Indices) -> Message:
    return _DEL_ADDRESS, 0, _body(change, indices(change.link), 0)
