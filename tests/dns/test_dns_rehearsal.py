"""An update rehearsed: the server says whether it would make it, and nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dns_servers import (
    KEY,
    NAME,
    NEW_4,
    NEW_6,
    OLD_4,
    PRIMARY,
    QUICK,
    ZONE,
    NameServer,
    bind,
    configure,
    free_port,
    knot,
    running,
)

from netcont.dns.exchange import Caller
from netcont.dns.records import Kind, read, record_set
from netcont.dns.server import Server
from netcont.dns.zone_update import Replacement, ZoneUpdate, rehearse
from netcont.errors import DnsError
from netcont.model.plan import TsigKey

CALLER = Caller(KEY, QUICK)


@pytest.fixture(params=["named", "knotd"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NameServer]:
    one = bind(tmp_path / "a") if request.param == "named" else knot(tmp_path / "a", _port())
    with running(one):
        yield one


def _port() -> int:
    return free_port(PRIMARY)


def to(server: NameServer, kind: Kind, *values: str) -> ZoneUpdate:
    where = Server(server.address, server.port)
    was = read(NAME, kind, where, CALLER)
    becomes = record_set(NAME, kind, values, was.ttl_s or 300)
    return ZoneUpdate(f"{ZONE}.", where, (Replacement(was, becomes),))


@pytest.mark.parametrize(
    ("kind", "values"), [("A", (NEW_4,)), ("A", (OLD_4, NEW_4)), ("AAAA", (NEW_6,)), ("AAAA", ())]
)
def test_what_would_be_made_is_allowed_and_not_made(
    server: NameServer, kind: Kind, values: tuple[str, ...]
) -> None:
    serial, was = server.dig(ZONE, "SOA", "+short"), server.values(NAME, kind)
    rehearse(to(server, kind, *values), CALLER)
    assert server.values(NAME, kind) == was
    assert server.dig(ZONE, "SOA", "+short") == serial


@pytest.mark.parametrize(
    ("key", "codes"),
    [
        (None, {"REFUSED", "NOTAUTH"}),
        (TsigKey("stranger", KEY.algorithm, KEY.secret), {"BADKEY"}),
        (TsigKey(KEY.name, KEY.algorithm, "d3Jvbmcgc2VjcmV0"), {"BADSIG"}),
    ],
)
def test_a_key_that_would_be_refused_is(
    server: NameServer, key: TsigKey | None, codes: set[str]
) -> None:
    with pytest.raises(DnsError) as caught:
        rehearse(to(server, "A", NEW_4), replace(CALLER, key=key))
    assert caught.value.code in codes


def test_a_race_that_is_lost_already_is_seen(server: NameServer) -> None:
    update = to(server, "A", NEW_4)
    elsewhere = replace(update.replacements[0].was, values=("203.0.113.9",))
    stale = replace(update, replacements=(replace(update.replacements[0], was=elsewhere),))
    with pytest.raises(DnsError) as caught:
        rehearse(stale, CALLER)
    assert caught.value.code == "NXRRSET"
    assert f"now: {NAME} 300 A {OLD_4}" in caught.value.message


def test_a_policy_that_allows_another_name_only_is_seen(tmp_path: Path) -> None:
    server = bind(tmp_path / "a")
    policy = f"update-policy {{ grant {KEY.name} name old.example.org. A; }};"
    configure(server, role="primary", peer=None, policy=policy)
    with running(server), pytest.raises(DnsError) as caught:
        rehearse(to(server, "A", NEW_4), CALLER)
    assert caught.value.code == "REFUSED"
