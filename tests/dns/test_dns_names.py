"""Names moved by a plan's change, against a real named and a real knotd."""

from __future__ import annotations

import subprocess
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
    OLD_6,
    PRIMARY,
    SECONDARY,
    ZONE,
    NameServer,
    Site,
    environment,
    free_port,
    knot,
    running,
)

from netcont.dns.exchange import Patience
from netcont.errors import KernelError
from netcont.kernel.names import BRIEF, Names
from netcont.model.plan import MoveName

OLD, NEW = (OLD_4, OLD_6), (NEW_4, NEW_6)
ALONE = {"pointed": (), "was_pointed": ()}


@pytest.fixture
def change(site: Site) -> MoveName:
    return MoveName(
        "host",
        NAME,
        NEW,
        OLD,
        key_file=str(site.key_file),
        resolvers=(f"{PRIMARY}#{site.port}",),
        port=site.port,
        pointed=NEW,
        was_pointed=OLD,
    )


def test_a_name_and_its_pointers_move_and_move_back(site: Site, change: MoveName) -> None:
    before = site.primary.transferred(ZONE, NAME)
    assert not Names().fact(change).is_moved(change)
    Names().rehearse(change)
    assert site.primary.transferred(ZONE, NAME) == before
    Names().move(change)
    assert site.primary.transferred(ZONE, NAME) == [("300", "A", NEW_4), ("300", "AAAA", NEW_6)]
    assert site.primary.dig("-x", NEW_4, "+short") == [NAME]
    assert site.primary.dig("-x", OLD_4, "+short") == []
    assert Names().fact(change).is_moved(change)
    Names().move(change.undo())
    assert site.primary.transferred(ZONE, NAME) == before
    assert site.primary.dig("-x", OLD_4, "+short") == [NAME]
    assert site.primary.dig("-x", NEW_6, "+short") == []


def test_the_ttl_of_the_move_is_taken_back_with_it(site: Site, change: MoveName) -> None:
    change = replace(change, ttl_s=5, was_ttl_s=Names().fact(change).ttl_s)
    Names().move(change)
    assert ("5", "A", NEW_4) in site.primary.transferred(ZONE, NAME)
    Names().move(change.undo())
    assert ("300", "A", OLD_4) in site.primary.transferred(ZONE, NAME)


def test_moving_twice_is_moving_once(site: Site, change: MoveName) -> None:
    Names().move(change)
    serial = site.primary.dig(ZONE, "SOA", "+short")
    Names().move(change)
    assert site.primary.dig(ZONE, "SOA", "+short") == serial


def test_pointers_that_were_left_behind_are_seen_and_moved(site: Site, change: MoveName) -> None:
    Names().move(replace(change, **ALONE))
    fact = Names().fact(change)
    assert fact.is_ours(change)
    assert not fact.is_moved(change)
    Names().move(change)
    assert Names().fact(change).is_moved(change)
    assert site.primary.dig("-x", NEW_4, "+short") == [NAME]


def test_a_name_that_somebody_else_moved_is_left_alone(site: Site, change: MoveName) -> None:
    elsewhere = replace(change, addresses=("203.0.113.9",), **ALONE)
    Names().move(elsewhere)
    assert not Names().fact(change).is_ours(change)
    for act in (Names().move, Names().rehearse):
        with pytest.raises(KernelError, match=r"has 203\.0\.113\.9, neither .* somebody else"):
            act(change)
    assert site.primary.values(NAME, "A") == ["203.0.113.9"]


def test_an_address_beside_ours_makes_it_somebody_elses(site: Site, change: MoveName) -> None:
    Names().move(replace(change, addresses=(*OLD, "203.0.113.9"), **ALONE))
    with pytest.raises(KernelError, match="somebody else"):
        Names().move(change)


