from __future__ import annotations

from dataclasses import replace

import pytest

from netcont.measure.floors import client_floor_s, longer_way_s, run_floor_s, spacing_s
from netcont.model.scenario import ClientKind, Migration, Network, Path, Place, Scenario

from .builders import answered, before_the_pause, echo, failed, move, program, request, udp

NETWORK = Network(
    clients_a=Path(delay_s=0.030, reverse_delay_s=0.031),
    clients_b=Path(delay_s=0.050, reverse_delay_s=0.052),
    a_b=Path(delay_s=0.020, reverse_delay_s=0.024, rate_bps=100e6),
)


def test_the_run_floor_is_the_last_bytes_at_the_migrations_rate_and_one_delay() -> None:
    floor = run_floor_s(Scenario(network=NETWORK), move(final_bytes=10**6))
    assert floor == pytest.approx(8e6 / 80e6 + 0.020)


def test_the_link_carries_headers_that_a_bandwidth_above_its_rate_cannot_wish_away() -> None:
    scenario = Scenario(network=NETWORK, migration=Migration(bandwidth_bps=1e9))
    floor = run_floor_s(scenario, move(final_bytes=10**6))
    assert floor == pytest.approx(8e6 * 1514 / 1448 / 100e6 + 0.020)


def test_the_headers_of_ipv6_are_longer() -> None:
    network = replace(NETWORK, family=6)
    scenario = Scenario(network=network, migration=Migration(bandwidth_bps=1e9))
    floor = run_floor_s(scenario, move(final_bytes=10**6))
    assert floor == pytest.approx(8e6 * 1514 / 1428 / 100e6 + 0.020)


def test_there_is_no_floor_without_a_final_round() -> None:
    assert run_floor_s(Scenario(), move(final_bytes=None)) is None


@pytest.mark.parametrize(
    ("place", "filtering", "extra_s"),
    [
        (Place.REMOTE, True, 0.024),
        (Place.REMOTE, False, 0.052 - 0.031),
        (Place.AT_A, True, 0.024),
        (Place.AT_A, False, 0.024),
        (Place.AT_B, True, 0.0),
        (Place.AT_B, False, 0.0),
    ],
)
def test_the_longer_way_follows_what_providers_permit(
    place: Place, filtering: bool, extra_s: float
) -> None:
    network = replace(NETWORK, source_filtering=filtering)
    assert longer_way_s(network, place) == pytest.approx(extra_s)


def test_a_way_that_becomes_shorter_is_no_gain() -> None:
    near = replace(NETWORK, source_filtering=False, clients_b=Path(delay_s=0.001))
    assert longer_way_s(near, Place.REMOTE) == 0.0


def test_a_faster_circuit_is_a_way_too() -> None:
    network = replace(NETWORK, circuit=Path(delay_s=0.010))
    assert longer_way_s(network, Place.REMOTE) == pytest.approx(0.010)


def test_what_goes_to_the_guest_waits_for_no_longer_way() -> None:
    assert client_floor_s(udp(ClientKind.UDP_UP), NETWORK, 0.1) == pytest.approx(0.110)
    assert client_floor_s(udp(ClientKind.UDP_DOWN), NETWORK, 0.1) == pytest.approx(0.134)
    assert client_floor_s(echo(), NETWORK, 0.1) == pytest.approx(0.174)


def test_requests_show_their_own_spacing() -> None:
    attempts = (*before_the_pause(), failed(103.0), failed(104.0), answered(105.0))
    assert spacing_s(request(attempts)) == pytest.approx(0.5)
    assert spacing_s(request((answered(101.0),))) == 0.5


def test_programs_have_no_floor() -> None:
    assert client_floor_s(program(0), NETWORK, 0.1) is None
    assert client_floor_s(udp(), NETWORK, None) is None
