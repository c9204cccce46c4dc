"""Whether a bridged segment is used: by who was heard beyond it, on two gateways."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netcont.kernel.namespace import Namespace

from .bench import Ended, Gateway, needs_root
from .pair import Pair, pair

pytestmark = needs_root

SEGMENT = """
[side.a]
address = "192.0.2.1"
[side.b]
address = "198.51.100.1"
[extension]
kind = "vxlan"
vni = 100
bridge = { a = "nc-br", b = "nc-br" }
"""

STATION = "02:00:00:00:0b:02"

LAN = """
ip link add g0 type veth peer name g1
ip link set g0 master nc-br
ip link set g0 up; ip link set g1 up
"""
HERE, EVERYBODY = "02:00:00:00:0a:01", "ff:ff:ff:ff:ff:ff"


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A segment over both, and a link g1 to it at each."""
    monkeypatch.delenv("NETCONT_STATE_DIR", raising=False)
    file = tmp_path / "web.toml"
    file.write_text(SEGMENT)
    with pair(tmp_path) as made:
        for host, side in ((made.a, "a"), (made.b, "b")):
            # The bridges themselves would speak, when they like.
            host.sh("sysctl -qw net.ipv6.conf.default.disable_ipv6=1")
            ended = host.cli("up", str(file), "--side", side)
            assert ended.status == 0, ended.said
            host.sh(LAN)
        yield made


def send(host: Gateway, source: str, destination: str) -> None:
    frame = bytes.fromhex((destination + source).replace(":", "")) + b"\x88\xb5" + bytes(46)
    with Namespace("host", host.pid) as node, node.entered():
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with one:
        one.bind(("g1", 0))
        one.send(frame)


def talk(two: Pair) -> None:
    """STATION says something at b."""
    send(two.b, STATION, EVERYBODY)
    while STATION not in two.a.sh("bridge fdb show dev nc-vx100"):
        time.sleep(0.05)


def remember(host: Gateway, seconds: int) -> None:
    host.sh(f"ip link set nc-br type bridge ageing_time {seconds * 100}")


def retire(host: Gateway, *more: str) -> tuple[Ended, dict[str, Any]]:
    ended = host.cli("retire", "web", "--format", "json", *more)
    return ended, json.loads(ended.said[ended.said.index("{") :])


def test_who_was_heard_beyond_it_keeps_it_and_is_named(two: Pair) -> None:
    talk(two)
    ended = two.a.cli("retire", "web", "--idle-timeout", "60")
    assert ended.status == 1, ended.said
    assert "in use by 1 station beyond nc-vx100:" in ended.said
    assert f"\n  {STATION} spoke " in ended.said
    refused, said = retire(two.a, "--idle-timeout", "60")
    assert (refused.status, said["state"]) == (1, "in-use")
    (segment,) = said["connections"]["segments"]
    assert (segment["link"], segment["bridge"], segment["idle"]) == ("nc-vx100", "nc-br", False)
    assert [each["mac"] for each in segment["stations"]] == [STATION]
    assert "nc-vx100" in two.a.sh("ip -o link")


def test_it_goes_without_force_once_nobody_used_it_for_the_named_time(two: Pair) -> None:
    talk(two)
    assert two.a.cli("retire", "web", "--idle-timeout", "200").status == 1
    ended = two.a.cli("retire", "web", "--idle-timeout", "2", "--drain", "60")
    assert ended.status == 0, ended.said
    assert "no connections and what is bridged over nc-vx100 left" in ended.said
    assert ended.said.endswith("web: down\n")
    assert "nc-vx100" not in two.a.sh("ip -o link")


def test_without_a_time_it_is_not_judged_and_the_option_is_named(two: Pair) -> None:
    talk(two)
    ended, said = retire(two.a, "--drain", "60")
    assert (ended.status, said["state"]) == (1, "unknown")
    assert "--idle-timeout" in said["connections"]["unseen"][0]
    assert said["connections"]["segments"][0]["idle"] is None


def test_one_that_has_just_been_made_is_not_taken_for_silent(two: Pair) -> None:
    ended = two.a.cli("retire", "web", "--idle-timeout", "120")
    assert ended.status == 1
    assert "nc-vx100 was silent for" in ended.said
    assert "have it watched" in ended.said


def test_a_time_that_is_longer_than_the_bridge_remembers_is_watched(two: Pair) -> None:
    talk(two)
    remember(two.a, 2)
    two.a.sh("sleep 3")
    ended, said = retire(two.a, "--idle-timeout", "4")
    assert (ended.status, said["state"]) == (1, "unknown")
    assert said["connections"]["segments"][0]["silent_s"] <= 2
    ended, said = retire(two.a, "--idle-timeout", "4", "--drain", "60")
    assert ended.status == 0, ended.said
    assert said["connections"]["segments"][0]["silent_s"] >= 4


def test_a_station_that_only_receives_keeps_it_as_long_as_it_is_known(two: Pair) -> None:
    talk(two)
    two.a.sh("sleep 2")
    send(two.a, HERE, STATION)
    ended, said = retire(two.a, "--idle-timeout", "200")
    (station,) = said["connections"]["segments"][0]["stations"]
    assert ended.status == 1
    assert station["heard_s"] >= station["sent_s"] + 1.9


def test_the_other_gateways_question_whether_this_end_answers_is_no_use(two: Pair) -> None:
    assert "192.0.2.1 answers" in two.b.cli("probe", "web", probe=True).said
    heard = [each["mac"] for each in json.loads(two.a.sh("bridge -j fdb show dev nc-vx100"))]
    assert any(each.startswith("fe:6e:") for each in heard)
    remember(two.a, 1)
    ended, said = retire(two.a, "--idle-timeout", "1", "--drain", "60")
    assert said["connections"]["segments"][0]["stations"] == []
    assert ended.status == 0, ended.said


def test_asking_from_here_makes_the_other_bridge_speak(two: Pair) -> None:
    assert "198.51.100.1 answers" in two.a.cli("probe", "web", probe=True).said
    _, said = retire(two.a, "--idle-timeout", "60")
    (bridge,) = json.loads(two.b.sh("ip -j link show nc-br"))
    heard = [each["mac"] for each in said["connections"]["segments"][0]["stations"]]
    assert heard == [bridge["address"]]


def test_where_no_bridge_learns_nothing_is_known(two: Pair) -> None:
    two.a.sh("bridge link set dev nc-vx100 learning off")
    ended, said = retire(two.a, "--idle-timeout", "1", "--drain", "60")
    assert (ended.status, said["state"]) == (1, "unknown")
    assert "no bridge learns" in said["connections"]["unseen"][0]


def test_status_says_who_is_beyond_it(two: Pair) -> None:
    talk(two)
    shown = json.loads(two.a.cli("status", "--format", "json").said)["deployments"][0]
    assert shown["connections"]["segments"][0]["stations"][0]["mac"] == STATION
    text = two.a.cli("status", "--verbose").said
    assert "nc-vx100: 1 station beyond it, silent for" in text
    assert f"    {STATION} spoke" in text
