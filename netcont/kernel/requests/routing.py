"""RTM_NEWROUTE, RTM_NEWRULE and their opposites (linux/rtnetlink.h, linux/fib_rules.h)."""

from __future__ import annotations

import struct

from netcont.kernel.requests.message import (
    CREATE,
    NEW,
    REPLACE,
    Indices,
    Message,
    attribute,
    number,
    on,
    packed,
    prefix,
    text,
)
from netcont.model import plan as changes
from netcont.model.own import ROUTE_PROTOCOL

_NEW_ROUTE, _DEL_ROUTE, _NEW_RULE, _DEL_RULE = 24, 25, 32, 33
_HEAD = struct.Struct("=BBBBBBBBI")  # rtmsg, fib_rule_hdr
_EVERYWHERE, _ON_LINK, _ANY_SCOPE = 0, 253, 255  # RT_SCOPE_…
_TO_TABLE = 1  # FR_ACT_TO_TBL

ROUTE_KINDS = {"unicast": 1, "blackhole": 6, "unreachable": 7}
"""RTN_…"""


def _route(change: changes.AddRoute | changes.DelRoute, indices: Indices, scope: int) -> bytes:
    family, length, address = prefix(change.destination)
    kind = ROUTE_KINDS[change.kind]
    body = _HEAD.pack(family, length, 0, 0, 0, ROUTE_PROTOCOL, scope, kind, 0)
    body += number(15, change.table) + attribute(1, address)
    if change.via:
        body += attribute(5, packed(change.via))
    if change.link:
        body += number(4, indices(change.link))
    return body


@on(changes.AddRoute)
def _add_route(change: changes.AddRoute, indices: Indices) -> Message:
    scope = _ON_LINK if change.link and not change.via else _EVERYWHERE
    flags = CREATE | REPLACE if change.replace else NEW
    return _NEW_ROUTE, flags, _route(change, indices, scope)


@on(changes.DelRoute)
def _del_route(change: changes.DelRoute, indices: Indices) -> Message:
    return _DEL_ROUTE, 0, _route(change, indices, _ANY_SCOPE)


def _rule(change: changes.AddRule | changes.DelRule) -> bytes:
    family, length, source = prefix(change.source)
    _, to_length, to = prefix(change.destination) if change.destination else (0, 0, b"")
    body = _HEAD.pack(family, to_length, length, 0, 0, 0, 0, _TO_TABLE, 0)
    body += number(6, change.priority) + number(15, change.table)
    body += attribute(21, bytes((ROUTE_PROTOCOL,)))
    if length:
        body += attribute(2, source)
    if to_length:
        body += attribute(1, to)
    return body + (text(3, change.incoming) if change.incoming else b"")


@on(changes.AddRule)
def _add_rule(change: changes.AddRule, indices: Indices) -> Message:
    return _NEW_RULE, NEW, _rule(change)


@on(changes.DelRule)
def _del_rule(change: changes.DelRule, indices: Indices) -> Message:
    return _DEL_RULE, 0, _rule(change)
