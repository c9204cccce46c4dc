"""Names in a deployment file: what may be said of them, and what becomes of it on each side."""

from __future__ import annotations

from pathlib import Path

import pytest

from netcont.deploy.file import load_deployment
from netcont.deploy.names import absolute, moves
from netcont.deploy.problems import DeploymentError
from netcont.model.deployment import SideName
from netcont.model.plan import MoveName

from .files import NAMED, TUNNEL, deployment

OLD, NEW = ("192.0.2.10", "2001:db8:a::10"), ("198.51.100.10", "2001:db8:b::10")
ALONE = """
[side.a]
address = "192.0.2.1"
[side.b]
address = "198.51.100.1"
[dns]
name = "www.example.org"
from = "b"
addresses = { a = "198.51.100.10", b = "192.0.2.10" }
"""


def only_move(text: str, side: SideName) -> MoveName:
    (found,) = moves(deployment(text), side, "host")
    return found


def test_the_side_that_guests_move_to_makes_the_update() -> None:
    assert only_move(NAMED, SideName.B) == MoveName(
        "host",
        "www.example.org.",
        NEW,
        OLD,
        server="192.0.2.53#5353",
        key_file="mover.key",
        resolvers=("192.0.2.53", "2001:db8::53"),
        ttl_s=5,
        pointers=True,
    )
    assert not list(moves(deployment(NAMED), SideName.A, "host"))


def test_either_side_can_be_told_to_make_it() -> None:
    text = NAMED.replace("[dns]", '[dns]\nby = "a"')
    assert only_move(text, SideName.A) == only_move(NAMED, SideName.B)
    assert not list(moves(deployment(text), SideName.B, "host"))


def test_a_name_can_move_without_a_guest_and_without_a_tunnel() -> None:
    found = only_move(ALONE, SideName.A)
    assert (found.was, found.addresses) == (("192.0.2.10",), ("198.51.100.10",))


def test_at_home_a_guests_name_has_the_guests_address_unless_the_file_says_otherwise() -> None:
    text = TUNNEL + '[dns]\nname = "www.example.org"\nguest = "10.1.0.10"\n'
    found = only_move(text + 'addresses.b = "10.2.0.10"', SideName.B)
    assert (found.was, found.addresses) == (("10.1.0.10",), ("10.2.0.10",))


def test_names_are_told_apart_without_regard_to_case() -> None:
    assert absolute("WWW.Example.org") == absolute("www.example.org.") == "www.example.org."


def test_key_files_count_from_the_files_directory(tmp_path: Path) -> None:
    path = tmp_path / "web.toml"
    path.write_text(NAMED + 'ptr_key_file = "/etc/netcont/reverse.key"\n')
    (one,) = load_deployment(path).dns
    assert one.key_file == str(tmp_path / "mover.key")
    assert one.ptr_key_file == "/etc/netcont/reverse.key"


BAD = {
    "no whole name": ('"www.example.org"', '"www"', "name", '"www.example.org"'),
    "an empty label": ('"www.example.org"', '"www..org"', "name", "no domain name"),
    "a shell's word": ('"www.example.org"', '"a$(b).example.org"', "name", "no domain name"),
    "a wildcard": ('"www.example.org"', '"*.example.org"', "name", "no domain name"),
    "not in ASCII": ('"www.example.org"', '"münchen.example.org"', "name", "xn--"),
    "too long": ('"www.example.org"', f'"{"a." * 127}org"', "name", "no domain name"),
    "a strange guest": ('guest = "10.1.0.10"', 'guest = "10.1.0.9"', "guest", '"10.1.0.10"'),
    "no home": ('guest = "10.1.0.10"', "", "from", "where it is at home"),
    "two homes": ("ptr = true", 'from = "b"', "from", "remove it"),
    "no such side": ("ptr = true", 'by = "c"', "by", '"a" or "b"'),
    "no address there": (', b = ["198.51.100.10", "2001:db8:b::10"]', "", "addresses.b", "add"),
    "no address": ('"198.51.100.10"', '"198.51.100.300"', "addresses.b.0", "no IPv4 address"),
    "nobody's address": ('"2001:db8:b::10"', '"fe80::1"', "addresses.b.1", "link-local"),
    "nothing moves": (
        '["198.51.100.10", "2001:db8:b::10"]',
        '["2001:db8:A::10", "192.0.2.10"]',
        "addresses",
        "nothing would move",
    ),
    "a server's name": ('"192.0.2.53#5353"', '"ns1.example.org"', "server", "192.0.2.53"),
    "a server's port": ('"192.0.2.53#5353"', '"192.0.2.53#70000"', "server", "192.0.2.53"),
    "a resolver's name": ('["192.0.2.53", "2001:db8::53"]', '"ns1"', "resolver", "192.0.2.53"),
    "a long TTL": ("ttl_s = 5", "ttl_s = 2147483648", "ttl_s", "at most 2147483647"),
    "a key for no pointers": ("ptr = true", 'ptr = false\nptr_key_file = "a"', "ptr", "remove"),
    "a secret": ("ptr = true", 'key = "hmac-sha256:mover:c2Vj"', "key", "key_file"),
    "a secret for a file": ('"mover.key"', '"hmac-sha256:mover:c2Vj"', "key_file", "mode 0600"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_with_key_and_remedy(case: str, tmp_path: Path) -> None:
    old, new, key, said = BAD[case]
    head, _, table = NAMED.partition("[dns]")
    assert old in table
    path = tmp_path / "web.toml"
    path.write_text(f"{head}[dns]{table.replace(old, new, 1)}")
    with pytest.raises(DeploymentError) as refused:
        load_deployment(path)
    lines = [line for line in str(refused.value).splitlines() if f"{path}: dns.{key}: " in line]
    assert lines, str(refused.value)
    assert said in lines[0]
    assert "c2Vj" not in str(refused.value)


def test_one_name_twice_is_refused() -> None:
    head, _, table = NAMED.partition("[dns]")
    twice = f"{head}[[dns]]{table}[[dns]]{table.replace('www.', 'WWW.')}"
    with pytest.raises(DeploymentError, match=r"dns\.1\.name: WWW\.example\.org is dns\.0's"):
        deployment(twice)


def test_an_undo_takes_everything_back_the_ttl_too() -> None:
    change = MoveName("host", "www.example.org.", NEW, OLD, ttl_s=5, was_ttl_s=300)
    undo = change.undo()
    assert (undo.addresses, undo.was, undo.ttl_s, undo.was_ttl_s) == (OLD, NEW, 300, 5)
    assert undo.undo() == change
    kept = MoveName("host", "www.example.org.", NEW, OLD, was_ttl_s=300)
    assert kept.undo().ttl_s is None
    assert kept.undo().undo() == kept


def test_the_lines_have_conditions_for_every_family_and_no_secret() -> None:
    change = MoveName(
        "host", "www.example.org.", NEW, ("192.0.2.10",), server="192.0.2.53#5353", key_file="a b"
    )
    (line,) = change.commands()
    assert line == (
        "printf '%s\\n' \"server 192.0.2.53 5353\""
        ' "prereq yxrrset www.example.org. A 192.0.2.10" "prereq nxrrset www.example.org. AAAA"'
        ' "update delete www.example.org. A" "update add www.example.org. $TTL A 198.51.100.10"'
        ' "update delete www.example.org. AAAA"'
        ' "update add www.example.org. $TTL AAAA 2001:db8:b::10" "send" | nsupdate -k \'a b\''
    )
