"""netcont dns move, against two real BINDs; dig and zone transfers say what became of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dns_go_between import Forward, relay
from dns_servers import (
    BETWEEN,
    KEY,
    LOOPBACK,
    MANY,
    NAME,
    NEW_4,
    NEW_6,
    OLD_4,
    OLD_6,
    PRIMARY,
    REVERSE,
    SECONDARY,
    ZONE,
    Site,
    access,
    configure,
    run,
)

from netcont.cli.main import main
from netcont.dns.move import Wish, carry_out, plan_move


def netcont(site: Site, *arguments: str, key: bool = True) -> int:
    finding = ["--resolver", f"{PRIMARY}#{site.port}", "--port", str(site.port)]
    signing = ["--key", str(site.key_file)] if key else []
    return main(["dns", *arguments, *finding, *signing])


def test_both_families_and_their_pointers_move_together(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netcont(site, "move", NAME, "--to", NEW_4, "--to", NEW_6) == 0
    assert site.primary.transferred(ZONE, NAME) == [("300", "A", NEW_4), ("300", "AAAA", NEW_6)]
    for server in (site.primary, site.secondary):
        assert server.values(NAME, "A") == [NEW_4]
        assert server.values(NAME, "AAAA") == [NEW_6]
        assert server.dig("-x", OLD_4, "+short") == []
        assert server.dig("-x", OLD_6, "+short") == []
        assert server.dig("-x", NEW_4, "+short") == [NAME]
        assert server.dig("-x", NEW_6, "+short") == [NAME]
    out = capsys.readouterr().out
    assert f"{NAME} A {OLD_4} -> {NEW_4} (TTL 300 s)" in out
    assert f"ns1.example.org. ({PRIMARY}#{site.port})" in out
    assert f"ns2.example.org. ({SECONDARY}#{site.port})" in out
    assert "caches may keep the old addresses until 20" in out


def test_a_second_identical_move_changes_nothing_and_says_so(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("move", NAME, "--to", NEW_4, "--to", NEW_6, "--ptr")
    assert netcont(site, *arguments) == 0
    before = site.primary.dig(ZONE, "SOA", "+short")
    capsys.readouterr()
    assert netcont(site, *arguments) == 0
    out = capsys.readouterr().out
    assert f"{NAME} has these addresses already: nothing was changed" in out
    assert "all servers of example.org. agree" in out
    assert "caches may" not in out
    assert site.primary.dig(ZONE, "SOA", "+short") == before


def test_a_dry_run_changes_nothing_and_nsupdate_can_do_what_it_prints(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netcont(site, "move", NAME, "--to", NEW_4, "--ttl", "5", "--dry-run") == 0
    assert site.primary.values(NAME, "A") == [OLD_4]
    printed = [line[2:] for line in capsys.readouterr().out.splitlines() if line[:2] == "  "]
    assert f"prereq yxrrset {NAME} A {OLD_4}" in printed
    run("nsupdate", "-k", str(site.key_file), stdin="\n".join(printed) + "\n")
    assert ("5", "A", NEW_4) in site.primary.transferred(ZONE, NAME)
    assert site.primary.dig("-x", NEW_4, "+short") == [NAME]


def test_json_says_what_was_changed(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert netcont(site, "move", NAME, "--to", NEW_4, "--no-ptr", "--format", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["changed"] is True
    assert shown["zone"] == "example.org."
    assert shown["records"] == [
        {
            "name": NAME,
            "type": "A",
            "was": [OLD_4],
            "was_ttl_s": 300,
            "values": [NEW_4],
            "ttl_s": 300,
        }
    ]
    assert [each["address"] for each in shown["authoritative"]] == [PRIMARY, SECONDARY]
    assert shown["stale_until"].endswith("Z")
    assert f"AAAA {OLD_6} stays" in shown["notes"][0]
    assert KEY.secret not in json.dumps(shown)


def test_without_pointers_none_is_touched(site: Site) -> None:
    assert netcont(site, "move", NAME, "--to", NEW_4, "--no-ptr") == 0
    assert site.primary.dig("-x", OLD_4, "+short") == [NAME]
    assert site.primary.dig("-x", NEW_4, "+short") == []


def test_a_name_without_a_pointer_gets_one_only_when_asked_to(site: Site) -> None:
    assert netcont(site, "move", "old.example.org", "--to", "198.51.100.20") == 0
    assert site.primary.dig("-x", "198.51.100.20", "+short") == []
    assert netcont(site, "move", "old.example.org", "--to", "198.51.100.20", "--ptr") == 0
    assert site.primary.dig("-x", "198.51.100.20", "+short") == ["old.example.org."]


def test_pointers_to_other_names_stay(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert netcont(site, "move", NAME, "--to", "198.51.100.11") == 0
    assert sorted(site.primary.dig("-x", "198.51.100.11", "+short")) == ["other.example.org.", NAME]
    assert "pointer to other.example.org. as well" in capsys.readouterr().err


def test_a_reverse_zone_that_is_not_ours_is_left_alone_unless_it_was_asked_for(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netcont(site, "move", NAME, "--to", "203.0.113.99") == 0
    assert "the pointer of 203.0.113.99 was left alone" in capsys.readouterr().err
    assert site.primary.values(NAME, "A") == ["203.0.113.99"]
    assert site.primary.dig("-x", OLD_4, "+short") == []
    assert netcont(site, "move", NAME, "--to", "203.0.113.98", "--ptr") == 1
    assert site.primary.values(NAME, "A") == ["203.0.113.99"]


def test_one_of_several_addresses_moves_and_the_others_stay(site: Site) -> None:
    leaving, staying = MANY[0], MANY[1:]
    arguments = ("move", "many.example.org", "--from", leaving, "--to", NEW_4)
    assert netcont(site, *arguments) == 0
    assert site.primary.values("many.example.org.", "A") == sorted([*staying, NEW_4])
    assert netcont(site, *arguments) == 0  # the answers are truncated, and come over TCP


def test_an_address_of_a_family_that_the_new_site_lacks_can_be_taken_away(site: Site) -> None:
    assert netcont(site, "move", NAME, "--to", NEW_4, "--from", OLD_4, "--from", OLD_6) == 0
    assert site.primary.transferred(ZONE, NAME) == [("300", "A", NEW_4)]
    assert site.primary.dig("-x", OLD_6, "+short") == []


@pytest.mark.parametrize("more", [(), ("--ptr", "--from", OLD_4)])
def test_the_rest_of_a_half_done_move_is_done_by_the_command_that_the_error_names(
    site: Site,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
) -> None:
    # The journal of one reverse zone cannot be written: that update fails, after the forward one.
    journal = tmp_path / "primary" / f"{REVERSE[0]}.jnl"
    journal.mkdir()
    arguments = ("move", NAME, "--to", NEW_4)
    assert netcont(site, *arguments) == 1
    err = capsys.readouterr().err
    assert "the addresses are moved, but not the pointers" in err
    assert "SERVFAIL" in err
    assert f"--ptr --from {OLD_4}" in err
    assert site.primary.values(NAME, "A") == [NEW_4]
    journal.rmdir()
    if more:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another host"))
    assert netcont(site, *arguments, *more) == 0
    assert site.primary.dig("-x", OLD_4, "+short") == []
    assert site.primary.dig("-x", NEW_4, "+short") == [NAME]
    assert netcont(site, *arguments) == 0
    assert "nothing was changed" in capsys.readouterr().out


@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_move_that_is_killed_is_completed_by_the_same_command(site: Site, survived: int) -> None:
    """survived: how many of the three updates were sent before the kill."""
    heard: list[bytes] = []
    processes: list[subprocess.Popen[bytes]] = []

    def killing(wire: bytes, forward: Forward) -> bytes | None:
        heard.append(wire)
        if len(heard) == survived + 1:
            processes[0].kill()
            return None
        return forward(wire)

    finding = ["--resolver", f"{PRIMARY}#{site.port}", "--port", str(site.port)]
    arguments = ["dns", "move", NAME, "--to", NEW_4, "--key", str(site.key_file), *finding]
    with relay((BETWEEN, site.port), (LOOPBACK, site.primary.port), killing) as server:
        command = [sys.executable, "-m", "netcont", *arguments, "--server", str(server)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            processes.append(process)
        assert process.returncode == -signal.SIGKILL
    assert main(arguments) == 0
    assert ("300", "A", NEW_4) in site.primary.transferred(ZONE, NAME)
    assert site.primary.dig("-x", OLD_4, "+short") == []
    assert site.primary.dig("-x", NEW_4, "+short") == [NAME]


def test_it_waits_until_caches_have_dropped_the_old_address(site: Site) -> None:
    assert netcont(site, "move", NAME, "--to", NEW_4, "--ttl", "2", "--no-ptr") == 0
    begun_s = time.monotonic()
    assert netcont(site, "move", NAME, "--to", OLD_4, "--no-ptr", "--wait") == 0
    assert 2.0 <= time.monotonic() - begun_s < 10


def test_a_secondary_that_lags_behind_is_waited_for_and_then_named(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.secondary.kill()
    assert netcont(site, "move", NAME, "--to", NEW_4, "--timeout", "1") == 1
    err = capsys.readouterr().err
    assert f"ns2.example.org. ({SECONDARY}#{site.port})" in err
    assert "not all servers of example.org. do" in err
    (site.secondary.log.parent / ZONE).unlink()  # else it would ask for news only when due
    site.secondary.start()
    assert netcont(site, "move", NAME, "--to", NEW_4) == 0  # the check again; nothing is changed
    assert site.secondary.values(NAME, "A") == [NEW_4]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing.example.org", "nothing.example.org. has no address in example.org."),
        ("alias.example.org", "alias.example.org. is an alias (CNAME) of www.example.org."),
        ("www.example.net", "REFUSED"),
    ],
)
def test_what_cannot_be_moved_is_refused_before_anything_is_sent(
    site: Site, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    before = site.primary.dig(ZONE, "SOA", "+short")
    assert netcont(site, "move", name, "--to", NEW_4) == 1
    assert said in capsys.readouterr().err
    assert site.primary.dig(ZONE, "SOA", "+short") == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("www", "--to", NEW_4), "'www' is not a whole domain name"),
        ((NAME, "--to", "198.51.100.300"), "'198.51.100.300' is no address"),
        ((NAME, "--to", "ff02::1"), "ff02::1 is a multicast address"),
        ((NAME, "--to", NEW_4, "--server", "ns1"), "'ns1' is no name server"),
        ((NAME, "--to", NEW_4, "--key", "/nowhere/key"), "/nowhere/key cannot be read"),
    ],
)
def test_options_that_cannot_be_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert main(["dns", "move", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "remedy: " in err


def test_a_name_that_only_a_wildcard_has_is_not_taken_for_a_race(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netcont(site, "move", "a.wild.example.org", "--to", NEW_4) == 1
    assert "the name may come from a wildcard record" in capsys.readouterr().err


def test_the_primary_is_found_by_the_soa_record_and_all_servers_by_ns(site: Site) -> None:
    plan = plan_move(Wish(NAME, (NEW_4,), ptr=False), access(site.port))
    assert str(plan.zone.primary) == f"ns1.example.org. ({PRIMARY}#{site.port})"
    assert [each.address for each in plan.zone.servers] == [PRIMARY, SECONDARY]
    moved = carry_out(plan, access(site.port))
    assert len(moved.agreed) == 2


def test_a_policy_for_the_addresses_of_one_name_is_enough(site: Site) -> None:
    policy = f"update-policy {{ grant {KEY.name} name {NAME} A AAAA; }};"
    configure(site.primary, role="primary", peer=site.secondary.port, policy=policy)
    site.primary.kill()
    site.primary.start()
    assert netcont(site, "move", NAME, "--to", NEW_4, "--to", NEW_6, "--no-ptr") == 0
    assert site.primary.transferred(ZONE, NAME) == [("300", "A", NEW_4), ("300", "AAAA", NEW_6)]
    assert netcont(site, "move", "old.example.org", "--to", NEW_4) == 1
    assert site.primary.values("old.example.org.", "A") == ["192.0.2.20"]


def test_a_name_server_without_an_address_is_named(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"server {LOOPBACK} {site.primary.port}", f"zone {ZONE}"]
    lines += [f"update add {ZONE}. 300 NS ghost.{REVERSE[0]}.", "send", ""]
    run("nsupdate", "-k", str(site.key_file), stdin="\n".join(lines))
    assert netcont(site, "move", NAME, "--to", NEW_4) == 1
    said = f"ghost.{REVERSE[0]}. is a name server by its zone's NS records, but has no address"
    assert said in capsys.readouterr().err
    assert site.primary.values(NAME, "A") == [OLD_4]


def test_a_reverse_zone_smaller_than_a_24_is_found_by_its_alias(site: Site) -> None:
    zone, owner = "2.0.192.in-addr.arpa.", "20.64-26.2.0.192.in-addr.arpa."
    lines = [f"server {LOOPBACK} {site.primary.port}", f"zone {zone}"]
    lines += [f"update delete 20.{zone} PTR", f"update add 20.{zone} 300 CNAME {owner}"]
    lines += [f"update add {owner} 300 PTR old.example.org.", "send", ""]
    run("nsupdate", "-k", str(site.key_file), stdin="\n".join(lines))
    assert netcont(site, "move", "old.example.org", "--to", "198.51.100.20") == 0
    assert site.primary.values(owner, "PTR") == []
    assert site.primary.dig("-x", "198.51.100.20", "+short") == ["old.example.org."]
