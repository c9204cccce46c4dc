"""DNS records changed: RFC 2136 updates with TSIG (RFC 8945) and prerequisites, by dnspython."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdtypes.IN.A  # else the first update would import it, in the middle of a move
import dns.tsig
import dns.tsigkeyring
import dns.update

from netcont.errors import KernelError
from netcont.kernel.namespace import Namespace
from netcont.model.plan import UpdateRecord

_TIMEOUT_S = 2.0
_TRIES = 3
_EXPLAINED = {
    dns.rcode.NOTAUTH: "the server does not know the key, or is not authoritative for the zone",
    dns.rcode.REFUSED: "the server's update policy refuses this key: see its allow-update",
    dns.rcode.NXRRSET: "the record has another value by now: a newer move was made",
    dns.rcode.YXRRSET: "the record has another value by now: a newer move was made",
    dns.rcode.SERVFAIL: "the server failed: its log says why",
}

_PEER_ERRORS: dict[type[dns.tsig.PeerError], tuple[str, str]] = {
    dns.tsig.PeerBadKey: ("BADKEY", "the server has no key of this name: compare both files"),
    dns.tsig.PeerBadSignature: ("BADSIG", "the server's key of this name has another secret"),
    dns.tsig.PeerBadTime: ("BADTIME", "this host's clock and the server's differ: set them right"),
}


def update_record(node: Namespace, change: UpdateRecord) -> None:
    """Gives the record its value if it still has the value was; harmless when done twice.

    Raises KernelError with what the server said, or that it said nothing.
    """
    last: Exception | None = None
    retried = False
    for _ in range(_TRIES):
        try:
            with node.entered():
                answer = dns.query.udp(_update(change), change.server, timeout=_TIMEOUT_S)
        except dns.tsig.PeerBadTime as error:
            if isinstance(last, dns.tsig.PeerBadTime):
                break
            last = error  # once more: this host's clock may just have been set right
        except dns.tsig.PeerError as error:
            raise _refused(change, _PEER_ERRORS.get(type(error), str(error))) from error
        except (dns.exception.DNSException, OSError) as error:
            last, retried = error, True
        else:
            _check(answer, change, retried=retried, node=node)
            return
    if isinstance(last, dns.tsig.PeerBadTime):
        raise _refused(change, _PEER_ERRORS[dns.tsig.PeerBadTime]) from last
    raise KernelError(
        f"{node.name}: {change.server} did not confirm the update of {_owner(change)}: {last}",
        remedy="check that the server is up and that it is reached from here",
    )


def _refused(change: UpdateRecord, said: tuple[str, str] | str) -> KernelError:
    code, remedy = (said, "see the server's log") if isinstance(said, str) else said
    return KernelError(
        f"{change.server} refused the update of {_owner(change)}: {code}", remedy=remedy
    )


def _check(
    answer: dns.message.Message, change: UpdateRecord, *, retried: bool, node: Namespace
) -> None:
    code = answer.rcode()
    if code == dns.rcode.NOERROR:
        if not answer.had_tsig:
            raise KernelError(f"{change.server} answered unsigned", remedy="do not trust it")
        return
    if retried and code in (dns.rcode.NXRRSET, dns.rcode.YXRRSET) and _holds(node, change):
        return  # the first try was done and only its answer was lost
    raise _refused(change, (dns.rcode.to_text(code), _EXPLAINED.get(code, "see the server's log")))


def _holds(node: Namespace, change: UpdateRecord) -> bool:
    question = dns.message.make_query(_owner(change), change.kind)
    with node.entered():
        answer = dns.query.udp(question, change.server, timeout=_TIMEOUT_S)
    values = [str(item) for rrset in answer.answer for item in rrset]
    return values == [change.value]


def _update(change: UpdateRecord) -> dns.update.UpdateMessage:
    keyring = dns.tsigkeyring.from_text({change.key.name: change.key.secret})
    message = dns.update.UpdateMessage(
        change.zone,
        keyring=keyring,
        keyname=dns.name.from_text(change.key.name),
        keyalgorithm=dns.name.from_text(change.key.algorithm),
    )
    message.present(change.name, change.kind, change.was)
    message.delete(change.name, change.kind)
    message.add(change.name, change.ttl_s, change.kind, change.value)
    return message


def _owner(change: UpdateRecord) -> str:
    return f"{change.name}.{change.zone}."
