"""Small comparisons: few clients, little memory, short observation; give-up is cheap in virtual
time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from netcont.lab.job import RawRun
from netcont.lab.run import make_run
from netcont.measure.verdict import judge
from netcont.model.outcome import ClientOutcome, Run, Status
from netcont.model.scenario import (
    Client,
    ClientKind,
    Dns,
    Family,
    Fault,
    Guest,
    Migration,
    Network,
    Place,
    Scenario,
    Timing,
)
from netcont.model.scenario import Path as WidePath

STREAMS = (ClientKind.TCP_ECHO, ClientKind.TCP_BULK_UP, ClientKind.TCP_BULK_DOWN)
DATAGRAMS = (ClientKind.UDP_UP, ClientKind.UDP_DOWN)


def scenario(
    kinds: tuple[ClientKind, ...] = (*STREAMS, *DATAGRAMS),
    *,
    rtt_s: float = 0.05,
    loss: float = 0.0,
    fault: tuple[Fault, ...] = (),
    places: tuple[Place, ...] = tuple(Place),
    more: tuple[Client, ...] = (),
    timeout_s: float = 5.0,
    family: Family = 4,
) -> Scenario:
    """One client of each kind at each place, and more as given."""
    path = WidePath(delay_s=rtt_s / 2, rate_bps=200e6)
    clients = [Client(kind, place, rate_bps=128e3) for place in places for kind in kinds]
    return Scenario(
        name="small",
        network=Network(
            family=family, clients_a=path, clients_b=path, a_b=replace(path, loss=loss)
        ),
        guest=Guest(memory_bytes=2**20, dirty_rate_bytes_per_s=2**20, working_set_bytes=2**18),
        migration=Migration(timeout_s=timeout_s),
        dns=Dns(ttl_s=2),
        timing=Timing(warmup_s=1.2, observe_s=1.5),
        client=(*clients, *more),
        fault=fault,
    )


def make(chosen: Scenario, approach: str, scratch: Path) -> tuple[RawRun, Run]:
    """One run, and the judgement of it."""
    raw = make_run(chosen, approach, chosen.seed, scratch)
    record = raw.record()
    assert record is not None, raw.failure
    return raw, judge(chosen, record)


def of(run: Run, kinds: tuple[ClientKind, ...]) -> list[ClientOutcome]:
    return [client for client in run.clients if client.kind in kinds]


def assert_sound(run: Run, approach: str) -> None:
    """The move itself went well, and nothing disturbed the measuring."""
    assert (run.approach, run.status, run.errors) == (approach, Status.OK, ())
    assert run.memory_equal
    assert run.host_reads in (0, None), f"read from outside while it measured: {run.notes}"
