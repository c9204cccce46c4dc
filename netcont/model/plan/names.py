"""A name's addresses at the servers of its zone (RFC 2136)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from netcont.model.plan.change import Change, change, is_ipv6


@change
class MoveName(Change):
    """The name gets addresses, provided that it has those in was (prerequisites).

    name: absolute. server: the zone's primary as ADDRESS[#PORT], None: that of its SOA record;
    resolvers: by which it is found, none: the host's own; port: where servers that are found
    listen. key_file: with a TSIG key; the secret is never here. ttl_s: from then on, None: as it
    is; was_ttl_s: before, None: not known. pointers: whether pointer records move as well, None: if
    one of the addresses has one; pointed: which addresses get one by that, was_pointed: which lose
    theirs, None: not yet known.
    """

    name: str
    addresses: tuple[str, ...]
    was: tuple[str, ...]
    server: str | None = None
    key_file: str | None = None
    resolvers: tuple[str, ...] = ()
    port: int = 53
    ttl_s: int | None = None
    was_ttl_s: int | None = None
    pointers: bool | None = None
    pointer_server: str | None = None
    pointer_key_file: str | None = None
    pointed: tuple[str, ...] | None = None
    was_pointed: tuple[str, ...] | None = None

    def undo(self) -> MoveName:
        """The name gets back what it had, TTL and all."""
        return replace(
            self,
            addresses=self.was,
            was=self.addresses,
            ttl_s=self.was_ttl_s if self.ttl_s is not None else None,
            was_ttl_s=self.ttl_s if self.ttl_s is not None else self.was_ttl_s,
            pointed=self.was_pointed,
            was_pointed=self.pointed,
        )

    def commands(self) -> tuple[str, ...]:
        """One update of the name; then, where pointers move, one of each pointer."""
        ttl = self.was_ttl_s if self.ttl_s is None else self.ttl_s
        shown = "$TTL" if ttl is None else str(ttl)
        lines = [_nsupdate(self.server, self.key_file, self._forward(shown))]
        server, key_file = self.pointer_server or self.server, self.pointer_key_file
        for update in self._reverse(shown):
            lines.append(_nsupdate(server, key_file or self.key_file, [update]))
        return tuple(lines)

    @property
    def unpointed(self) -> tuple[str, ...]:
        """Addresses whose pointers go."""
        return tuple(each for each in self.was_pointed or () if each not in (self.pointed or ()))

    def _forward(self, ttl: str) -> Iterator[str]:
        kinds = [kind for kind in ("A", "AAAA") if any(self._of(kind))]
        for kind in kinds:
            was = [each for each in self.was if kind_of(each) == kind]
            yield from (f"prereq yxrrset {self.name} {kind} {each}" for each in was)
            if not was:
                yield f"prereq nxrrset {self.name} {kind}"
        for kind in kinds:
            yield f"update delete {self.name} {kind}"
            for each in self.addresses:
                if kind_of(each) == kind:
                    yield f"update add {self.name} {ttl} {kind} {each}"

    def _of(self, kind: str) -> Iterator[bool]:
        return (kind_of(each) == kind for each in (*self.was, *self.addresses))

    def _reverse(self, ttl: str) -> Iterator[str]:
        for each in self.unpointed:
            yield f"update delete {pointer_of(each)} PTR {self.name}"
        for each in self.pointed or ():
            yield f"update add {pointer_of(each)} {ttl} PTR {self.name}"


def kind_of(address: str) -> str:
    """The kind of the record that holds an address."""
    return "AAAA" if is_ipv6(address) else "A"


def pointer_of(address: str) -> str:
    """The name that holds an address's pointer (RFC 1035 §3.5, RFC 3596 §2.5)."""
    import ipaddress

    return f"{ipaddress.ip_address(address).reverse_pointer}."


def _nsupdate(server: str | None, key_file: str | None, lines: Iterable[str]) -> str:
    import shlex

    asked = [f"server {server.replace('#', ' ')}"] if server else []
    told = " ".join(f'"{line}"' for line in (*asked, *lines, "send"))
    key = f" -k {shlex.quote(key_file)}" if key_file else ""
    return f"printf '%s\\n' {told} | nsupdate{key}"
