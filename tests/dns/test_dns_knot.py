"""netcont dns against a real knotd: the other implementation of RFC 2136 and 8945."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dns_go_between import Forward, relay
from dns_servers import (
    BETWEEN,
    KEY,
    NAME,
    NEW_4,
    NEW_6,
    OLD_4,
    OLD_6,
    PRIMARY,
    ZONE,
    NameServer,
    access,
    free_port,
    knot,
    running,
)

from netcont.cli.main import main
from netcont.dns.move import Wish, carry_out, plan_move
from netcont.errors import DnsError
from netcont.model.plan import TsigKey

WISH = Wish(NAME, (NEW_4, NEW_6))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    server = knot(tmp_path / "knot", free_port(PRIMARY, BETWEEN))
    with running(server):
        yield server


def test_both_families_and_their_pointers_move_and_a_second_move_changes_nothing(
    server: NameServer, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = ["--resolver", f"{PRIMARY}#{server.port}", "--port", str(server.port)]
    arguments = ["dns", "move", NAME, "--to", NEW_4, "--to", NEW_6, "--key", str(key_file)]
    assert main([*arguments, *finding]) == 0
    assert server.transferred(ZONE, NAME) == [("300", "A", NEW_4), ("300", "AAAA", NEW_6)]
    for old, new in ((OLD_4, NEW_4), (OLD_6, NEW_6)):
        assert server.dig("-x", old, "+short") == []
        assert server.dig("-x", new, "+short") == [NAME]
    assert main([*arguments, *finding]) == 0
    assert "nothing was changed" in capsys.readouterr().out


def test_the_ttl_is_lowered(server: NameServer, key_file: Path) -> None:
    finding = ["--server", f"{PRIMARY}#{server.port}", "--port", str(server.port)]
    assert main(["dns", "prepare", NAME, *finding, "--key", str(key_file)]) == 0
    assert server.transferred(ZONE, NAME) == [("5", "A", OLD_4), ("5", "AAAA", OLD_6)]


@pytest.mark.parametrize(
    ("key", "codes"),
    [
        (None, {"REFUSED", "NOTAUTH"}),
        (TsigKey("stranger", KEY.algorithm, KEY.secret), {"BADKEY"}),
        (TsigKey(KEY.name, KEY.algorithm, "d3Jvbmcgc2VjcmV0"), {"BADSIG"}),
    ],
)
def test_a_key_that_is_not_accepted_changes_nothing(
    server: NameServer, key: TsigKey | None, codes: set[str]
) -> None:
    own = access(server.port, key=key)
    with pytest.raises(DnsError) as caught:
        carry_out(plan_move(WISH, own), own)
    assert caught.value.code in codes
    assert server.values(NAME, "A") == [OLD_4]


def test_a_skewed_clock_is_told(server: NameServer) -> None:
    with pytest.raises(DnsError) as caught:
        plan_move(WISH, access(server.port, now=lambda: time.time() - 1000))
    assert caught.value.code == "BADTIME"
    assert "s ahead of this host's" in caught.value.message


def test_a_lost_answer_leaves_exactly_one_right_record_set(server: NameServer) -> None:
    heard = []

    def losing(wire: bytes, forward: Forward) -> bytes | None:
        heard.append(wire)
        answer = forward(wire)
        return None if len(heard) == 1 else answer

    with relay((BETWEEN, server.port), (PRIMARY, server.port), losing) as there:
        own = access(server.port, server=there)
        carry_out(plan_move(WISH, own), own)
    assert server.transferred(ZONE, NAME) == [("300", "A", NEW_4), ("300", "AAAA", NEW_6)]


def test_a_lost_race_is_told(server: NameServer) -> None:
    own = access(server.port)
    plan = plan_move(WISH, own)
    carry_out(plan_move(Wish(NAME, ("203.0.113.7",)), own), own)
    with pytest.raises(DnsError) as caught:
        carry_out(plan, own)
    assert caught.value.code == "NXRRSET"
    assert server.values(NAME, "A") == ["203.0.113.7"]
