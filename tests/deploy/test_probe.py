"""up, probe and status ask a real other side: VXLAN between two gateways with a router between."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netcont.cli.main import main

from .bench import Ended, Gateway, needs_root
from .pair import Pair, addresses, pair

pytestmark = needs_root

ROUTED = 'addresses = { a = "10.255.0.1/30", b = "10.255.0.2/30" }'
BRIDGED = 'bridge = { a = "nc-br", b = "nc-br" }'


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        yield made


def written(directory: Path, family: int = 4, segment: str = ROUTED) -> str:
    a, b = addresses(family)
    path = directory / "web.toml"
    path.write_text(
        f'[side.a]\naddress = "{a}"\n[side.b]\naddress = "{b}"\n'
        f'[extension]\nkind = "vxlan"\nvni = 5\n{segment}\n'
    )
    return str(path)


def changed(file: str, old: str, new: str) -> None:
    text = Path(file).read_text()
    assert old in text
    Path(file).write_text(text.replace(old, new))


def right(ended: Ended) -> str:
    assert ended.status == 0, ended.said
    return ended.said


def up(host: Gateway, file: str, side: str, *more: str) -> Ended:
    return host.cli("up", file, "--side", side, "--probe-timeout", "1", *more, probe=True)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("segment", [ROUTED, BRIDGED], ids=["routed", "bridged"])
def test_the_first_of_two_says_that_nobody_answers_yet_and_the_second_that_somebody_does(
    two: Pair, tmp_path: Path, family: int, segment: str
) -> None:
    file, far = written(tmp_path, family, segment), addresses(family)[1]
    first = right(up(two.a, file, "a"))
    assert "web: up as side a" in first
    assert f"note: nc-vx5: no end at {far}: port unreachable" in first
    assert "note: run `netcont up` at the other side, then `netcont probe web`" in first
    second = right(up(two.b, file, "b"))
    assert f"nc-vx5: {addresses(family)[0]} answers" in second
    assert "note:" not in second
    assert f"nc-vx5: {far} answers" in right(two.a.cli("probe", "web"))


def test_an_end_that_is_gone_is_noticed(two: Pair, tmp_path: Path) -> None:
    file = written(tmp_path)
    right(up(two.b, file, "b"))
    assert "note" not in right(up(two.a, file, "a"))
    two.b.sh("ip link set wan0 down")
    gone = two.a.cli("probe", "web", "--probe-timeout", "0.3")
    assert gone.status == 1
    assert "note: nc-vx5: no answer from 198.51.100.1" in gone.said
    assert "firewall" in gone.said


def test_another_vni_at_the_other_end_does_not_answer(two: Pair, tmp_path: Path) -> None:
    file = written(tmp_path, segment=f"{ROUTED}\nname = 'nc-vx5'")
    right(up(two.b, file, "b"))
    changed(file, "vni = 5", "vni = 6")
    assert "no answer from 198.51.100.1" in right(up(two.a, file, "a"))


def test_up_once_more_asks_nobody(two: Pair, tmp_path: Path) -> None:
    file = written(tmp_path)
    right(up(two.a, file, "a"))
    again = right(up(two.a, file, "a"))
    assert again == "web: was up already as side a\n"


def test_with_no_probe_nobody_is_asked(two: Pair, tmp_path: Path) -> None:
    two.a.sh("sysctl -qw net.ipv6.conf.default.disable_ipv6=1")  # which says something by itself
    assert right(up(two.a, written(tmp_path), "a", "--no-probe")) == "web: up as side a\n"
    (link,) = json.loads(two.a.sh("ip -s -j link show nc-vx5"))
    assert link["stats64"]["tx"]["packets"] == 0
    names, values = two.a.sh("grep ^Icmp: /proc/net/snmp").splitlines()
    counters = dict(zip(names.split()[1:], values.split()[1:], strict=True))
    assert counters["OutEchos"] == "0"


@pytest.mark.parametrize("family", [4, 6])
def test_a_path_that_is_too_narrow_is_refused_before_the_first_change(
    two: Pair, tmp_path: Path, family: int
) -> None:
    two.narrow(1400)
    ended = up(two.a, written(tmp_path, family), "a")
    overhead, router = (50, "192.0.2.254") if family == 4 else (70, "2001:db8:a::fe")
    assert ended.status == 2
    assert f"mtu_bytes {1500 - overhead} makes packets of 1500 bytes, but 1400" in ended.said
    assert f"({router} says so): write mtu_bytes = {1400 - overhead}" in ended.said
    assert "nc-" not in two.a.sh("ip -o link")
    assert "nothing is deployed" in right(two.a.cli("status"))


@pytest.mark.parametrize("family", [4, 6])
def test_the_remedy_is_one(two: Pair, tmp_path: Path, family: int) -> None:
    two.narrow(1400)
    fits = f"{ROUTED}\nmtu_bytes = {1350 if family == 4 else 1330}"
    file = written(tmp_path, family, fits)
    right(up(two.b, file, "b"))
    said = right(up(two.a, file, "a"))
    assert f"packets of {1350 if family == 4 else 1330} bytes pass" in said
    found = right(two.a.cli("probe", "web"))
    assert "path MTU from" in found
    assert ": 1400, as " in found


@pytest.mark.parametrize("family", [4, 6])
def test_a_black_hole_is_found_and_measured(two: Pair, tmp_path: Path, family: int) -> None:
    two.narrow(1400)
    two.silence()
    ended = up(two.a, written(tmp_path, family), "a")
    assert ended.status == 2
    assert "but 1400 is the most that passes" in ended.said
    assert "larger ones vanish: somebody drops ICMP" in ended.said


def test_packets_that_may_be_fragmented_need_no_wide_path(two: Pair, tmp_path: Path) -> None:
    two.narrow(1400)
    file = written(tmp_path, segment=f"{BRIDGED}\nfragment = true")
    right(up(two.b, file, "b", "--no-probe"))
    assert "packets of 1500 bytes pass" in right(up(two.a, file, "a"))


def test_a_link_that_stands_is_not_measured_again(two: Pair, tmp_path: Path) -> None:
    file = written(tmp_path)
    right(up(two.a, file, "a"))
    two.narrow(1400)
    changed(file, "vni = 5", 'vni = 5\nroutes = { a = ["10.9.0.0/16"] }')
    assert "web: up as side a" in right(up(two.a, file, "a"))


def test_status_shows_whether_the_other_end_answers_and_fails_for_drift_only(
    two: Pair, tmp_path: Path
) -> None:
    file = written(tmp_path)
    right(up(two.a, file, "a"))
    ended = two.a.cli("status", "--format", "json", probe=True)
    (found,) = json.loads(right(ended))["deployments"]
    assert found["ends"]["nc-vx5"]["state"] == "refuses"
    right(up(two.b, file, "b"))
    (found,) = json.loads(right(two.a.cli("status", "--format", "json", probe=True)))["deployments"]
    assert found["ends"]["nc-vx5"]["state"] == "answers"
    assert 0 < found["ends"]["nc-vx5"]["rtt_s"] < 1
    assert "nc-vx5: 198.51.100.1 answers" in right(two.a.cli("status", probe=True))


def test_other_ends_are_asked_as_the_record_says_after_the_file_is_gone(
    two: Pair, tmp_path: Path
) -> None:
    file = written(tmp_path)
    right(up(two.a, file, "a"))
    right(up(two.b, file, "b"))
    Path(file).unlink()
    assert "nc-vx5: 198.51.100.1 answers" in right(two.a.cli("probe"))
    (found,) = json.loads(right(two.a.cli("probe", "--format", "json")))["deployments"]
    assert found["paths"] == [
        {"local": "192.0.2.1", "remote": "198.51.100.1", "mtu_bytes": 1500, "by": ""}
    ]


def test_a_change_that_is_reverted_takes_its_ends_with_it(two: Pair, tmp_path: Path) -> None:
    file = written(tmp_path)
    right(up(two.a, file, "a", "--no-probe"))
    (record,) = tmp_path.glob("a/*/web.json")
    before = json.loads(record.read_text())["ends"]
    changed(file, '"10.255.0.1/30", b = "10.255.0.2/30"', '"10.255.0.1/29", b = "10.255.0.3/29"')
    right(up(two.a, file, "a", "--no-probe", "--confirm-within", "1"))
    assert json.loads(record.read_text())["ends"] != before
    two.a.sh("sleep 1.2")
    two.a.cli("recover")
    assert json.loads(record.read_text())["ends"] == before


def test_without_the_privilege_it_says_so_and_shows_the_rest(two: Pair, tmp_path: Path) -> None:
    right(up(two.a, written(tmp_path), "a", "--no-probe"))
    two.a.sh(f"d={two.a.state}; while [ $d != / ]; do chmod o+rx $d; d=$(dirname $d); done")

    def as_nobody() -> int:
        words = ["status", "--state-dir", str(two.a.state)]
        main(words)
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        return main(words)

    said = right(two.a.run(as_nobody))
    assert "nc-vx5: could not be probed" in said
    assert "CAP_NET_RAW" in said
