"""Guests carried by Mobile IP: what the file may say, and what becomes of it on each side."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from netcont.agent.config import parse_settings
from netcont.agent.settings import ForeignSettings, HomeSettings
from netcont.deploy.file import load_deployment
from netcont.deploy.half import Half
from netcont.deploy.problems import DeploymentError
from netcont.model.deployment import SideName
from netcont.model.plan import Leave, Register, RunAgent, StopAgent

from .files import MOBILE, TUNNEL, deployment

A, B = SideName.A, SideName.B


def plan(side: SideName, text: str = MOBILE, *, switched: bool = False) -> list[object]:
    return list(Half(deployment(text), side, "web", switched, directory="/d").plan())


@pytest.fixture
def placed(tmp_path: Path) -> str:
    """A file whose keys are there."""
    for name in ("guest.key", "agents.key"):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text("00" * 32)
    path = tmp_path / "web.toml"
    path.write_text(MOBILE)
    return str(path)


def test_the_home_side_runs_a_home_agent_and_the_switch_changes_nothing_there() -> None:
    (agent,) = plan(A)
    assert isinstance(agent, RunAgent)
    assert (agent.role, agent.stem, agent.control) == ("home", "/d/web.home", "@netcont-web-home")
    assert plan(A, switched=True) == [agent]
    assert agent.undo() == StopAgent("host", "home", "/d/web.home", "@netcont-web-home")
    assert not Half(deployment(MOBILE), A, "web", switched=True).announcements().changes


def test_the_other_side_runs_a_foreign_agent_that_registers_ahead_and_then_for_good() -> None:
    agent, ahead = plan(B)
    assert isinstance(agent, RunAgent)
    assert agent.role == "foreign"
    assert ahead == Register(
        "host", agent.control, "10.1.0.10", ahead=True, wait=False, limit_s=8.0
    )
    again, here = plan(B, switched=True)
    assert again == agent
    assert here == Register("host", agent.control, "10.1.0.10", ahead=False, wait=True, limit_s=8.0)
    assert here.undo() == Leave("host", agent.control, "10.1.0.10", wait=True)


def test_the_agents_understand_their_settings(placed: str) -> None:
    found = load_deployment(Path(placed))
    for side, role in ((A, "home"), (B, "foreign")):
        (agent, *_) = Half(found, side, "web", directory="/d").plan()
        assert isinstance(agent, RunAgent)
        settings = parse_settings("home" if role == "home" else "foreign", agent.settings, role)
        assert str(settings.address) == found.at(side).address
        assert not settings.advertises
        assert str(settings.state) == f"/d/web.{role}.sqlite"
        if isinstance(settings, HomeSettings):
            assert [str(each.address) for each in settings.nodes] == ["10.1.0.10"]
            assert [str(each.address) for each in settings.foreign_agents] == ["192.0.2.2"]
        else:
            assert isinstance(settings, ForeignSettings)
            (guest,) = settings.guests
            assert str(guest.home_agent) == "192.0.2.1"
            assert str(guest.gateway) == "10.1.0.1"
            assert guest.home_network == "10.1.0.0/24"
            assert guest.key.spi == 1000
            assert guest.policy.reverse_tunnel
            assert [str(each.address) for each in settings.home_agents] == ["192.0.2.1"]


def test_lifetime_encapsulation_and_direct_return_are_passed_on() -> None:
    text = MOBILE.replace("spi = 1000", "spi = 1000\ngre = true\nlifetime_s = 7200")
    text = text.replace('from = "a"', 'from = "a"\nreverse = false')
    home, foreign = plan(A, text)[0], plan(B, text)[0]
    assert isinstance(home, RunAgent)
    assert isinstance(foreign, RunAgent)
    assert tomllib.loads(home.settings)["max_lifetime_s"] == 7200
    (guest,) = tomllib.loads(foreign.settings)["guest"]
    assert (guest["gre"], guest["lifetime_s"], guest["reverse_tunnel"]) == (True, 7200, False)
    assert home.tunnels == foreign.tunnels == "gre"


def test_a_guest_may_be_over_a_tunnel_and_another_over_mobile_ip() -> None:
    table = '[home_agent]\nspi = 1000\nkey_file = "k"\n'
    second = '[[guest]]\naddress = "10.1.0.11"\nfrom = "a"\nover = "home_agent"\n'
    text = TUNNEL.replace("[guest]", "[[guest]]") + table + second
    registered = [each for each in plan(B, text) if isinstance(each, Register)]
    assert [each.home_address for each in registered] == ["10.1.0.11"]


def test_keys_count_from_the_files_directory(placed: str) -> None:
    found = load_deployment(Path(placed)).home_agent
    assert found is not None
    assert found.key_file == str(Path(placed).parent / "guest.key")


BAD = {
    "a reserved SPI": ("spi = 1000", "spi = 255", "home_agent.spi", "at least 256"),
    "no key": ('key_file = "guest.key"', "", "home_agent.key_file", "add it"),
    "half a key": ("agents_spi = 2000", "", "home_agent.agents_spi", "a key has both"),
    "a secret": ('"guest.key"', '"a:c2Vj"', "home_agent.key_file", "mode 0600"),
    "no guest": ('from = "a"', 'from = "a"\nover = "nc-tun"', "home_agent", "home_agent"),
    "no LAN": ('link = "lan0"', "", "side.a.link", "moves between LANs"),
    "a guest from elsewhere": ('"10.1.0.10"', '"10.9.0.10"', "guest.address", "prefix"),
    "IPv6 ends": ('"192.0.2.1"', '"2001:db8::1"', "side.b.address", "family"),
    "a short life": ("spi = 1000", "spi = 1000\nlifetime_s = 9", "home_agent.lifetime_s", "10"),
    "the agents' own tunnel": (
        "[home_agent]",
        '[tunnel]\nkind = "ipip"\n[home_agent]',
        "tunnel.kind",
        "gre = true",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_with_key_and_remedy(case: str, tmp_path: Path) -> None:
    old, new, key, said = BAD[case]
    assert old in MOBILE
    path = tmp_path / "web.toml"
    path.write_text(MOBILE.replace(old, new, 1))
    with pytest.raises(DeploymentError) as refused:
        load_deployment(path)
    lines = [line for line in str(refused.value).splitlines() if f"{path}: {key}: " in line]
    assert lines, str(refused.value)
    assert said in lines[0]
    assert "c2Vj" not in str(refused.value)


def test_ipv6_is_refused_with_the_reason() -> None:
    text = MOBILE
    for old, new in (
        ('"192.0.2.1"', '"2001:db8::1"'),
        ('"192.0.2.2"', '"2001:db8::2"'),
        ('"10.1.0.10"', '"2001:db8:1::10"'),
        ('"10.1.0.0/24"', '"2001:db8:1::/64"'),
        ('"10.2.0.0/24"', '"2001:db8:2::/64"'),
        ('"10.1.0.1"', '"2001:db8:1::1"'),
    ):
        text = text.replace(old, new)
    with pytest.raises(DeploymentError, match="RFC 5944") as refused:
        deployment(text)
    assert "use a tunnel for IPv6" in str(refused.value)


def test_a_guest_over_no_home_agent_is_refused() -> None:
    with pytest.raises(DeploymentError, match=r"guest\.over: .*add it, or name a tunnel"):
        deployment(TUNNEL.replace('from = "a"', 'from = "a"\nover = "home_agent"'))
