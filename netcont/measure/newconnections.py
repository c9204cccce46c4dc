"""What became of the short connections that request clients tried after the guest resumed."""

from __future__ import annotations

from collections.abc import Iterable

from netcont.measure.timeline import Timeline
from netcont.model.outcome import NewConnections
from netcont.model.samples import ClientRecord
from netcont.model.scenario import ClientKind


def new_connections(clients: Iterable[ClientRecord], times: Timeline) -> NewConnections | None:
    """The attempts of all request clients together; None: no client made any.

    Where the guest never ran again, the attempts made since its pause count.
    """
    asking = [
        client
        for client in clients
        if client.kind is ClientKind.REQUEST and client.attempts and client.disturbed is None
    ]
    if not asking:
        return None
    since_s = times.began_s if times.resumed_s is None else times.resumed_s
    tried = [a for client in asking for a in client.attempts if a.started_s >= since_s]
    waits = [_unreachable_s(client, times) for client in asking]
    known = [wait for wait in waits if wait is not None]
    return NewConnections(
        attempted=len(tried),
        failed=sum(attempt.error is not None for attempt in tried),
        unreachable_s=max(known) if len(known) == len(waits) else None,
    )


def _unreachable_s(client: ClientRecord, times: Timeline) -> float | None:
    """From the last answer before the resume to the first one after it; None: there was none."""
    if times.resumed_s is None:
        return None
    answered = sorted(a.ended_s for a in client.attempts if a.error is None)
    earlier = [instant for instant in answered if instant < times.resumed_s]
    later = [instant for instant in answered if instant >= times.resumed_s]
    if not later:
        return None
    # A client that had no answer before waits at least since the pause began.
    return later[0] - (earlier[-1] if earlier else min(times.began_s, later[0]))