def test_a_family_that_neither_side_has_stays(site: Site, change: MoveName) -> None:
    Names().move(replace(change, addresses=(NEW_4,), was=(OLD_4,), **ALONE))
    assert site.primary.transferred(ZONE, NAME) == [("300", "A", NEW_4), ("300", "AAAA", OLD_6)]


def test_a_family_that_only_one_side_has_comes_and_goes(site: Site, change: MoveName) -> None:
    one = replace(change, addresses=(NEW_4,), **ALONE)
    Names().move(one)
    assert site.primary.transferred(ZONE, NAME) == [("300", "A", NEW_4)]
    Names().move(one.undo())
    assert site.primary.transferred(ZONE, NAME) == [("300", "A", OLD_4), ("300", "AAAA", OLD_6)]


def test_a_key_with_another_secret_is_refused_by_the_rehearsal(
    site: Site, change: MoveName, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.key"
    wrong.touch(mode=0o600)
    wrong.write_text(f"{KEY.algorithm}:{KEY.name}:d3Jvbmcgc2VjcmV0\n")
    with pytest.raises(KernelError, match="BADSIG") as refused:
        Names().rehearse(replace(change, key_file=str(wrong)))
    assert "d3Jvbmcgc2VjcmV0" not in str(refused.value)


def test_a_key_that_others_can_read_is_refused(site: Site, change: MoveName) -> None:
    site.key_file.chmod(0o640)
    fact = Names().fact(change)
    assert "mode 0640" in fact.error
    assert "chmod 600" in fact.remedy
    assert not Names(signed=False).fact(change).error


def test_a_server_that_lags_behind_is_named(site: Site, change: MoveName) -> None:
    assert Names().fact(change, everywhere=True).lagging == ()
    site.secondary.kill()
    Names().move(change)
    (said,) = Names(BRIEF).fact(change, everywhere=True).lagging
    assert f"ns2.example.org. ({SECONDARY}#{site.port})" in said


def test_it_is_waited_for_until_all_servers_agree(site: Site, change: MoveName) -> None:
    Names().move(change)
    Names(Patience(poll_s=0.05)).agree(change)
    assert site.secondary.values(NAME, "AAAA") == [NEW_6]


def test_servers_that_are_not_there_are_said_so_at_once(change: MoveName) -> None:
    nobody = f"{PRIMARY}#{free_port(PRIMARY)}"
    fact = Names(BRIEF).fact(replace(change, resolvers=(), server=nobody))
    assert "UNREACHABLE" in fact.error
    assert str(fact) == fact.error


def test_the_printed_lines_do_the_same(site: Site, change: MoveName) -> None:
    where = f"{site.primary.address}#{site.primary.port}"
    for line in replace(change, server=where, was_ttl_s=300).commands():
        subprocess.run(["sh", "-c", line], env=environment(), check=True)
    assert Names().fact(change).is_moved(change)
    assert site.primary.transferred(ZONE, NAME) == [("300", "A", NEW_4), ("300", "AAAA", NEW_6)]
    assert site.primary.dig("-x", OLD_6, "+short") == []


@pytest.fixture
def knotd(tmp_path: Path) -> Iterator[NameServer]:
    one = knot(tmp_path / "knot", free_port(PRIMARY))
    with running(one):
        yield one


def test_knot_lets_a_name_move_and_move_back(knotd: NameServer, key_file: Path) -> None:
    where = f"{PRIMARY}#{knotd.port}"
    change = MoveName("host", NAME, NEW, OLD, where, str(key_file), (where,), knotd.port)
    change = replace(change, ttl_s=5, was_ttl_s=300, pointed=NEW, was_pointed=OLD)
    before = knotd.transferred(ZONE, NAME)
    Names().rehearse(change)
    Names().move(change)
    assert knotd.transferred(ZONE, NAME) == [("5", "A", NEW_4), ("5", "AAAA", NEW_6)]
    assert knotd.dig("-x", NEW_6, "+short") == [NAME]
    Names().move(change.undo())
    assert knotd.transferred(ZONE, NAME) == before
