"""Names moved at the servers of their zones, and what these servers say (netcont.dns).

Not imported by a host that moves no names: it takes a while.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from netcont.dns.access import Access
from netcont.dns.agreement import wait_until_agreed
from netcont.dns.authority import Zone, system_resolvers
from netcont.dns.exchange import Caller, Patience
from netcont.dns.key import load_key
from netcont.dns.move import MovePlan, Wish, make_updates, plan_move
from netcont.dns.records import RecordSet, read
from netcont.dns.reverse import Extent, plan_reverse
from netcont.dns.server import parse_server
from netcont.dns.zone_update import rehearse
from netcont.errors import DnsError, KernelError, NetcontError
from netcont.kernel.name_fact import NameFact
from netcont.model.plan import MoveName

BRIEF = Patience(answer_s=1.0, tries=1)
"""For a look, when nothing depends on it."""


@dataclass(frozen=True)
class _Remembering(Access):
    """Zones are looked for once."""

    zones: dict[str, Zone] = field(default_factory=dict, compare=False)

    def zone(self, name: str) -> Zone:
        if name not in self.zones:
            self.zones[name] = super().zone(name)
        return self.zones[name]

    def _reverse_zone(self, name: str) -> Zone:
        if name not in self.zones:
            self.zones[name] = super()._reverse_zone(name)
        return self.zones[name]


class Names:
    """Asks and tells the servers of names; patience: how long each is waited for.

    signed False: nothing will be told, so keys are not needed.
    """

    def __init__(self, patience: Patience | None = None, *, signed: bool = True) -> None:
        self._patience = patience or Patience()
        self._signed = signed
        self._accesses: dict[MoveName, Access] = {}

    def fact(self, change: MoveName, *, everywhere: bool = False) -> NameFact:
        """What the zone's primary has for the name; everywhere: and all other servers."""
        try:
            access = self._access(change)
            zone = access.zone(change.name)
            sets = access.addresses(change.name, zone)
            return NameFact(
                tuple(value for each in sets for value in each.values),
                max(each.ttl_s for each in sets),
                self._pointed(change, access),
                self._lagging(zone, sets, access.forward) if everywhere else (),
            )
        except NetcontError as error:
            return NameFact(error=error.message, remedy=_in_files(error.remedy))

    def rehearse(self, change: MoveName) -> None:
        """Asks whether the servers would let the name move. Raises KernelError."""
        try:
            access = self._access(change)
            plan = self._plan(change, access)
            forward = (plan.forward,) if plan.forward.replacements else ()
            for update in forward:
                rehearse(update, access.forward)
            for each in plan.reverse.updates:
                rehearse(each.update, access.reverse)
        except DnsError as error:
            raise _told(error) from error

    def move(self, change: MoveName) -> None:
        """Moves the name, at the primary; what is done already is passed over.

        Raises KernelError: also if the name has neither what it should have before nor after.
        """
        try:
            access = self._access(change)
            make_updates(self._plan(change, access), access)
        except DnsError as error:
            raise _told(error) from error

    def agree(self, change: MoveName) -> None:
        """Waits until all servers have what the primary has. Raises DnsError."""
        access = self._access(change)
        zone = access.zone(change.name)
        wait_until_agreed(zone, access.addresses(change.name, zone), access.forward)

    def _plan(self, change: MoveName, access: Access) -> MovePlan:
        fact = self.fact(change)
        if fact.error:
            raise KernelError(fact.error, remedy=fact.remedy)
        if not fact.is_ours(change):
            raise fact.foreign(change)
        leaving = tuple(each for each in change.was if each not in change.addresses)
        wish = Wish(change.name, change.addresses, leaving, change.ttl_s, ptr=False)
        plan = plan_move(wish, access)
        ttl_s = max(each.becomes.ttl_s for each in plan.records)
        gone, come = change.unpointed, change.pointed or ()
        reverse = plan_reverse(change.name, gone, come, ttl_s, access, Extent.ALL)
        return replace(plan, leaving=leaving, reverse=reverse)

    def _access(self, change: MoveName) -> Access:
        if change not in self._accesses:
            self._accesses[change] = _access(change, self._patience, signed=self._signed)
        return self._accesses[change]

    def _pointed(self, change: MoveName, access: Access) -> frozenset[str]:
        """If the change leaves open whether pointers move, what cannot be read does not count."""
        found, known = set(), change.pointed is not None
        asked = (*change.was, *change.addresses)
        if known or change.pointers is False:
            asked = (*(change.was_pointed or ()), *(change.pointed or ()))
        for address in dict.fromkeys(asked):
            try:
                _, pointers = access.pointers(address)
            except DnsError:
                if known or change.pointers:
                    raise
                continue
            if change.name in pointers.values:
                found.add(address)
        return frozenset(found)

    def _lagging(self, zone: Zone, wanted: Iterable[RecordSet], caller: Caller) -> tuple[str, ...]:
        found = []
        public = replace(caller, key=None)
        for server in zone.servers:
            if server == zone.primary:
                continue
            try:
                for one in wanted:
                    has = read(one.name, one.kind, server, public)
                    if has != one:
                        found.append(f"{server} has: {has}")
            except DnsError as error:
                found.append(error.message)
        return tuple(found)


def _access(change: MoveName, patience: Patience, *, signed: bool) -> Access:
    def caller(key_file: str | None) -> Caller:
        return Caller(load_key(key_file) if key_file and signed else None, patience)

    forward = caller(change.key_file)
    server, pointer_server = (
        parse_server(text, change.port) if text else None
        for text in (change.server, change.pointer_server)
    )
    return _Remembering(
        forward,
        caller(change.pointer_key_file) if change.pointer_key_file else forward,
        tuple(map(parse_server, change.resolvers)) or system_resolvers(),
        server,
        pointer_server,
        change.port,
    )


_IN_FILES = {"--key": "key_file", "--server": "server", "--resolver": "resolver"}
"""What options of `netcont dns` are called in a deployment file."""


def _told(error: NetcontError) -> KernelError:
    return KernelError(error.message, remedy=_in_files(error.remedy))


def _in_files(remedy: str) -> str:
    for option, key in _IN_FILES.items():
        remedy = remedy.replace(option, f"{key} in [dns]")
    return remedy
