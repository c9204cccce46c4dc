"""The probes' values: schedules, bytes on the wire, shared instants, flat findings, groups."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.errors import ConfigurationError
from netcont.lab.clients import tcp_info
from netcont.lab.clients.findings import Arrivals, ByteBins, Findings, ServiceRecords
from netcont.lab.clients.forked import fork
from netcont.lab.clients.groups import expand, names, offsets
from netcont.lab.clients.spec import ClientSpec, Control, following
from netcont.lab.clients.tcp_bulk import Bucket
from netcont.lab.clients.wire import (
    bulk_line,
    client_of,
    client_tag,
    overhead_datagram,
    parse_bulk_line,
)
from netcont.model.samples import Arrival, TcpInfo
from netcont.model.scenario import Client, ClientKind, Place, default_clients


@given(st.floats(0, 1e6), st.sampled_from([0.01, 0.05, 1.0]), st.floats(0, 2000))
def test_a_schedule_skips_what_was_missed_and_keeps_its_phase(
    due_s: float, period_s: float, late_s: float
) -> None:
    now_s = due_s + late_s
    next_s = following(due_s, period_s, now_s)
    assert next_s > now_s
    assert next_s - now_s <= period_s * 1.001 + 1e-6
    periods = (next_s - due_s) / period_s
    assert abs(periods - round(periods)) < 1e-3


def test_the_instants_are_infinite_until_the_worker_sets_them_and_children_see_them() -> None:
    control = Control()
    assert control.fast_stop_s == math.inf
    assert control.give_up_s == math.inf

    def wait() -> tuple[float, float]:
        while control.fast_stop_s == math.inf:
            pass
        return control.fast_stop_s, control.give_up_s

    child = fork(wait, lambda: None, "waits")
    control.end(1.5, 2.5)
    assert child.collect(5.0).value == (1.5, 2.5)


@given(st.integers(0, 10**15), st.floats(1, 1e12))
def test_a_bulk_clients_first_line_reads_back(client_id: int, rate_bps: float) -> None:
    line = bulk_line(client_id, rate_bps)
    assert line.endswith(b"\n")
    read_id, read_bps = parse_bulk_line(line[:-1])
    assert read_id == client_id
    assert abs(read_bps - rate_bps) <= 0.5


@pytest.mark.parametrize("line", [b"", b"GET 1", b"netcont x y", b"other 1 2"])
def test_a_foreign_first_line_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse_bulk_line(line)


def test_tags_are_sixteen_bytes_and_read_back() -> None:
    assert len(client_tag(7)) == 16
    assert client_of(client_tag(7)) == 7
    assert client_of(overhead_datagram(3)[:16]) == 0


def test_marked_datagrams_differ_in_length() -> None:
    assert [len(overhead_datagram(n)) for n in range(5)] == [200, 201, 202, 203, 204]
    assert overhead_datagram(4).startswith(b"netcont-overhead-04")


def test_byte_bins_keep_the_count_and_the_instant_of_the_first_byte() -> None:
    arrivals = Arrivals()
    bins = ByteBins(arrivals)
    for count, now_s in ((100, 1.0), (50, 1.004), (10, 1.0101), (5, 3.0)):
        bins.add(count, now_s)
    assert arrivals.rows() == (
        Arrival(150, None, 1.0),
        Arrival(160, None, 1.0101),
        Arrival(165, None, 3.0),
    )


def test_a_bucket_never_makes_up_for_a_long_stop() -> None:
    bucket = Bucket(8e6, 0.0)
    assert bucket.fill(0.01) == 10_000
    bucket.credit -= 10_000
    assert bucket.fill(100.0) == 50_000


def test_the_kernels_struct_is_read_at_its_offsets() -> None:
    raw = bytearray(256)
    raw[4] = 9
    for offset, value in ((8, 3_200_000), (24, 17), (68, 50_200), (100, 12)):
        raw[offset : offset + 4] = value.to_bytes(4, "little")
    alive = tcp_info.parse(bytes(raw))
    assert alive == TcpInfo(retransmissions=12, backoff=9, rtt_s=0.0502, rto_s=3.2, unacked=17)
    # At its end the kernel has forgotten all but the total.
    dead = bytearray(256)
    dead[100] = 15
    assert tcp_info.combine(bytes(dead), bytes(raw)) == TcpInfo(
        retransmissions=15, backoff=9, rtt_s=0.0, rto_s=3.2, unacked=17
    )


def _spec(kind: ClientKind) -> ClientSpec:
    return ClientSpec("c", kind, Place.REMOTE, 5, "server.lab.test")


def test_the_services_arrivals_complete_a_sender() -> None:
    arrivals = Arrivals()
    arrivals.seq.append(3)
    arrivals.sent_s.append(1.0)
    arrivals.received_s.append(1.5)
    service = ServiceRecords(arrivals={5: arrivals}, sent={5: (40, 2.0)})
    up = Findings(_spec(ClientKind.UDP_UP), sent=9, last_sent_s=8.0).with_service(service)
    assert up.record().arrivals == (Arrival(3, 1.0, 1.5),)
    assert (up.sent, up.last_sent_s) == (9, 8.0)
    down = Findings(_spec(ClientKind.UDP_DOWN)).with_service(service)
    assert (down.sent, down.last_sent_s) == (40, 2.0)


def test_a_lost_service_is_told_by_those_who_need_it_only() -> None:
    service = ServiceRecords(disturbed="the guest's service was ended by SIGKILL")
    up = Findings(_spec(ClientKind.TCP_BULK_UP)).with_service(service)
    assert up.record().disturbed == "the guest's service was ended by SIGKILL"
    echo = Findings(_spec(ClientKind.TCP_ECHO)).with_service(service)
    assert echo.record().disturbed is None


def test_findings_survive_pickling() -> None:
    findings = Findings(_spec(ClientKind.REQUEST))
    findings.attempts.append((1.0, None, None, 2.0, "EAI_AGAIN"))
    copy = pickle.loads(pickle.dumps(findings))
    assert copy.record() == findings.record()
    assert copy.record().attempts[0].error == "EAI_AGAIN"


def test_default_clients_are_twenty_with_stable_names() -> None:
    found = names(default_clients())
    assert len(found) == len(set(found)) == 20
    assert found[:4] == [
        "tcp-echo@remote-1",
        "tcp-echo@remote-2",
        "tcp-echo@remote-3",
        "tcp-bulk-up@remote",
    ]


def test_two_groups_of_one_kind_are_numbered_through() -> None:
    groups = (Client(kind=ClientKind.REQUEST), Client(kind=ClientKind.REQUEST, count=2))
    assert names(groups) == ["request@remote-1", "request@remote-2", "request@remote-3"]


def test_a_name_that_collides_with_a_numbered_one_is_refused() -> None:
    groups = (
        Client(kind=ClientKind.REQUEST, name="a", count=2),
        Client(kind=ClientKind.REQUEST, name="a-2"),
    )
    with pytest.raises(ConfigurationError, match="a-2"):
        names(groups)


@given(st.integers(1, 300), st.integers(0, 2**32))
def test_offsets_repeat_with_the_seed_and_never_coincide(count: int, seed: int) -> None:
    first = offsets(count, seed)
    assert first == offsets(count, seed)
    assert len(set(first)) == count
    assert all(0 <= offset <= 0.5 for offset in first)


def test_expansion_carries_what_a_client_needs() -> None:
    groups = (Client(kind=ClientKind.TCP_BULK_UP, place=Place.AT_B, rate_bps=5e5, count=2),)
    planned = expand(groups, 1, "server.lab.test", "/run/x")
    assert [p.spec.client_id for p in planned] == [1, 2]
    assert planned[1].spec.name == "tcp-bulk-up@at-b-2"
    assert planned[1].spec.rate_bps == 5e5
    assert planned[1].spec.ports.sink == 7007


def test_a_program_needs_a_command() -> None:
    with pytest.raises(ConfigurationError, match="program@remote"):
        expand((Client(kind=ClientKind.PROGRAM),), 1, "server.lab.test", "/run/x")
