"""Who is authoritative for a name: the zone it lies in, its primary, and all its servers.

The primary is the SOA record's MNAME (RFC 1035 §3.3.13), unless the user names it; the other
servers are those of the zone's NS records, as the primary has them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

from netcont.dns.exchange import Caller
from netcont.dns.records import query
from netcont.dns.refusal import refusal
from netcont.dns.server import DNS_PORT, Server
from netcont.errors import DnsError


@dataclass(frozen=True)
class Zone:
    """A zone. servers: all that must agree, the primary first, though it may be a hidden one.

    negative_ttl_s: how long "there is no such record" is remembered (RFC 2308 §5).
    """

    name: str
    primary: Server
    servers: tuple[Server, ...]
    negative_ttl_s: int


@dataclass(frozen=True)
class Finder:
    """Finds zones. caller: asks the primary, with its key; resolvers: for all other names.

    port: where the servers that are found listen.
    """

    caller: Caller
    resolvers: tuple[Server, ...]
    port: int = DNS_PORT

    def find(self, name: str, primary: Server | None = None) -> Zone:
        """The zone that holds name. primary: use this one. Raises DnsError."""
        if primary is not None:
            return self._at(self._apex(name, primary), primary)
        resolved = self._apex(name, None)
        master = self._soa(resolved)
        problems = []
        for address in self.addresses(master):
            try:
                return self._at(resolved, Server(address, self.port, master))
            except DnsError as error:
                problems.append(error)
        if problems:
            raise problems[0]
        raise DnsError(
            f"{master}, the primary of {resolved} by its SOA record, has no address",
            code="NOPRIMARY",
            remedy="the primary is hidden: give its address with --server",
        )

    def addresses(self, host: str) -> list[str]:
        """All addresses of a host, as the resolvers know them. Raises DnsError."""
        found = []
        for kind in ("A", "AAAA"):
            answer = self._resolve(host, kind)
            found += _values(answer.answer, kind)
        return found

    def _at(self, apex: str, primary: Server) -> Zone:
        what = f"the question for {apex} SOA"
        answer = self._ask_primary(apex, "SOA", primary, what)
        for rrset in answer.answer:
            if rrset.rdtype == dns.rdatatype.SOA:
                negative_ttl_s = min(rrset.ttl, rrset[0].minimum)
                others = self._servers(apex, primary)
                return Zone(apex, primary, others, negative_ttl_s)
        raise refusal("LAME", str(primary), what)

    def _servers(self, apex: str, primary: Server) -> tuple[Server, ...]:
        what = f"the question for {apex} NS"
        answer = self._ask_primary(apex, "NS", primary, what)
        found = {(primary.address, primary.port): primary}
        for host in _values(answer.answer, "NS"):
            for address in self._addresses_by(host, answer, primary):
                server = Server(address, self.port, host)
                known = found.get((address, self.port))
                found[(address, self.port)] = (
                    server if known is None or known.name else replace(known, name=host)
                )
        return tuple(found.values())

    def _addresses_by(self, host: str, answer: dns.message.Message, primary: Server) -> list[str]:
        """A name server's addresses: with the NS records, else by the primary, else resolved."""
        found = [
            value
            for kind in ("A", "AAAA")
            for value in _values([r for r in answer.additional if _is(r, host)], kind)
        ]
        if not found:
            for kind in ("A", "AAAA"):
                try:
                    own = query(host, kind, primary, self.caller, f"the question for {host}")
                except DnsError:
                    break  # it need not know other zones' names
                found += _values(own.answer, kind) if own.flags & dns.flags.AA else []
        found = found or self.addresses(host)
        if not found:
            raise DnsError(
                f"{host} is a name server by its zone's NS records, but has no address",
                code="NOADDRESS",
                remedy="give it an address or remove the NS record; until then nobody can say "
                "that all servers agree",
            )
        return found

    def _ask_primary(self, name: str, kind: str, primary: Server, what: str) -> dns.message.Message:
        answer = query(name, kind, primary, self.caller, what)
        if not answer.flags & dns.flags.AA:
            raise refusal("LAME", str(primary), what)
        return answer

    def _apex(self, name: str, primary: Server | None) -> str:
        """The name of the zone that holds name: the owner of the SOA record that comes along."""
        candidate = dns.name.from_text(name)
        while candidate != dns.name.root:
            text = candidate.to_text()
            if primary is None:
                answer = self._resolve(text, "SOA")
            else:
                answer = self._ask_primary(text, "SOA", primary, f"the question for {text} SOA")
            for rrset in (*answer.answer, *answer.authority):
                if rrset.rdtype == dns.rdatatype.SOA and candidate.is_subdomain(rrset.name):
                    return rrset.name.canonicalize().to_text()
            candidate = candidate.parent()
        raise DnsError(
            f"no zone was found that holds {name}",
            code="NOZONE",
            remedy="check the name; if only some servers know it, give one with --server",
        )

    def _soa(self, apex: str) -> str:
        """The primary's name."""
        masters = [
            rrset[0].mname.canonicalize().to_text()
            for rrset in self._resolve(apex, "SOA").answer
            if rrset.rdtype == dns.rdatatype.SOA
        ]
        return masters[0] if masters else "."

    def _resolve(self, name: str, kind: str) -> dns.message.Message:
        """A resolver's answer; the next one is asked if one fails."""
        plain = replace(self.caller, key=None)
        problem = DnsError(
            "no resolver is known", code="NORESOLVER", remedy="give one with --resolver"
        )
        for server in self.resolvers:
            what = f"the resolver's question for {name} {kind}"
            try:
                return query(name, kind, server, plain, what, recurse=True)
            except DnsError as error:
                problem = error
        raise problem


def system_resolvers() -> tuple[Server, ...]:
    """The resolvers of /etc/resolv.conf; none if it cannot be read."""
    try:
        resolver = dns.resolver.Resolver()
    except (dns.exception.DNSException, OSError):
        return ()
    return tuple(Server(str(address), resolver.port) for address in resolver.nameservers)


def _is(rrset: dns.rrset.RRset, host: str) -> bool:
    return rrset.name.canonicalize().to_text() == host


def _values(rrsets: list[dns.rrset.RRset], kind: str) -> list[str]:
    wanted = dns.rdatatype.from_text(kind)
    return [item.to_text().lower() for rrset in rrsets if rrset.rdtype == wanted for item in rrset]
