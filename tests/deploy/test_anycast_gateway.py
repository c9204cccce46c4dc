"""A gateway that each side of a segment has for itself: in files, as plans, and on a kernel."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

from netcont.deploy.file import check
from netcont.deploy.half import Half
from netcont.deploy.problems import DeploymentError
from netcont.deploy.segments import gateway_mac, port_mac
from netcont.model.deployment import SideName
from netcont.model.plan import (
    AddAddress,
    AddBridge,
    AddIsolation,
    AddRoute,
    AddRule,
    Announce,
)

from .bench import AT_B, Gateway, difference, needs_root
from .files import ANYCAST, deployment
from .test_up_and_down import refused, right, written


def test_a_bridge_that_is_made_has_the_gateway_under_a_mac_that_stays() -> None:
    half = Half(deployment(ANYCAST), SideName.B, "web")
    plan = half.plan()
    (bridge,) = (each for each in plan if isinstance(each, AddBridge))
    assert bridge.mac == gateway_mac("web", SideName.B, "nc-stretch")
    assert bridge.mac != gateway_mac("web", SideName.A, "nc-stretch")
    assert not bridge.mac.startswith(port_mac("web", SideName.B, "nc-stretch")[:5])
    assert AddAddress("host", "nc-stretch", "10.1.0.1", 32) in plan.changes
    assert AddIsolation("host", "nc-vx100", ("10.1.0.1",), "netcont web") in plan.changes


def test_at_home_a_bridge_that_is_made_has_the_whole_lan() -> None:
    made = ANYCAST.replace('"br0"', '"nc-lan"')
    plan = Half(deployment(made), SideName.A, "web").plan()
    assert AddAddress("host", "nc-lan", "10.1.0.1", 24) in plan.changes


def test_another_bridge_keeps_its_addresses() -> None:
    plan = Half(deployment(ANYCAST), SideName.A, "web", switched=True).plan()
    assert not any(
        "10.1.0.1" in each.commands()[0] for each in plan if isinstance(each, AddAddress)
    )
    assert AddIsolation("host", "nc-vx100", ("10.1.0.1",), "netcont web") in plan.changes


@pytest.mark.parametrize("reverse", [True, False])
def test_away_the_guest_is_known_once_it_is_there_and_its_way_home_before(reverse: bool) -> None:
    text = ANYCAST + f"reverse = {str(reverse).lower()}\n"
    for switched in (False, True):
        half = Half(deployment(text), SideName.B, "web", switched=switched)
        known = AddRoute("host", "10.1.0.10/32", link="nc-stretch") in half.plan().changes
        assert known is switched
        rules = [each for each in half.plan() if isinstance(each, AddRule)]
        home = [
            AddRule("host", 772, "10.1.0.10/32", 254, "10.2.0.0/24"),
            AddRule("host", 773, "10.1.0.10/32", 770),
        ]
        assert rules == (home if reverse else [])
    way = AddRoute("host", "default", via="10.255.0.1", link="nc-stretch", table=770)
    assert (way in half.plan().changes) is reverse
    assert (
        Announce("host", "nc-stretch", "10.1.0.1", "", router=True) in half.announcements().changes
    )


BAD = {
    "no bridge": (', b = "nc-stretch"', "", "extension.anycast_gateway", "without a bridge at b"),
    "nobody's": ("10.1.0.1", "10.9.0.1", "extension.anycast_gateway", "neither side's prefix"),
    "no address": ("10.1.0.1", "10.1.0", "extension.anycast_gateway", "no IPv4 address"),
    "two of a family": (
        '"10.1.0.1"',
        '["10.1.0.1", "10.1.0.2"]',
        "extension.anycast_gateway.1",
        "a second one",
    ),
    "one side's own": (
        '"10.255.0.1/30", b = "10.255.0.2/30"',
        '"10.1.0.1/24", b = "10.1.0.3/24"',
        "extension.anycast_gateway",
        "one side's own",
    ),
    "no way home": (
        'addresses = { a = "10.255.0.1/30", b = "10.255.0.2/30" }\n',
        "",
        "extension.addresses.a",
        "reverse = false",
    ),
    "a tunnel's table": (
        "[guest]",
        '[tunnel]\nkind = "gre"\ntable = 771\n[guest]\nover = "nc-vx100"',
        "extension.anycast_gateway",
        "771 is that of tunnel.table as well",
    ),
    "no LAN away": ('prefix = "10.2.0.0/24"\n', "", "side.b.prefix", "reverse = false"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_gateway_that_cannot_be_is_refused(case: str) -> None:
    old, new, key, said = BAD[case]
    text = (
        ANYCAST.replace(f'"{old}"', f'"{new}"') if old[0].isdigit() else ANYCAST.replace(old, new)
    )
    assert text != ANYCAST
    with pytest.raises(DeploymentError) as caught:
        deployment(text)
    assert any(
        str(each).startswith(f"{key}:") and said in str(each) for each in caught.value.problems
    ), caught.value


# ---- on a kernel


@needs_root
def test_a_bridge_without_the_gateway_is_refused(host: Gateway, tmp_path: Path) -> None:
    file = written(tmp_path, ANYCAST)
    refused(host.cli("up", file, "--side", "a"), "br0 has no address 10.1.0.1")


@needs_root
@pytest.mark.parametrize("setting", ["net.ipv4.ip_forward=0", "net.ipv4.conf.all.rp_filter=1"])
def test_a_gateway_that_would_pass_nothing_on_is_refused(
    host: Gateway, tmp_path: Path, setting: str
) -> None:
    host.sh(f"{AT_B}\nsysctl -qw {setting}")
    refused(host.cli("up", written(tmp_path, ANYCAST), "--side", "b"), setting.partition("=")[0])


@needs_root
def test_without_the_privilege_it_is_not_known_whether_rules_stand(
    host: Gateway, tmp_path: Path
) -> None:
    host.sh(AT_B)
    file = written(tmp_path, ANYCAST)
    right(host.cli("up", file, "--side", "b"))
    host.sh(f"d={host.state}; while [ $d != / ]; do chmod o+rx $d; d=$(dirname $d); done")

    def as_nobody() -> int:
        from netcont.cli.main import main

        words = ["status", "--no-probe", "--state-dir", str(host.state)]
        main(words)
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        return main(words)

    assert "unknown  nft" in (said := host.run(as_nobody).said)
    assert "CAP_NET_ADMIN" in said


@needs_root
def test_what_is_shown_makes_the_same_and_down_leaves_nothing(
    host: Gateway, tmp_path: Path
) -> None:
    host.sh(AT_B)
    before = host.snapshot()
    file = written(tmp_path, ANYCAST)
    right(host.cli("up", file, "--side", "b", "--switch"))
    assert "was up already" in right(host.cli("up", file, "--side", "b"))
    applied = host.snapshot()
    assert any("table bridge nc-vx100" in each for each in applied)
    right(host.cli("down", file))
    assert difference(before, host.snapshot()) == []
    lines = right(host.cli("plan", file, "--side", "b", "--switch")).splitlines()
    host.sh("\n".join(line[2:] for line in lines if line[:2] in ("+ ", "~ ")))
    assert difference(applied, host.snapshot()) == []


@needs_root
def test_rules_that_were_lost_or_changed_are_shown_and_put_back(
    host: Gateway, tmp_path: Path
) -> None:
    host.sh(AT_B)
    file = written(tmp_path, ANYCAST)
    right(host.cli("up", file, "--side", "b"))
    applied = host.snapshot()
    for harm, shown in (
        ("nft flush ruleset", "missing  nft"),
        ("nft flush chain bridge nc-vx100 in", "other rules"),
        ("nft insert rule bridge nc-vx100 out accept", "other rules"),
        ("nft 'add chain bridge nc-vx100 in { policy drop ; }'", "other rules"),
    ):
        host.sh(harm)
        ended = host.cli("status")
        assert (ended.status, shown in ended.said) == (1, True), (harm, ended.said)
        right(host.cli("up", file, "--side", "b"))
        assert difference(applied, host.snapshot()) == []
    host.sh("nft flush chain bridge nc-vx100 in")
    right(host.cli("down", file))
    assert "nc-vx100" not in host.sh("nft list ruleset")


@needs_root
def test_a_table_that_somebody_else_has_is_left_alone(host: Gateway, tmp_path: Path) -> None:
    host.sh(AT_B)
    host.sh("nft add table bridge nc-vx100")
    before = host.snapshot()
    refused(host.cli("up", written(tmp_path, ANYCAST), "--side", "b"), "it is there already")
    assert difference(before, host.snapshot()) == []


def test_what_the_guide_shows_is_right() -> None:
    page = (Path(__file__).parents[2] / "docs/deploy.md").read_text()
    part = page[page.index("## Layer 2") : page.index("### Both families")]
    segment, gateway = (
        tomllib.loads(each) for each in re.findall(r"```toml\n(.*?)```", part, re.S)
    )
    for key, value in gateway["side"].items():
        segment["side"][key] |= value
    segment["extension"] |= gateway["extension"]
    found = check(segment | {"guest": gateway["guest"]}, "deploy.md")
    plan = Half(found, SideName.B, "web", switched=True).plan()
    assert AddIsolation("host", "nc-vx100", ("10.1.0.1",), "netcont web") in plan.changes
    assert AddRoute("host", "10.1.0.10/32", link="nc-stretch") in plan.changes
