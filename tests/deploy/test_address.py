"""Addresses as numbers, judged by the standard library's ipaddress."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.deploy.address import canonical, parsed, prefix_of

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
TEXTS = st.one_of(
    ADDRESSES,
    st.tuples(ADDRESSES, st.integers(-1, 140)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.text(alphabet="0123456789abf.:/%+ ", max_size=20),
)


@given(TEXTS)
def test_a_text_is_an_address_if_ipaddress_says_so(text: str) -> None:
    try:
        judged = ipaddress.ip_interface(text)
    except ValueError:
        assert parsed(text) is None
        return
    # What netcont does not take: lengths written as masks or with zeros, and scopes.
    if "%" in text or text.partition("/")[2] not in ("", str(judged.network.prefixlen)):
        assert parsed(text) is None
        return
    found = prefix_of(text)
    assert (found.family, found.length) == (judged.version, judged.network.prefixlen)
    assert found.address == int(judged.ip)
    assert found.first == int(judged.network.network_address)
    assert found.last == int(judged.network.broadcast_address)
    assert ipaddress.ip_address(found.host) == judged.ip
    assert ipaddress.ip_network(str(found.network)) == judged.network


@given(st.ip_addresses(v=6))
def test_every_spelling_of_an_address_has_one_canonical_form(
    address: ipaddress.IPv6Address,
) -> None:
    assert canonical(address.exploded) == canonical(address.compressed.upper())


@given(ADDRESSES, st.integers(0, 32), ADDRESSES, st.integers(0, 32))
def test_overlaps_are_those_that_ipaddress_finds(
    one: str, one_length: int, other: str, other_length: int
) -> None:
    a, b = f"{one}/{one_length}", f"{other}/{other_length}"
    nets = [ipaddress.ip_interface(each).network for each in (a, b)]
    judged = nets[0].version == nets[1].version and nets[0].overlaps(nets[1])  # type: ignore[arg-type]
    assert prefix_of(a).overlaps(prefix_of(b)) == judged


@pytest.mark.parametrize("text", ["nc-tun", "02:00:00:00:00:01", "", "10.0.0.1"])
def test_what_is_no_ipv6_address_is_left_as_it_is(text: str) -> None:
    assert canonical(text) == text
