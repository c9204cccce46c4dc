"""What became of a connection, by tables.

    survived   units came through after the guest ran again, to the end of the probing, and no
               error ended the connection while it was observed
    stalled    it stood to the end of the observation, silent
    reset      the other end, or something in its name, ended it: ECONNRESET, EPIPE, end of file
    timed-out  this end gave up, or the network said that nobody is there: ETIMEDOUT, E*UNREACH
    refused    a new connection was turned away: ECONNREFUSED

A client that could not measure has no fate (None), and the verdict says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from netcont.measure.gaps import ending, expected_until_s, instants
from netcont.measure.rtt import rtt_before_s
from netcont.measure.timeline import Timeline
from netcont.model.outcome import Fate
from netcont.model.samples import Attempt, ClientRecord
from netcont.model.scenario import ClientKind

# A stream that was silent for longer than this when its probing ended was not alive any more.
ALIVE_WITHIN_S = 1.0

# A request client survived if its last attempt succeeded, or most of so many last ones: a single
# lost packet at the end must not decide.
DECIDING_ATTEMPTS = 3

ENDINGS: Mapping[str, Fate] = MappingProxyType(
    {
        "ECONNRESET": Fate.RESET,
        "ECONNABORTED": Fate.RESET,
        "ENETRESET": Fate.RESET,
        "EPIPE": Fate.RESET,
        "EOF": Fate.RESET,
        "ETIMEDOUT": Fate.TIMED_OUT,
        "EHOSTUNREACH": Fate.TIMED_OUT,
        "ENETUNREACH": Fate.TIMED_OUT,
        "EHOSTDOWN": Fate.TIMED_OUT,
        "ENETDOWN": Fate.TIMED_OUT,
        "EAI_AGAIN": Fate.TIMED_OUT,
        "ECONNREFUSED": Fate.REFUSED,
        # The resolver answered, and the answer was no.
        "EAI_NONAME": Fate.REFUSED,
        "EAI_NODATA": Fate.REFUSED,
        "EAI_FAIL": Fate.REFUSED,
    }
)

# How programs say it: strerror() first, then curl, psql and ssh in their own words.
PHRASES: tuple[tuple[re.Pattern[str], Fate], ...] = tuple(
    (re.compile(phrase, re.IGNORECASE), fate)
    for phrase, fate in (
        (r"connection refused|ECONNREFUSED", Fate.REFUSED),
        (r"connection reset|broken pipe|ECONNRESET|EPIPE", Fate.RESET),
        (r"closed by (remote host|the remote|foreign host)|closed the connection", Fate.RESET),
        (r"empty reply from server|unexpected (eof|end of file)|EOF detected", Fate.RESET),
        (r"timed[ -]?out|timeout|ETIMEDOUT", Fate.TIMED_OUT),
        (r"no route to host|(network|host) is unreachable|is down", Fate.TIMED_OUT),
        (r"EHOSTUNREACH|ENETUNREACH|could not resolve|name resolution", Fate.TIMED_OUT),
        (r"not responding", Fate.TIMED_OUT),
    )
)


@dataclass(frozen=True)
class Verdict:
    """A fate, or why there is none; errno is the error that the fate rests on. measured: what
    the client saw can be used, even where no fate follows from it."""

    fate: Fate | None
    errno: str | None = None
    unknown_because: str | None = None
    measured: bool = True


def _useless(client: ClientRecord, because: str) -> Verdict:
    return Verdict(None, client.error, because, measured=False)


def verdict_of(client: ClientRecord, times: Timeline) -> Verdict:
    """What became of client's connection."""
    if client.disturbed is not None:
        return _useless(client, client.disturbed)
    return _RULES[client.kind](client, times)


def _tcp(client: ClientRecord, times: Timeline) -> Verdict:
    if client.connected_s is None:
        return _useless(client, f"never connected ({client.error or 'no error'})")
    error = ending(client, times)
    if error is not None:
        return _by_errno(error)
    return _by_silence(client, times)


def _udp(client: ClientRecord, times: Timeline) -> Verdict:
    """An ICMP error does not end a datagram socket: only what comes through counts."""
    return _by_silence(client, times)


def _by_silence(client: ClientRecord, times: Timeline) -> Verdict:
    units = instants(client)
    if not units or units[0] >= times.began_s:
        return _useless(client, "nothing came through before the move")
    if times.resumed_s is None or units[-1] < times.resumed_s:
        return Verdict(Fate.STALLED, client.error)
    # Answers lag behind what was sent by a round trip: a long one must not look like a stall.
    patience_s = max(ALIVE_WITHIN_S, 2 * (rtt_before_s(client, times) or 0.0))
    alive = units[-1] >= expected_until_s(client, times) - patience_s
    return Verdict(Fate.SURVIVED if alive else Fate.STALLED, client.error)


def _request(client: ClientRecord, times: Timeline) -> Verdict:
    if not any(a.error is None and a.started_s < times.began_s for a in client.attempts):
        return _useless(client, "no request was answered before the move")
    if times.resumed_s is None:
        after: list[Attempt] = [a for a in client.attempts if a.ended_s >= times.began_s]
    else:
        after = [a for a in client.attempts if a.ended_s >= times.resumed_s]
    if not after:
        return _useless(client, "no request was made after the guest ran again")
    last = sorted(after, key=lambda a: a.started_s)[-DECIDING_ATTEMPTS:]
    failures = [a.error for a in last if a.error is not None]
    if last[-1].error is None or len(failures) * 2 < len(last):
        return Verdict(Fate.SURVIVED)
    return _by_errno(failures[-1])


def _program(client: ClientRecord, times: Timeline) -> Verdict:
    """By exit code, then by what it said. A program that still ran at the end hung."""
    if client.ended_s is not None and client.ended_s < times.began_s:
        return _useless(client, "the program ended before the move")
    if client.exit_code == 0:
        return Verdict(Fate.SURVIVED)
    if client.error is not None:
        return _by_errno(client.error)
    if client.exit_code is None:
        return Verdict(Fate.STALLED)
    for phrase, fate in PHRASES:
        if phrase.search(client.output):
            return Verdict(fate)
    return Verdict(None, None, f"exit code {client.exit_code}, and its output names no reason")


def _by_errno(error: str) -> Verdict:
    fate = ENDINGS.get(error)
    because = None if fate is not None else f"ended by {error}, which stands for no fate"
    return Verdict(fate, error, because)


_RULES: Mapping[ClientKind, Callable[[ClientRecord, Timeline], Verdict]] = MappingProxyType(
    {
        ClientKind.TCP_ECHO: _tcp,
        ClientKind.TCP_BULK_UP: _tcp,
        ClientKind.TCP_BULK_DOWN: _tcp,
        ClientKind.REQUEST: _request,
        ClientKind.UDP_UP: _udp,
        ClientKind.UDP_DOWN: _udp,
        ClientKind.PROGRAM: _program,
    }
)
