"""What goes wrong during a move: afterwards exactly one side serves, and nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from netcont.kernel.namespace import Namespace
from netcont.lab import run as lab_run
from netcont.lab.guest import RunningGuest
from netcont.lab.job import RawRun
from netcont.model.layout import Layout
from netcont.model.outcome import Fate, Run
from netcont.model.scenario import Client, ClientKind, Fault, FaultKind, Phase, Place, Scenario

from .moves import make, scenario
from .tools import dump_frames, recording

pytestmark = [
    pytest.mark.network(lab="faults"),
    pytest.mark.usefixtures("nothing_is_left"),
]

TIMEOUT_S = 4.0
CUT_S = 0.8
"""A cut that the engines survive: TCP's back-off (0.2, 0.6, 1.4 s; a lost SYN 1 and 3 s) outlives
it, but not the engines' patience."""
LONG_CUT_S = 12.0
BEFORE_COMMIT = (Phase.PREPARE, Phase.COPY, Phase.PAUSE, Phase.SWITCH)
AFTER_COMMIT = (Phase.RESUME, Phase.ANNOUNCE, Phase.SETTLE, Phase.RETIRE)


@dataclass
class Witness:
    """When the guest said anything at each site, by tcpdump on its cables' ends."""

    at_a: list[float]
    at_b: list[float]

    @classmethod
    def read(cls, directory: Path, mac: str) -> Witness:
        """From the recordings of one run."""
        frames = [dump_frames(directory / f"{side}.pcap", f"ether src {mac}") for side in "ab"]
        return cls(*([frame.at_s for frame in part] for part in frames))


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], Witness]:
    """Has every run recorded at the guest's two cables."""
    original = lab_run.running_guest
    seen: list[str] = []

    @contextmanager
    def recorded(
        chosen: Scenario, layout: Layout, nodes: Mapping[str, Namespace], *rest: object
    ) -> Iterator[RunningGuest]:
        seen.append(layout.guest.mac)
        with ExitStack() as stack:
            for side in "ab":
                # In the patch panel: a cable that is not plugged in can be recorded only there.
                pcap = tmp_path / f"{side}.pcap"
                stack.enter_context(recording(nodes["patch"], f"patch-{side}", pcap, "-Q", "out"))
            yield stack.enter_context(original(chosen, layout, nodes, *rest))

    monkeypatch.setattr(lab_run, "running_guest", recorded)
    return lambda: Witness.read(tmp_path, seen[-1])


def small(*fault: Fault, loss: float = 0.0) -> Scenario:
    """Two sessions and a stream of datagrams that shows where the guest speaks."""
    return scenario(
        (ClientKind.TCP_ECHO,),
        rtt_s=0.01,
        places=(Place.REMOTE, Place.AT_A),
        more=(Client(ClientKind.UDP_DOWN, Place.REMOTE),),
        fault=fault,
        loss=loss,
        timeout_s=TIMEOUT_S,
    )


def assert_one_side_serves(raw: RawRun, run: Run, seen: Witness, *, moved: bool) -> None:
    """By what the guest said, by its clients' connections, and by the engines' own story."""
    assert raw.move is not None
    assert raw.move.status == ("moved" if moved else "rolled-back"), run.errors
    assert seen.at_a, "the guest spoke at A before the move"
    if moved:
        assert run.memory_equal
        assert seen.at_b
        assert max(seen.at_a) < min(seen.at_b), "A's copy was silent before B's spoke"
    else:
        assert seen.at_b == []
    # Whoever sends datagrams into a cut is not observed until its end; connections are.
    streams = [c for c in run.clients if c.kind is ClientKind.TCP_ECHO]
    assert {c.name: c.fate for c in streams} == {c.name: Fate.SURVIVED for c in streams}


@pytest.mark.parametrize("phase", BEFORE_COMMIT + AFTER_COMMIT)
@pytest.mark.parametrize("kind", [FaultKind.KILL_SOURCE, FaultKind.KILL_DESTINATION])
def test_an_engine_is_killed(
    kind: FaultKind, phase: Phase, lab: Path, witness: Callable[[], Witness]
) -> None:
    raw, run = make(small(Fault(kind, phase)), "ipip", lab)
    assert raw.move is not None
    assert f"{kind.value} in {phase.value}" in run.notes
    seen = witness()
    # Which side of the commit a kill in these falls on is the engines' to say; they may not differ.
    either = phase in {Phase.PAUSE, Phase.SWITCH}
    moved = raw.move.status == "moved" if either else phase in AFTER_COMMIT
    assert_one_side_serves(raw, run, seen, moved=moved)


@pytest.mark.parametrize("duration_s", [CUT_S, LONG_CUT_S])
@pytest.mark.parametrize("phase", [*BEFORE_COMMIT, Phase.RESUME])
def test_the_wide_area_path_is_cut(
    phase: Phase, duration_s: float, lab: Path, witness: Callable[[], Witness]
) -> None:
    fault = Fault(FaultKind.WAN_CUT, phase, duration_s=duration_s)
    raw, run = make(small(fault), "ipip", lab)
    assert raw.move is not None
    assert f"wan-cut in {phase.value}" in run.notes
    assert_one_side_serves(raw, run, witness(), moved=raw.move.status == "moved")
    if duration_s == CUT_S:
        assert raw.move.status == "moved", "a cut shorter than the engines' patience is survived"
    elif phase in {Phase.PREPARE, Phase.COPY}:
        assert raw.move.status == "rolled-back"
