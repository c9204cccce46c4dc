"""netcont init: what it writes is what the kernel says, and it can be used at once."""

from __future__ import annotations

import json
import tomllib
from itertools import product
from pathlib import Path

import pytest

from netcont.deploy.example import KINDS

from .bench import Gateway, difference, needs_root

pytestmark = needs_root

FAR = ("--peer", "198.51.100.1")


def written(host: Gateway, path: Path, *words: str) -> dict[str, object]:
    ended = host.cli("init", str(path), *words)
    assert ended.status == 0, ended.said
    return tomllib.loads(path.read_text())


@pytest.mark.parametrize(("kind", "side"), list(product(KINDS, "ab")))
def test_with_both_ends_known_a_file_is_right_at_once(
    host: Gateway, tmp_path: Path, kind: str, side: str
) -> None:
    path = tmp_path / "web.toml"
    written(host, path, "--side", side, "--kind", kind, *FAR)
    if kind == "vlan":
        assert "parent" in host.cli("validate", str(path)).said
        path.write_text(
            path.read_text().replace("<circuit at A>", "e1").replace("<circuit at B>", "e2")
        )
    checked = host.cli("validate", str(path))
    assert checked.status == 0, checked.said


def test_it_says_what_ip_says(host: Gateway, tmp_path: Path) -> None:
    said = written(host, tmp_path / "web.toml", "--side", "a", "--kind", "gre", *FAR)
    way = json.loads(host.sh("ip -j route get 198.51.100.1"))[0]
    lan = json.loads(host.sh("ip -j addr show dev lan0"))[0]
    side = said["side"]["a"]  # type: ignore[index]
    assert side["address"] == way["prefsrc"]
    assert side["link"] == lan["ifname"]
    mtu = json.loads(host.sh(f"ip -j link show {way['dev']}"))[0]["mtu"]
    assert said["path_mtu_bytes"] == mtu


def test_without_a_peer_the_default_route_says_which_address_is_outside(
    host: Gateway, tmp_path: Path
) -> None:
    path = tmp_path / "web.toml"
    ended = host.cli("init", str(path), "--side", "b", "--kind", "gre")
    assert "to be filled in: side.a.address\n" in ended.said
    said = tomllib.loads(path.read_text())
    assert said["side"]["b"] == {"address": "192.0.2.1", "link": "lan0", "prefix": "10.1.0.0/24"}
    refused = host.cli("validate", str(path))
    assert refused.status == 2
    assert "<gateway A>" in refused.said


def test_a_guest_is_at_home_where_its_lan_is_and_what_is_unknown_is_named(
    host: Gateway, tmp_path: Path
) -> None:
    path = tmp_path / "web.toml"
    words = ("--side", "a", "--kind", "gre", "--guest", "10.1.0.10", *FAR)
    ended = host.cli("init", str(path), *words)
    assert "to be filled in: side.b.link, side.b.prefix\n" in ended.said
    text = path.read_text()
    text = text.replace("<link of the LAN at B>", "eth1")
    path.write_text(text.replace("<prefix of the LAN at B>", "10.2.0.0/24"))
    assert host.cli("validate", str(path)).status == 0
    guest = tomllib.loads(path.read_text())["guest"]
    assert (guest["from"], guest["gateway"]) == ("a", "10.1.0.1")


def test_what_is_written_goes_up_and_takes_nothing_that_is_in_use(
    host: Gateway, tmp_path: Path
) -> None:
    before = host.snapshot()
    path = tmp_path / "web.toml"
    said = written(host, path, "--side", "a", "--kind", "vxlan", *FAR)
    assert said["extension"]["vni"] != 7  # type: ignore[index]
    assert said["extension"]["bridge"]["a"] == "br0"  # type: ignore[index]
    ended = host.cli("up", str(path), "--side", "a", "--no-probe")
    assert ended.status == 0, ended.said
    assert host.cli("down", "web").status == 0
    assert difference(before, host.snapshot()) == []


def test_nothing_is_written_over_unless_forced(host: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "web.toml"
    path.write_text("mine")
    ended = host.cli("init", str(path), "--side", "a")
    assert ended.status == 2
    assert "--force" in ended.said
    assert path.read_text() == "mine"
    assert host.cli("init", str(path), "--side", "a", "--force").status == 0
    assert "[side.a]" in path.read_text()


def test_a_dash_prints_the_file(host: Gateway) -> None:
    ended = host.cli("init", "-", "--side", "a", *FAR)
    assert ended.status == 0
    assert tomllib.loads(ended.said)["side"]["b"] == {"address": "198.51.100.1"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--peer", "192.0.2.1"), "this host's own"),
        (("--peer", "gateway-b"), "is no address"),
        (("--guest", "10.1.0.0/24"), "is no address"),
        (("--peer", "2001:db8::1"), "no route"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    host: Gateway, tmp_path: Path, words: tuple[str, str], why: str
) -> None:
    path = tmp_path / "web.toml"
    ended = host.cli("init", str(path), "--side", "a", *words)
    assert ended.status == 2, ended.said
    assert why in ended.said
    assert "remedy" in ended.said
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_named(host: Gateway, tmp_path: Path) -> None:
    ended = host.cli("init", str(tmp_path / "none" / "web.toml"), "--side", "a")
    assert ended.status == 2
    assert "cannot be written" in ended.said


FAR6 = ("--peer", "2001:db8:b::1")


@pytest.mark.parametrize(
    ("kind", "guest"), list(product(KINDS, [None, "2001:db8:1::10", "10.1.0.10"]))
)
def test_over_ipv6_it_is_right_too(
    host6: Gateway, tmp_path: Path, kind: str, guest: str | None
) -> None:
    path = tmp_path / "web.toml"
    words = () if guest is None else ("--guest", guest)
    said = written(host6, path, "--side", "a", "--kind", kind, *FAR6, *words)
    assert said["side"]["a"]["address"] == "2001:db8:a::1"  # type: ignore[index]
    assert "module ip_gre" not in path.read_text()
    family = "2001:db8:2::/64" if guest and ":" in guest else "10.2.0.0/24"
    text = path.read_text()
    for unknown, known in {
        "<circuit at A>": "e1",
        "<circuit at B>": "e2",
        "<link of the LAN at B>": "lan0",
        "<prefix of the LAN at B>": family,
    }.items():
        text = text.replace(unknown, known)
    path.write_text(text)
    checked = host6.cli("validate", str(path))
    assert checked.status == 0, checked.said + text
    if kind == "vxlan":
        before = host6.snapshot()
        ended = host6.cli("up", str(path), "--side", "a", "--no-probe")
        assert ended.status == 0, ended.said
        assert host6.cli("down", "web").status == 0
        assert difference(before, host6.snapshot()) == []
