"""One RFC 2136 update: record sets of one zone replaced at once, or not at all.

Each set that is replaced must still be what was read (§2.4.2: value dependent; §2.4.3: still
absent). So an update that arrives late, or twice, changes nothing, and of two moves at once the
second to arrive fails.
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.rcode
import dns.rdtypes.ANY.PTR
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA  # imported before anything is under way
import dns.update

from netcont.dns.exchange import Caller
from netcont.dns.records import RecordSet, read
from netcont.dns.refusal import LOST_RACE, refusal
from netcont.dns.server import Server
from netcont.errors import DnsError

_UNKNOWN = frozenset({"TIMEOUT", "UNREACHABLE", "UNSIGNED", "FORGED", "FORMERR"})
"""After these nobody knows whether the update was made."""


@dataclass(frozen=True)
class Replacement:
    """One record set, as it was read and as it shall be."""

    was: RecordSet
    becomes: RecordSet

    @property
    def needed(self) -> bool:
        """Whether the two differ."""
        return self.was != self.becomes


@dataclass(frozen=True)
class ZoneUpdate:
    """Replacements in one zone, sent to its primary in one message."""

    zone: str
    primary: Server
    replacements: tuple[Replacement, ...]

    def commands(self) -> tuple[str, ...]:
        """What one would tell nsupdate to do the same."""
        lines = [f"server {self.primary.address} {self.primary.port}", f"zone {self.zone}"]
        for each in self.replacements:
            was = each.was
            lines += [f"prereq yxrrset {was.name} {was.kind} {value}" for value in was.values]
            if not was.values:
                lines.append(f"prereq nxrrset {was.name} {was.kind}")
        for each in self.replacements:
            now = each.becomes
            lines.append(f"update delete {now.name} {now.kind}")
            lines += [f"update add {now.name} {now.ttl_s} {now.kind} {v}" for v in now.values]
        return (*lines, "send")

    def message(self) -> dns.update.UpdateMessage:
        """The message, not yet signed."""
        message = self._conditions()
        for each in self.replacements:
            now = each.becomes
            message.delete(now.name, now.kind)
            for value in now.values:
                message.add(now.name, now.ttl_s, now.kind, value)
        return message

    def rehearsal(self) -> dns.update.UpdateMessage:
        """A message under the same conditions that changes nothing: what is to come is deleted, and
        is not there. It needs the same permissions, but for families that only lose records."""
        message = self._conditions()
        for each in self.replacements:
            for value in each.becomes.values:
                if value not in each.was.values:
                    message.delete(each.was.name, each.was.kind, value)
        return message

    def _conditions(self) -> dns.update.UpdateMessage:
        message = dns.update.UpdateMessage(self.zone)
        for each in self.replacements:
            was = each.was
            if not was.values:
                message.absent(was.name, was.kind)
            for value in was.values:
                message.present(was.name, was.kind, value)
        return message

    def __str__(self) -> str:
        names = dict.fromkeys(each.becomes.name for each in self.replacements)
        return f"the update of {', '.join(names)}"


def perform(update: ZoneUpdate, caller: Caller) -> None:
    """Makes the update, or finds that it was made already.

    After silence the request is sent again: if the first one arrived, the prerequisites of the
    second fail, and reading the records tells that from a race that was lost.
    Raises DnsError; its remedy says when it is not known what became of the update.
    """
    try:
        answer = caller.ask(update.message, update.primary, str(update))
    except DnsError as error:
        if error.code not in _UNKNOWN:
            raise
        if _is_made(update, caller):
            return
        raise DnsError(
            f"{error.message}; whether the update was made is not known",
            code=error.code,
            server=error.server,
            remedy=f"{error.remedy}; to repeat the command does no harm",
        ) from error
    code = dns.rcode.to_text(answer.rcode())
    if code == "NOERROR" or (code in LOST_RACE and _is_made(update, caller)):
        return
    detail = _now(update, caller) if code in LOST_RACE else ""
    raise refusal(code, str(update.primary), str(update), detail=detail)


def rehearse(update: ZoneUpdate, caller: Caller) -> None:
    """Asks the primary whether it would make the update, and changes nothing.

    Raises DnsError: a key that it does not accept, a policy, a lost race, silence.
    """
    answer = caller.ask(update.rehearsal, update.primary, str(update))
    code = dns.rcode.to_text(answer.rcode())
    if code != "NOERROR":
        detail = _now(update, caller) if code in LOST_RACE else ""
        raise refusal(code, str(update.primary), str(update), detail=detail)


def _is_made(update: ZoneUpdate, caller: Caller) -> bool:
    """Whether the primary has what was wanted; False if it does not say."""
    try:
        return all(
            _read(each.becomes, update, caller) == each.becomes for each in update.replacements
        )
    except DnsError:
        return False


def _now(update: ZoneUpdate, caller: Caller) -> str:
    """What the primary has by now, for the message about a lost race."""
    try:
        found = [_read(each.was, update, caller) for each in update.replacements]
    except DnsError:
        return ""
    if found == [each.was for each in update.replacements]:
        return "yet it answers with the same: the name may come from a wildcard record"
    return "now: " + "; ".join(map(str, found))


def _read(wanted: RecordSet, update: ZoneUpdate, caller: Caller) -> RecordSet:
    return read(wanted.name, wanted.kind, update.primary, caller)
