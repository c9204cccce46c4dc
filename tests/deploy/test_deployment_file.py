"""What a deployment file may say, and what is said of everything else."""

from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest

from netcont.cli.main import main
from netcont.deploy.file import check, deployment_name, deployment_schema, load_deployment
from netcont.deploy.problems import DeploymentError
from netcont.errors import ConfigurationError
from netcont.model.deployment import Deployment

from .files import ROUTED, SEGMENT, TUNNEL, deployment

ALL = (TUNNEL, SEGMENT, ROUTED)


@pytest.mark.parametrize("text", ALL)
def test_right_files_are_right_also_for_the_schema(text: str) -> None:
    assert isinstance(deployment(text), Deployment)
    jsonschema.validate(tomllib.loads(text), deployment_schema())


def test_one_table_and_a_list_of_one_mean_the_same() -> None:
    assert deployment(TUNNEL.replace("[tunnel]", "[[tunnel]]")) == deployment(TUNNEL)


BAD: dict[str, tuple[str, str, str, str, str]] = {
    "unknown key": (TUNNEL, "key = 42", "kez = 42", "tunnel.kez", "did you mean key?"),
    "the model's word": (TUNNEL, 'from = "a"', 'source = "a"', "guest.from", "add it"),
    "wrong type": (TUNNEL, "key = 42", 'key = "42"', "tunnel.key", "at least 0"),
    "wrong side": (TUNNEL, 'from = "a"', 'from = "c"', "guest.from", '"a" or "b"'),
    "IPv6": (TUNNEL, '"192.0.2.1"', '"2001:db8::1"', "side.a.address", "wrong family"),
    "no address": (TUNNEL, '"192.0.2.1"', '"192.0.2.300"', "side.a.address", "no IPv4"),
    "multicast": (TUNNEL, '"192.0.2.1"', '"224.0.0.1"', "side.a.address", "unicast"),
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
        "tunnel.routes.a.0",
        "holds 198.51.100.1, where the tunnel itself ends",
    ),
    "everything through the tunnel": (
        TUNNEL,
        "key = 42",
        'routes = { a = ["0.0.0.0/0"] }',
        "tunnel.routes.a.0",
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
        "extension.1.routes.a.0",
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
