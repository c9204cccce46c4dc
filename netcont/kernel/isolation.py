"""Tables of nftables' bridge family, which keep a port apart from what is said about gateways.

The messages are those of linux/netfilter/nf_tables.h. A batch is made whole or not at all. The nft
program is not needed.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence

from netcont.errors import KernelError
from netcont.kernel.isolation_fact import IsolationFact
from netcont.kernel.namespace import Namespace
from netcont.kernel.requests.message import CREATE, Message, attribute, nested, packed, text
from netcont.kernel.rtnetlink import attributes, dump, every_attribute, send_batch
from netcont.kernel.rtnetlink import text as text_of
from netcont.model.plan import AddIsolation
from netcont.model.plan.isolation import IN, OUT, PRIORITIES, About, Rule

NETFILTER = 12  # NETLINK_NETFILTER
_NFTABLES = 10  # NFNL_SUBSYS_NFTABLES
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NEW_TABLE, _GET_TABLE, _DEL_TABLE, _NEW_CHAIN, _GET_CHAIN, _NEW_RULE, _GET_RULE = (
    _NFTABLES << 8 | each for each in (0, 1, 2, 3, 4, 6, 7)
)
_APPEND = 0x800  # NLM_F_APPEND
_HEADER = struct.Struct("!BBH")  # nfgenmsg: family, version, resource
_BRIDGE = _HEADER.pack(7, 0, 0)  # NFPROTO_BRIDGE
_HOOKS = {IN: 0, OUT: 4}  # NF_BR_PRE_ROUTING, NF_BR_POST_ROUTING
_INTERFACE = {IN: 6, OUT: 7}  # NFT_META_IIFNAME, NFT_META_OIFNAME
_PROTOCOL, _INNER_PROTOCOL = 1, 16  # NFT_META_PROTOCOL, NFT_META_L4PROTO
_ETHERNET, _NETWORK, _TRANSPORT = 0, 1, 2  # NFT_PAYLOAD_…_HEADER
_ARP, _IPV6, _ICMPV6 = b"\x08\x06", b"\x86\xdd", b"\x3a"
_SOLICITATION, _ADVERTISEMENT = b"\x87", b"\x88"  # RFC 4861 §4.3, §4.4
_NAME_BYTES = 16  # IFNAMSIZ
_VERDICT, _VALUE = 0, 1  # NFT_REG_VERDICT, NFT_REG_1
_DROP = 0

Expression = tuple[str, dict[int, bytes]]
"""Its name and its attributes."""


def isolate(change: AddIsolation, node: Namespace) -> int:
    """Makes the port's table, instead of one that is there; returns 0, or an errno."""
    comment = change.comment.encode() + b"\0"
    named = _named(change.port)
    made = named + attribute(6, bytes((0, len(comment))) + comment)  # NFTNL_UDATA_TABLE_COMMENT
    messages: list[Message] = [
        (_NEW_TABLE, CREATE, _BRIDGE + named),
        (_DEL_TABLE, 0, _BRIDGE + named),
        (_NEW_TABLE, CREATE, _BRIDGE + made),
    ]
    for way, hook in _HOOKS.items():
        place = nested(4, _number(1, hook) + _number(2, PRIORITIES[way]))
        body = named + text(3, way.word) + place + text(7, "filter")
        messages.append((_NEW_CHAIN, CREATE, _BRIDGE + body))
    for rule in change.rules():
        body = named + text(2, rule.way.word) + nested(4, _packed(_expressions(change.port, rule)))
        messages.append((_NEW_RULE, CREATE | _APPEND, _BRIDGE + body))
    return _send(node, messages)


def end_isolation(port: str, node: Namespace) -> int:
    """Removes the port's table; returns 0, or an errno."""
    return _send(node, [(_DEL_TABLE, 0, _BRIDGE + _named(port))])


def read_isolation(change: AddIsolation, node: Namespace) -> IsolationFact:
    """Whether the port's table is there, and as the change makes it. Needs CAP_NET_ADMIN; without
    it the fact says so. Raises KernelError."""
    try:
        comment = _comment(change.port, node)
        if comment is None:
            return IsolationFact()
        as_wanted = _chains(change.port, node) and _rules(change, node)
    except KernelError as error:
        if error.errno == errno.EPERM:
            return IsolationFact(error="reading nftables needs CAP_NET_ADMIN")
        if error.errno in _NO_NFTABLES:
            return IsolationFact()
        raise
    return IsolationFact(True, as_wanted and comment == change.comment, comment)


_NO_NFTABLES = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT})


def _comment(port: str, node: Namespace) -> str | None:
    """What the table says about itself; None: there is none."""
    for body in dump(node, _GET_TABLE, _BRIDGE, NETFILTER):
        found = attributes(body, _HEADER.size)
        if text_of(found.get(1)) == port:
            note = found.get(6, b"")
            return text_of(note[2 : 2 + note[1]]) if len(note) > 1 and note[0] == 0 else ""
    return None


