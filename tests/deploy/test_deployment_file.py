"""What a deployment file may say, and what is said of everything else."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from netcont.cli.main import main
from netcont.deploy.deployment_name import deployment_name
from netcont.deploy.file import check, deployment_schema, load_deployment
from netcont.deploy.kinds import table_of
from netcont.deploy.problems import DeploymentError, Problem
from netcont.errors import ConfigurationError
from netcont.model.deployment import Deployment

from .files import MOBILE, NAMED, ROUTED, SEGMENT, SEGMENT6, TUNNEL, TUNNEL6, deployment

ALL = (TUNNEL, SEGMENT, ROUTED, TUNNEL6, SEGMENT6, NAMED, MOBILE)


@pytest.mark.parametrize("text", ALL)
def test_right_files_are_right_also_for_the_schema(text: str) -> None:
    assert isinstance(deployment(text), Deployment)
    jsonschema.validate(tomllib.loads(text), deployment_schema())


ANYTHING: tuple[Any, ...] = (0, 1, -1, 575, 4095, 1 << 32, 1.5, True, "", "a", "gre", "vxlan")
ANYTHING += ([], ["a"], [""], [1], {}, {"a": "a"}, {"a": ["a"]}, {"a": 1}, {"kay": 1}, [{}])


def spoilt(table: Any) -> Iterator[Any]:
    """The same with one value replaced, one key missing, or one that nobody knows."""
    if isinstance(table, list):
        for at, value in enumerate(table):
            yield from (
                [*table[:at], each, *table[at + 1 :]] for each in (*spoilt(value), *ANYTHING)
            )
    elif isinstance(table, dict):
        yield {**table, "kay": 1}
        for key, value in table.items():
            rest = {k: v for k, v in table.items() if k != key}
            yield from ({**rest, key: each} for each in (*spoilt(value), *ANYTHING))
            yield rest


@pytest.mark.parametrize("text", ALL)
def test_a_file_is_read_if_and_only_if_the_schema_allows_it(text: str) -> None:
    validator = jsonschema.Draft202012Validator(deployment_schema())
    cases = list(spoilt(tomllib.loads(text)))
    assert len(cases) > 300
    for raw in cases:
        problems: list[Problem] = []
        table_of(Deployment).read(raw, "", problems)
        assert validator.is_valid(raw) == (not problems), (raw, problems)


def test_the_schema_itself_is_right() -> None:
    jsonschema.Draft202012Validator.check_schema(deployment_schema())


def test_one_table_and_a_list_of_one_mean_the_same() -> None:
    assert deployment(TUNNEL.replace("[tunnel]", "[[tunnel]]")) == deployment(TUNNEL)


BAD: dict[str, tuple[str, str, str, str, str]] = {
    "unknown key": (TUNNEL, "key = 42", "kez = 42", "tunnel.kez", "did you mean key?"),
    "the model's word": (TUNNEL, 'from = "a"', 'source = "a"', "guest.from", "add it"),
    "wrong type": (TUNNEL, "key = 42", 'key = "42"', "tunnel.key", "at least 0"),
    "wrong side": (TUNNEL, 'from = "a"', 'from = "c"', "guest.from", '"a" or "b"'),
    "no address": (TUNNEL, '"192.0.2.1"', '"192.0.2.300"', "side.a.address", "no IPv4"),
    "multicast": (TUNNEL, '"192.0.2.1"', '"224.0.0.1"', "side.a.address", "unicast"),
    "a netmask": (TUNNEL, "10.1.0.0/24", "10.1.0.0/255.255.255.0", "side.a.prefix", "no IPv4"),
    "no length": (TUNNEL, "10.1.0.0/24", "10.1.0.0", "side.a.prefix", '"10.1.0.0/32"'),
    "no text": (TUNNEL, '"10.1.0.0/24"', "5", "side.a.prefix", "write a text"),
    "an empty text": (TUNNEL, '"10.1.0.0/24"', '""', "side.a.prefix", "is empty"),
    "one address": (TUNNEL, '"198.51.100.1"', '"192.0.2.1"', "side.b.address", "side a's"),
    "host bits": (TUNNEL, '"10.1.0.0/24"', '"10.1.0.5/24"', "side.a.prefix", '"10.1.0.0/24"'),
    "overlap": (TUNNEL, '"10.2.0.0/24"', '"10.1.0.0/16"', "side.b.prefix", "overlaps"),
    "long name": (
        TUNNEL,
        "key = 42",
        'name = "nc-0123456789abc"',
        "tunnel.name",
        "16 characters, the kernel takes 15",
    ),
    "not netcont's name": (TUNNEL, "key = 42", 'name = "tun7"', "tunnel.name", '"nc-…"'),
    "ipip with a key": (TUNNEL, '"gre"', '"ipip"', "tunnel.key", "ipip has no key"),
    "small MTU": (TUNNEL, "key = 42", "mtu_bytes = 575", "tunnel.mtu_bytes", "at least 576"),
    "MTU above the path's": (
        TUNNEL,
        "key = 42",
        "key = 42\nmtu_bytes = 1473",
        "tunnel.mtu_bytes",
        "write at most 1472",
    ),
    "ttl and no pmtudisc": (
        TUNNEL,
        "key = 42",
        "pmtudisc = false",
        "tunnel.pmtudisc",
        "write ttl = 0",
    ),
    "remote through its own tunnel": (
        TUNNEL,
        "key = 42",
        'routes = { a = ["198.51.100.0/24"] }',
        "tunnel.routes.a",
        "holds 198.51.100.1, where the tunnel itself ends",
    ),
    "everything through the tunnel": (
        TUNNEL,
        "key = 42",
        'routes = { a = ["0.0.0.0/0"] }',
        "tunnel.routes.a",
        "leave that address out",
    ),
    "the guest is the remote": (
        TUNNEL,
        '"10.1.0.10"',
        '"198.51.100.1"',
        "guest.address",
        "where a tunnel ends",
    ),
    "a guest from elsewhere": (
        TUNNEL,
        '"10.1.0.10"',
        '"10.2.0.10"',
        "guest.address",
        "not in side a's prefix",
    ),
    "a guest over nothing": (
        TUNNEL,
        'from = "a"',
        'from = "a"\nover = "nc-x"',
        "guest.over",
        "nc-tun",
    ),
    "a guest without a LAN": (
        TUNNEL,
        'link = "lan0"\nprefix = "10.2.0.0/24"',
        'prefix = "10.2.0.0/24"',
        "side.b.link",
        "add it",
    ),
    "a guest on a segment without a bridge": (
        SEGMENT.replace("arp_suppression = true\n", "")
        + '[guest]\naddress = "10.1.0.10"\nfrom = "a"',
        'bridge = { a = "br0", b = "nc-stretch" }',
        'bridge = { a = "br0" }',
        "guest.address",
        "no bridge on side b",
    ),
    "two tunnels alike": (
        TUNNEL.replace("[tunnel]", "[[tunnel]]").replace(
            'from = "a"', 'from = "a"\nover = "nc-tun"'
        ),
        "[guest]",
        '[[tunnel]]\nkind = "gre"\nkey = 42\nname = "nc-two"\n[guest]',
        "tunnel.1.key",
        "that of tunnel.0.key as well",
    ),
    "zero VNI": (SEGMENT, "vni = 100", "vni = 0", "extension.vni", "at least 1"),
    "no VNI": (SEGMENT, "vni = 100", "", "extension.vni", "missing"),
    "one VNI twice": (
        ROUTED,
        "vni = 101",
        'vni = 100\nname = "nc-y"',
        "extension.1.vni",
        "as well",
    ),
    "VLAN 4095": (
        SEGMENT,
        'kind = "vxlan"\nvni = 100',
        'kind = "vlan"\nvlan_id = 4095',
        "extension.vlan_id",
        "at most 4094",
    ),
    "overlapping ends": (
        ROUTED,
        "10.255.0.5/30",
        "10.255.0.2/30",
        "extension.1.addresses.a",
        "overlaps",
    ),
    "a network's own address": (
        ROUTED,
        "10.255.0.5/30",
        "10.255.0.4/30",
        "extension.1.addresses.a",
        "no host's",
    ),
    "ends apart": (
        ROUTED,
        "10.255.0.6/30",
        "10.254.0.6/30",
        "extension.1.addresses.b",
        "different",
    ),
    "one prefix two ways": (
        ROUTED,
        "10.3.0.0/16",
        "10.2.0.0/16",
        "extension.1.routes.a",
        "one way",
    ),
    "suppression without a bridge": (
        SEGMENT,
        'bridge = { a = "br0", b = "nc-stretch" }',
        "",
        "extension.arp_suppression",
        "without a bridge",
    ),
}

_MTU6 = 'kind = "ipip"\nmtu_bytes = 1279'

BAD_FAMILIES: dict[str, tuple[str, str, str, str, str]] = {
    "ends of two families": (
        TUNNEL6,
        "2001:db8:b::1",
        "192.0.2.2",
        "side.b.address",
        "an IPv6 one",
    ),
    "ends of IPv4 and IPv6": (
        TUNNEL,
        "198.51.100.1",
        "2001:db8::1",
        "side.b.address",
        "an IPv4 one",
    ),
    "no address": (TUNNEL6, "2001:db8:a::1", "2001:db8:g::1", "side.a.address", "no IPv6 address"),
    "multicast": (TUNNEL6, "2001:db8:a::1", "ff02::1", "side.a.address", "unicast"),
    "loopback": (TUNNEL6, "2001:db8:a::1", "::1", "side.a.address", "unicast"),
    "link-local": (TUNNEL6, "2001:db8:a::1", "fe80::1", "side.a.address", "link-local"),
    "IPv4 in disguise": (TUNNEL6, "2001:db8:a::1", "::ffff:192.0.2.1", "side.a.address", "clothes"),
    "host bits": (TUNNEL6, "2001:db8:1::/64", "2001:db8:1::7/64", "side.a.prefix.1", "db8:1::/64"),
    "overlap": (TUNNEL6, "2001:db8:2::/64", "2001:db8::/32", "side.b.prefix.1", "overlaps"),
    "two prefixes of a family": (
        TUNNEL6,
        '"10.1.0.0/24", "2001:db8:1::/64"',
        '"2001:db8:3::/64", "2001:db8:1::/64"',
        "side.a.prefix.1",
        "one of each family",
    ),
    "the routers' address": (
        TUNNEL6,
        "2001:db8:ff::1/64",
        "2001:db8:ff::/64",
        "tunnel.addresses.a.1",
        "no host's",
    ),
    "no length of an end": (
        TUNNEL6,
        "2001:db8:ff::1/64",
        "2001:db8:ff::1",
        "tunnel.addresses.a.1",
        '"2001:db8:ff::1/64"',
    ),
    "too long a prefix": (
        TUNNEL6,
        "2001:db8:ff::1/64",
        "2001:db8:ff::1/129",
        "tunnel.addresses.a.1",
        "no IPv6",
    ),
    "ends apart": (
        TUNNEL6,
        "2001:db8:ff::2/64",
        "2001:db8:fe::2/64",
        "tunnel.addresses.b.1",
        "different",
    ),
    "two addresses of a family": (
        TUNNEL6,
        '"10.255.0.1/30", "2001:db8:ff::1/64"',
        '"10.255.0.1/30", "10.255.0.2/30"',
        "tunnel.addresses.a.1",
        "one of each family",
    ),
    "remote through its own tunnel": (
        TUNNEL6,
        "2001:db8:77::/48",
        "2001:db8::/32",
        "tunnel.routes.a",
        "holds 2001:db8:b::1, where the tunnel itself ends",
    ),
    "head end": (SEGMENT6, "2001:db8:c::1", "203.0.113.9", "extension.head_end", "an IPv6 one"),
    "head end of IPv6": (
        SEGMENT,
        "203.0.113.9",
        "2001:db8::9",
        "extension.head_end",
        "an IPv4 one",
    ),
    "a route without a next hop": (
        SEGMENT6,
        "2001:db8:3::/48",
        "10.3.0.0/16",
        "extension.routes.a.1",
        "add an IPv4 address to extension.addresses.b",
    ),
    "a neighbour": (
        TUNNEL6,
        'gateway = "2001:db8:1::1"',
        'neighbours = ["2001:db8:1::2", "10.1.0.1"]',
        "guest.1.neighbours.1",
        "an IPv6 one",
    ),
    "a neighbour from elsewhere": (
        TUNNEL6,
        'gateway = "2001:db8:1::1"',
        'neighbours = "2001:db8:2::2"',
        "guest.1.neighbours",
        "not in side a's prefix 2001:db8:1::/64",
    ),
    "the gateway": (TUNNEL6, '"2001:db8:1::1"', '"10.1.0.1"', "guest.1.gateway", "an IPv6 one"),
    "a guest without a prefix": (
        TUNNEL6,
        '["10.2.0.0/24", "2001:db8:2::/64"]',
        '"10.2.0.0/24"',
        "side.b.prefix",
        "no IPv6 prefix",
    ),
    "a guest from elsewhere": (
        TUNNEL6,
        "2001:db8:1::10",
        "2001:db8:2::10",
        "guest.1.address",
        "not in side a's prefix 2001:db8:1::/64",
    ),
    "one guest twice, spelt differently": (
        TUNNEL6,
        '"10.1.0.10"',
        '"2001:DB8:1:0::10"',
        "guest.1.address",
        "name each guest once",
    ),
    "pmtudisc": (TUNNEL6, "[tunnel]", "[tunnel]\npmtudisc = false", "tunnel.pmtudisc", "remove"),
    "a guest in IP-in-IP": (
        TUNNEL.replace('"gre"\nkey = 42', '"ipip"').replace("10.1.0.0/24", "2001:db8:1::/64"),
        'address = "10.1.0.10"\nfrom = "a"\ngateway = "10.1.0.1"',
        'address = "2001:db8:1::10"\nfrom = "a"',
        "guest.address",
        'write kind = "gre"',
    ),
    "a route in IP-in-IP": (
        TUNNEL.replace('"gre"\nkey = 42', '"ipip"'),
        "[guest]",
        'routes = { b = "2001:db8::/32" }\n[guest]',
        "tunnel.routes.b",
        "IPv6 addresses",
    ),
    "an end in IP-in-IP": (
        TUNNEL.replace('"gre"\nkey = 42', '"ipip"'),
        "[guest]",
        'addresses = { b = "2001:db8::1/64" }\n[guest]',
        "tunnel.addresses.b",
        'kind = "gre"',
    ),
    "a narrow path": (
        TUNNEL6,
        "[side.a]",
        "path_mtu_bytes = 1279\n[side.a]",
        "path_mtu_bytes",
        "at least 1280",
    ),
    "a path too narrow for what is added": (
        TUNNEL6,
        "[side.a]",
        "path_mtu_bytes = 1319\n[side.a]",
        "path_mtu_bytes",
        "tunnel needs at least 1320",
    ),
    "a narrow link": (TUNNEL6, 'kind = "ipip"', _MTU6, "tunnel.mtu_bytes", "at least 1280"),
    "a link above the path": (
        SEGMENT6,
        "vni = 100",
        "vni = 100\nmtu_bytes = 1431",
        "extension.mtu_bytes",
        "write at most 1430",
    ),
}

BAD |= {f"{case} (families)": what for case, what in BAD_FAMILIES.items()}


@pytest.mark.parametrize(
    ("kind", "key", "bytes_"), [("ipip", "", 40), ("gre", "", 44), ("gre", "key = 1", 48)]
)
def test_what_a_tunnel_over_ipv6_adds(kind: str, key: str, bytes_: int) -> None:
    found = deployment(TUNNEL6.replace('kind = "ipip"', f'kind = "{kind}"\n{key}'))
    assert found.overhead_bytes(found.tunnel[0]) == bytes_


def test_a_segment_over_ipv6_has_70_bytes_less_than_the_path() -> None:
    found = deployment(SEGMENT6)
    assert found.mtu_of(found.extension[0]) == 1430


def test_ipv6_may_be_spelt_in_any_way_and_is_kept_in_the_kernels() -> None:
    spelt = TUNNEL6.replace("2001:db8:a::1", "2001:0DB8:A:0:0::1").replace(
        "2001:db8:ff::1/64", "2001:db8:00ff::0001/64"
    )
    assert deployment(spelt) == deployment(TUNNEL6)


def test_a_text_and_a_list_of_one_mean_the_same() -> None:
    listed = SEGMENT6.replace('"2001:db8:c::1"', '["2001:db8:c::1"]')
    assert deployment(listed) == deployment(SEGMENT6)


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_with_file_key_and_remedy(case: str, tmp_path: Path) -> None:
    text, old, new, key, said = BAD[case]
    assert old in text
    path = tmp_path / "web.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DeploymentError) as refused:
        load_deployment(path)
    lines = [line for line in str(refused.value).splitlines() if f"{path}: {key}: " in line]
    assert lines, str(refused.value)
    assert said in lines[0]


def test_a_loop_of_two_segments_between_two_bridges_is_refused() -> None:
    second = (
        '[[extension]]\nkind = "vxlan"\nvni = 101\nfragment = true\n'
        'bridge = { a = "br0", b = "nc-stretch" }\n'
    )
    with pytest.raises(DeploymentError, match="loop"):
        deployment(SEGMENT.replace("[extension]", "[[extension]]") + second)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    raw = tomllib.loads(TUNNEL.replace("key = 42", "kay = 1\nttl = 256"))
    with pytest.raises(DeploymentError) as refused:
        check(raw, "web.toml")
    assert {each.key for each in refused.value.problems} == {"tunnel.kay", "tunnel.ttl"}


def test_dates_and_other_things_of_toml_are_refused_without_a_traceback() -> None:
    raw = tomllib.loads(TUNNEL.replace("key = 42", "key = 1979-05-27"))
    with pytest.raises(DeploymentError, match=r"tunnel\.key"):
        check(raw, "web.toml")


@pytest.mark.parametrize("content", [b"\xff", b"a = ", b"[side", b"x = " + b"[" * 5000])
def test_what_is_no_toml_is_refused_with_its_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "web.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=str(path)):
        load_deployment(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_deployment(tmp_path / "none.toml")


def test_a_pipe_is_refused_at_once_instead_of_being_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "web.toml"
    os.mkfifo(path)
    assert main(["validate", str(path)]) == 2
    assert f"{path}: is a pipe, no regular file" in capsys.readouterr().err
    assert main(["up", str(path), "--side", "a", "--state-dir", str(tmp_path)]) == 2
    assert "is a pipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "why"), [("/dev/null", "a device"), ("/proc/self", "Is a directory")]
)
def test_what_is_no_regular_file_is_refused(path: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        load_deployment(Path(path))


def test_a_deployment_is_called_after_its_file() -> None:
    assert deployment_name("/etc/netcont/web.toml") == deployment_name("web") == "web"
    with pytest.raises(ConfigurationError):
        deployment_name("/etc/..")


def test_validate_ends_with_2_for_a_wrong_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong = tmp_path / "right.toml", tmp_path / "wrong.toml"
    right.write_text(TUNNEL)
    wrong.write_text(TUNNEL.replace("[tunnel]", "[tunel]"))
    assert main(["validate", str(right)]) == 0
    assert main(["validate", str(right), str(wrong)]) == 2
    said = capsys.readouterr()
    assert "right.toml: right: " in said.out
    assert "tunel: unknown key; did you mean tunnel?" in said.err
