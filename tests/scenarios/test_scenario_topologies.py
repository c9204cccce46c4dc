"""What a scenario may say depends on its topology."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netcont.errors import ConfigurationError
from netcont.scenarios import ScenarioError, builtin_names, load_scenario

LAN = '[network]\ntopology = "lan"\n'


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], str]:
    def write(toml: str) -> str:
        path = tmp_path / "my.toml"
        path.write_text(toml, encoding="utf-8")
        return str(path)

    return write


def test_a_lan_runs_by_default_what_makes_sense_there(written: Callable[[str], str]) -> None:
    assert load_scenario(written(LAN)).approaches == ("readdress", "blackhole", "ddns", "announce")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (
            'approaches = ["announce", "vxlan"]\n' + LAN,
            "approaches.1: 'vxlan' is for two sites, but on the topology 'lan' A and B are one; "
            "take one of readdress, blackhole, ddns, announce, or another topology",
        ),
        (
            LAN + '[network.clients_b]\ndelay_s = "3 ms"',
            'network.clients_b: the topology "lan" has no such path; '
            "remove it (B is reached by clients_a and a_b)",
        ),
        (
            LAN + '[network.circuit]\ndelay_s = "3 ms"',
            'network.circuit: the topology "lan" has no such path; '
            "remove it (B is reached by clients_a and a_b)",
        ),
        (
            '[network.clients2_a]\ndelay_s = "3 ms"',
            'network.clients2_a: the topology "two_site" has no such path; remove it',
        ),
        (
            '[network]\ntopology = "three_site"\nclient2_prefix = "10.3.0.0/24"',
            'network.client2_prefix: "10.3.0.0/24" overlaps with client_prefix, "10.3.0.0/24"; '
            "give every site addresses of its own",
        ),
    ],
    ids=["approach", "clients_b", "circuit", "clients2_a", "client2_prefix"],
)
def test_what_the_topology_has_not_is_refused(
    written: Callable[[str], str], toml: str, said: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(written(toml))
    text = " ".join(str(caught.value).split())
    assert said in text


@pytest.mark.parametrize(
    "toml",
    [
        '[network]\na_prefix = "10.4.0.0/24"',
        '[network]\ntopology = "lan"\na_prefix = "10.2.0.0/24"',
        '[network]\ntopology = "lan"\n[network.clients_a]\ndelay_s = "3 ms"\n'
        '[network.clients_b]\ndelay_s = "3 ms"',
        '[network]\ntopology = "three_site"\n[network.clients2_b]\ndelay_s = "90 ms"',
    ],
    ids=["free prefix", "free prefix on a LAN", "all paths alike", "second continent"],
)
def test_what_disturbs_nothing_is_allowed(written: Callable[[str], str], toml: str) -> None:
    load_scenario(written(toml))


def test_an_approach_given_on_the_command_line_must_suit_the_topology() -> None:
    on_a_lan = ["network.topology=lan"]
    with pytest.raises(ConfigurationError, match="A and B are one"):
        load_scenario("default", on_a_lan, approaches=["ipip"])
    assert load_scenario("default", on_a_lan, approaches=["announce"]).approaches == ("announce",)


def test_ipv6_has_prefixes_of_its_own_and_leaves_out_what_it_cannot() -> None:
    loaded = load_scenario("default", ["network.family=6"])
    network = loaded.network
    prefixes = (network.a_prefix, network.b_prefix, network.client_prefix, network.client2_prefix)
    assert prefixes == tuple(f"2001:db8:{site}::/64" for site in (1, 2, 3, 4))
    assert loaded.approaches == (
        *("readdress", "blackhole", "ddns", "ipip", "gre", "vlan", "vxlan", "ddns+ipip"),
    )


def test_a_prefix_of_ones_own_is_kept(written: Callable[[str], str]) -> None:
    toml = '[network]\nfamily = 6\nb_prefix = "fd12:3456::/48"'
    network = load_scenario(written(toml)).network
    assert (network.a_prefix, network.b_prefix) == ("2001:db8:1::/64", "fd12:3456::/48")


def test_mobile_ip_is_refused_where_ipv6_is_spoken() -> None:
    for name in ("mobileip", "ddns+mobileip-plain"):
        with pytest.raises(ConfigurationError, match=r"but network\.family is 6"):
            load_scenario("default", ["network.family=6"], approaches=[name])


@pytest.mark.parametrize("name", sorted({*builtin_names()} - {"spill-over"}))
def test_a_built_in_scenario_can_speak_ipv6(name: str) -> None:
    assert load_scenario(name, ["network.family=6"]).network.family == 6


def test_a_prefix_that_a_file_names_does_not_change_its_family() -> None:
    with pytest.raises(ScenarioError, match=r"b_prefix.* is an IPv4 prefix, but family is 6"):
        load_scenario("spill-over", ["network.family=6"])


def test_the_default_scenario_runs_on_a_lan_what_makes_sense_there() -> None:
    loaded = load_scenario("default", ["network.topology=lan"])
    assert loaded.approaches == ("readdress", "blackhole", "ddns", "announce")