def _chains(port: str, node: Namespace) -> bool:
    found = {}
    for body in dump(node, _GET_CHAIN, _BRIDGE, NETFILTER):
        chain = attributes(body, _HEADER.size)
        if text_of(chain.get(1)) == port:
            hook = attributes(chain.get(4, b""))
            found[text_of(chain.get(3))] = (hook.get(1), hook.get(2), chain.get(5))
    accept = struct.pack("!I", 1)
    return found == {
        way.word: (struct.pack("!I", hook), struct.pack("!i", PRIORITIES[way]), accept)
        for way, hook in _HOOKS.items()
    }


def _rules(change: AddIsolation, node: Namespace) -> bool:
    """Whether the rules are those: other kernels may say more about each."""
    found = []
    for body in dump(node, _GET_RULE, _BRIDGE + _named(change.port), NETFILTER):
        rule = attributes(body, _HEADER.size)
        if text_of(rule.get(1)) == change.port:
            made = [each for _, each in every_attribute(rule.get(4, b""))]
            found.append((text_of(rule.get(2)), [*map(_unpacked, made)]))
    wanted = [(r.way.word, [*_expressions(change.port, r)]) for r in change.rules()]
    return len(found) == len(wanted) and all(
        chain == other and len(these) == len(those) and all(map(_within, those, these))
        for (chain, these), (other, those) in zip(found, wanted, strict=True)
    )


def _within(wanted: Expression, found: Expression) -> bool:
    return wanted[0] == found[0] and wanted[1].items() <= found[1].items()


def _unpacked(value: bytes) -> Expression:
    parts = attributes(value)
    return text_of(parts.get(1)), attributes(parts.get(2, b""))


def _packed(expressions: Iterable[Expression]) -> bytes:
    """A list of NFTA_LIST_ELEM: each NFTA_EXPR_NAME, NFTA_EXPR_DATA."""
    found = b""
    for name, values in expressions:
        data = b"".join(attribute(kind, value) for kind, value in values.items())
        found += nested(1, text(1, name) + nested(2, data))
    return found


def _expressions(port: str, rule: Rule) -> Iterator[Expression]:
    yield _meta(_INTERFACE[rule.way])
    yield _equal(port.encode().ljust(_NAME_BYTES, b"\0"))
    yield from _about(rule.about, packed(rule.gateway))
    yield "counter", {}
    if rule.anonymous:
        yield _immediate(_VALUE, attribute(1, bytes(4)))
        yield _rewrite(_NETWORK, 14, 4)
    else:
        yield _immediate(_VERDICT, attribute(2, _number(1, _DROP)))


def _about(about: About, gateway: bytes) -> Iterator[Expression]:
    """ARP over Ethernet has the operation at 6, senders at 14, targets at 24 (RFC 826); messages of
    Neighbour Discovery have their target at 8 (RFC 4861 §4.3)."""
    match about:
        case About.ARP_TARGET:
            yield from _field(_ETHERNET, 12, _ARP)
            yield from _field(_NETWORK, 24, gateway)
        case About.ARP_SENDER:
            yield from _field(_ETHERNET, 12, _ARP)
            yield from _field(_NETWORK, 14, gateway)
        case About.ARP_ASKER:
            yield from _field(_ETHERNET, 12, _ARP)
            yield from _field(_NETWORK, 6, b"\0\1")
            yield from _field(_NETWORK, 14, gateway)
        case About.ND_SOLICITOR:
            yield from (_meta(_PROTOCOL), _equal(_IPV6))
            yield from _field(_NETWORK, 8, gateway)
            yield from _icmpv6(_SOLICITATION)
        case _:
            yield from _field(_ETHERNET, 12, _IPV6)
            told = about is About.ND_ADVERTISED
            yield from _icmpv6(_ADVERTISEMENT if told else _SOLICITATION)
            yield from _field(_TRANSPORT, 8, gateway)


def _icmpv6(kind: bytes) -> Iterator[Expression]:
    yield from (_meta(_INNER_PROTOCOL), _equal(_ICMPV6))
    yield from _field(_TRANSPORT, 0, kind)


def _field(base: int, offset: int, value: bytes) -> Sequence[Expression]:
    load = {1: _VALUE, 2: base, 3: offset, 4: len(value)}
    return ("payload", {kind: struct.pack("!I", each) for kind, each in load.items()}), _equal(
        value
    )


def _rewrite(base: int, offset: int, size: int) -> Expression:
    store = {5: _VALUE, 2: base, 3: offset, 4: size, 6: 0, 7: 0, 8: 0}
    return "payload", {kind: struct.pack("!I", each) for kind, each in store.items()}


def _meta(key: int) -> Expression:
    return "meta", {2: struct.pack("!I", key), 1: struct.pack("!I", _VALUE)}


def _equal(value: bytes) -> Expression:
    register = struct.pack("!I", _VALUE)
    return "cmp", {1: register, 2: struct.pack("!I", 0), 3: attribute(1, value)}


def _immediate(register: int, value: bytes) -> Expression:
    return "immediate", {1: struct.pack("!I", register), 2: value}


def _named(port: str) -> bytes:
    return text(1, port)


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!i", value))


def _send(node: Namespace, messages: Sequence[Message]) -> int:
    edge = _HEADER.pack(socket.AF_UNSPEC, 0, _NFTABLES)
    batch = [(_BATCH_BEGIN, 0, edge), *messages, (_BATCH_END, 0, edge)]
    return send_batch(node, batch, NETFILTER)
