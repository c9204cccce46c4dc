"""Hand-made outcomes."""

from __future__ import annotations

from netcont.model.outcome import (
    SCHEMA_VERSION,
    ClientOutcome,
    Environment,
    Evidence,
    Fate,
    Gap,
    NewConnections,
    Outcome,
    Run,
    Status,
)
from netcont.model.samples import PhaseSpan
from netcont.model.scenario import ClientKind, Phase, Place, Scenario

ENVIRONMENT = Environment(
    clock="virtual",
    lab="vm",
    kernel="6.1.0-40-amd64",
    wall_s=201.25,
    virtual_s=9876.5,
    netcont="0.1.0",
    programs={"qemu": "7.2", "bind": "9.18"},
)


def client(
    name: str = "tcp-echo@remote",
    kind: ClientKind = ClientKind.TCP_ECHO,
    place: Place = Place.REMOTE,
    fate: Fate | None = Fate.SURVIVED,
    longest_gap_s: float | None = 0.4123456789,
    gap: Gap = Gap(0.2, 0.0523, 0.1600456789),  # noqa: B008 - frozen
) -> ClientOutcome:
    """One client that survived, unless told otherwise."""
    return ClientOutcome(
        name=name,
        kind=kind,
        place=place,
        fate=fate,
        longest_gap_s=longest_gap_s,
        floor_s=0.1524,
        gap=gap,
        lost=None,
        duplicated=None,
        reordered=None,
        retransmissions=3,
        rtt_before_s=0.05,
        rtt_after_s=0.1,
        evidence=Evidence(errno=None, last_before_s=3.0, first_after_s=3.4),
    )


def broken(name: str = "tcp-echo@remote", fate: Fate | None = Fate.STALLED) -> ClientOutcome:
    """One client that did not go on."""
    lost = Gap(freeze_s=0.2, lost_state_s=1208.1)
    return client(name, fate=fate, longest_gap_s=1208.3, gap=lost)


def run(*clients: ClientOutcome, approach: str = "ipip", missed: tuple[str, ...] = ()) -> Run:
    """One run of one approach."""
    return Run(
        approach=approach,
        seed=1,
        status=Status.OK,
        downtime_s=0.2,
        migration_s=1.7,
        bytes_moved=17 * 2**20,
        memory_equal=True,
        floor_s=0.0774,
        clients=clients or (client(),),
        new_connections=NewConnections(24, 1, 0.5),
        overhead_bytes_per_packet=20,
        path_stretch=2.0,
        phases=(PhaseSpan(Phase.COPY, 1.5, 3.0),),
        rounds=2,
        host_reads=0,
        missed=missed,
    )


def outcome(*runs: Run, scenario: Scenario | None = None) -> Outcome:
    """One comparison."""
    return Outcome(SCHEMA_VERSION, scenario or Scenario(), ENVIRONMENT, runs or (run(),))


def whole() -> Outcome:
    """One that holds something of everything, with long names and large figures."""
    many = (
        client("tcp-echo@remote#1"),
        client("tcp-echo@remote#2", longest_gap_s=0.5),
        broken("tcp-echo@remote#3", Fate.TIMED_OUT),
        client(
            "tcp-bulk-down@remote",
            ClientKind.TCP_BULK_DOWN,
            gap=Gap(0.2, 0.05, 0.1, 12345.6, 1208.1),
        ),
        client(
            "nightly [red] export of the whole | database",
            ClientKind.PROGRAM,
            fate=None,
            longest_gap_s=None,
            gap=Gap(),
        ),
    )
    return outcome(
        run(*many, approach="ddns+ipip", missed=("ddns+ipip: the downtime was 0.200 s",)),
        run(approach="readdress"),
    )
