"""What each way to fail means, and what the user should do: rcodes, TSIG errors, silence.

Sources: RFC 1035 §4.1.1 and RFC 2136 §2.2 (rcodes), RFC 8945 §5.2 (TSIG errors).
"""

from __future__ import annotations

from netcont.errors import DnsError

LOST_RACE = frozenset({"NXRRSET", "YXRRSET", "NXDOMAIN", "YXDOMAIN"})
"""What a server says when a prerequisite does not hold (RFC 2136 §3.2)."""

_RACE = (
    "the records are no longer what was read a moment ago: somebody else changed them",
    "nothing was changed; look who did it, then repeat the command if it should still be done",
)

_MEANINGS: dict[str, tuple[str, str]] = {
    "FORMERR": (
        "the server does not understand the request",
        "look into the server's log; a firewall on the way may have altered the message",
    ),
    "SERVFAIL": (
        "the server has a problem of its own",
        "its log says which: often it cannot write its zone's journal, has not loaded the zone, "
        "or forwards updates to a primary that is down; nothing was changed",
    ),
    "NOTIMP": (
        "the server does not do dynamic updates (RFC 2136)",
        "give the zone's real primary with --server, or change the zone by its own means",
    ),
    "REFUSED": (
        "the server's policy does not allow it",
        "let the key do it: BIND: update-policy or allow-update in the zone, Knot: an acl with "
        "action update; without --key most servers refuse every update",
    ),
    "NOTAUTH": (
        "the server is not authoritative for the zone, or does not accept the key for it",
        "give the zone's primary with --server, and the key that it knows with --key",
    ),
    "NOTZONE": (
        "a name lies outside of the zone that was to be changed",
        "the server's zones are not cut where its SOA records say so: check its delegations",
    ),
    "NXRRSET": _RACE,
    "YXRRSET": _RACE,
    "NXDOMAIN": _RACE,
    "YXDOMAIN": _RACE,
    "BADKEY": (
        "the server has no key of this name and algorithm",
        "compare name and algorithm in the key file with the server's configuration",
    ),
    "BADSIG": (
        "the server's key of this name has another secret",
        "copy the key file from the server again",
    ),
    "BADTIME": (
        "this host's clock and the server's differ by more than TSIG allows (300 s)",
        "set the wrong one right (chronyc makestep, timedatectl set-ntp true); netcont touches no "
        "clock",
    ),
    "BADTRUNC": (
        "the server wants longer signatures than this algorithm's",
        "use an algorithm without a number of bits at its end, such as hmac-sha256",
    ),
    "TIMEOUT": (
        "it did not answer",
        "check that it runs and that UDP and TCP to its port pass the firewalls",
    ),
    "UNREACHABLE": (
        "it cannot be reached",
        "check that it runs and that there is a route to it",
    ),
    "NOROUTE": (
        "this host has no route to addresses of its family",
        "run the command on a host that has both IPv4 and IPv6, or give another --server",
    ),
    "UNSIGNED": (
        "it answered without a signature to a signed request, which proves nothing",
        "somebody on the way may have answered in its place, or a device removes signatures: "
        "look at the records with dig before you repeat the command",
    ),
    "FORGED": (
        "its answer is not signed with our key, so it may come from somebody else",
        "look at the records with dig before you repeat the command; then compare the keys",
    ),
    "LAME": (
        "it is not authoritative for the zone",
        "give the zone's primary with --server",
    ),
}


def refusal(code: str, server: str, what: str, *, detail: str = "") -> DnsError:
    """The error for a code. what: what was tried, as "the update of www.example.org."."""
    meaning, remedy = _MEANINGS.get(code, ("it gave no reason", "look into the server's log"))
    added = f" ({detail})" if detail else ""
    return DnsError(
        f"{server}: {what} failed: {code}: {meaning}{added}",
        code=code,
        server=server,
        remedy=remedy,
    )
