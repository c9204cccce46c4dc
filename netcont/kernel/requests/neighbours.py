"""RTM_NEWNEIGH, RTM_DELNEIGH: neighbours, proxies, forwarding databases (linux/neighbour.h)."""

from __future__ import annotations

import socket
import struct

from netcont.kernel.requests.message import (
    APPEND,
    CREATE,
    NEW,
    REPLACE,
    Indices,
    Message,
    attribute,
    family,
    mac,
    on,
    packed,
)
from netcont.model import plan as changes

_NEW_NEIGHBOUR, _DEL_NEIGHBOUR = 28, 29
_NEIGHBOUR = struct.Struct("=BxHiHBB")  # ndmsg
_PERMANENT = 0x80  # NUD_PERMANENT
_SELF, _MASTER, _PROXY, _ROUTER = 0x02, 0x04, 0x08, 0x80  # NTF_…


def _body(change: changes.AddNeighbour | changes.DelNeighbour, indices: Indices) -> bytes:
    flags = (_PROXY if change.mac is None else 0) | (_ROUTER if change.router else 0)
    head = _NEIGHBOUR.pack(family(change.address), 0, indices(change.link), _PERMANENT, flags, 0)
    return head + attribute(1, packed(change.address))


@on(changes.AddNeighbour)
def _add(change: changes.AddNeighbour, indices: Indices) -> Message:
    body = _body(change, indices)
    if change.mac is None:
        return _NEW_NEIGHBOUR, NEW, body
    return _NEW_NEIGHBOUR, CREATE | REPLACE, body + attribute(2, mac(change.mac))


@on(changes.DelNeighbour)
def _del(change: changes.DelNeighbour, indices: Indices) -> Message:
    return _DEL_NEIGHBOUR, 0, _body(change, indices)


def _fdb(change: changes.AddFdb | changes.DelFdb, indices: Indices) -> bytes:
    head = _NEIGHBOUR.pack(socket.AF_BRIDGE, 0, indices(change.link), _PERMANENT, _SELF, 0)
    return head + attribute(2, mac(change.mac)) + attribute(1, packed(change.remote))


@on(changes.AddFdb)
def _add_fdb(change: changes.AddFdb, indices: Indices) -> Message:
    return _NEW_NEIGHBOUR, CREATE | APPEND, _fdb(change, indices)


@on(changes.DelFdb)
def _del_fdb(change: changes.DelFdb, indices: Indices) -> Message:
    return _DEL_NEIGHBOUR, 0, _fdb(change, indices)


def _own(change: changes.AddBridgeMac | changes.DelBridgeMac, indices: Indices) -> bytes:
    head = _NEIGHBOUR.pack(socket.AF_BRIDGE, 0, indices(change.link), _PERMANENT, _MASTER, 0)
    return head + attribute(2, mac(change.mac))


@on(changes.AddBridgeMac)
def _add_own(change: changes.AddBridgeMac, indices: Indices) -> Message:
    return _NEW_NEIGHBOUR, CREATE | REPLACE, _own(change, indices)


@on(changes.DelBridgeMac)
def _del_own(change: changes.DelBridgeMac, indices: Indices) -> Message:
    return _DEL_NEIGHBOUR, 0, _own(change, indices)
