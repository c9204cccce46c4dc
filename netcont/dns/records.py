"""Sets of address and pointer records as values, and how they are read from one server."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from netcont.dns.exchange import Caller
from netcont.dns.refusal import refusal
from netcont.dns.server import Server
from netcont.errors import ConfigurationError, DnsError

Kind = Literal["A", "AAAA", "PTR"]


class AliasError(DnsError):
    """The name has a CNAME record (RFC 1034 §3.6.2) in the place of what was asked for.

    target: the name that it stands for, with the dot at its end.
    """

    def __init__(self, name: str, target: str, server: str) -> None:
        super().__init__(
            f"{name} is an alias (CNAME) of {target}",
            code="CNAME",
            server=server,
            remedy=f"use the name {target}",
        )
        self.target = target


@dataclass(frozen=True)
class RecordSet:
    """All records of one name and kind (RFC 2181 §5). values: sorted, none if there are no records.

    name: absolute, with the dot at its end. ttl_s: 0 without records.
    """

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    ttl_s: int = 0

    def __str__(self) -> str:
        if not self.values:
            return f"{self.name} has no {self.kind}"
        return f"{self.name} {self.ttl_s} {self.kind} {' '.join(self.values)}"


def record_set(name: str, kind: Kind, values: Iterable[str], ttl_s: int) -> RecordSet:
    """The set with its values in order, each once."""
    ordered = tuple(sorted(set(values)))
    return RecordSet(name, kind, ordered, ttl_s if ordered else 0)


def absolute_name(text: str) -> str:
    """A name as one gives it, absolute and in lower case. Raises ConfigurationError."""
    try:
        name = dns.name.from_text(text)
    except dns.exception.DNSException as error:
        raise ConfigurationError(
            f"{text!r} is no domain name: {error}", remedy="give one such as www.example.org"
        ) from error
    if len(name) < 3:
        raise ConfigurationError(
            f"{text!r} is not a whole domain name",
            remedy=f"give it with its domain, such as {text.rstrip('.') or 'www'}.example.org",
        )
    return name.canonicalize().to_text()


def host_address(text: str) -> str:
    """An address that a host can be reached at, in its usual form. Raises ConfigurationError."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{text!r} is no address: {error}", remedy="give one such as 192.0.2.10 or 2001:db8::10"
        ) from error
    for bad in ("multicast", "unspecified", "link_local"):
        if getattr(address, f"is_{bad}"):
            raise ConfigurationError(
                f"{text} is a {bad.replace('_', '-')} address, by which no client reaches a server",
                remedy="give the address that the server has at its new place",
            )
    return str(address)


def kind_of(address: str) -> Kind:
    """The kind of the record that holds an address."""
    return "A" if ipaddress.ip_address(address).version == 4 else "AAAA"


def read(name: str, kind: Kind, server: Server, caller: Caller) -> RecordSet:
    """What an authoritative server has for a name.

    Raises DnsError, also if the server is not authoritative; AliasError for a CNAME.
    """
    what = f"the question for {name} {kind}"
    answer = query(name, kind, server, caller, what)
    if not answer.flags & dns.flags.AA:
        raise refusal("LAME", str(server), what)
    for rrset in answer.answer:
        if rrset.name.canonicalize().to_text() != name:
            continue
        if rrset.rdtype == dns.rdatatype.CNAME:
            raise AliasError(name, _text(rrset)[0], str(server))
        if rrset.rdtype == dns.rdatatype.from_text(kind):
            return record_set(name, kind, _text(rrset), rrset.ttl)
    return RecordSet(name, kind)


def query(
    name: str, kind: str, server: Server, caller: Caller, what: str, *, recurse: bool = False
) -> dns.message.Message:
    """The answer to one question; that the name does not exist is one too. Raises DnsError."""

    def make() -> dns.message.Message:
        question = dns.message.make_query(name, kind, use_edns=0, payload=1232)
        if not recurse:
            question.flags &= ~dns.flags.RD
        return question

    answer = caller.ask(make, server, what)
    code = answer.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise refusal(dns.rcode.to_text(code), str(server), what)
    return answer


def _text(rrset: dns.rrset.RRset) -> list[str]:
    values = [item.to_text().lower() for item in rrset]
    if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
        return [str(ipaddress.ip_address(value)) for value in values]
    return values
