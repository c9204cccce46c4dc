"""What an operator writes: taken over as it stands, or refused with file and key."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import pytest

from netcont.agent.config import RoleName, load_settings, read_key
from netcont.agent.settings import ForeignSettings, HomeSettings, NodeSettings
from netcont.errors import ConfigurationError
from netcont.mobileip.authentication import Algorithm
from netcont.mobileip.policy import ReverseTunnel
from netcont.mobileip.replay import Replay

KEY_HEX = "00112233445566778899aabbccddeeff" * 2
HOME = """
address = "10.0.0.1"
link = "eth0"
[[node]]
address = "10.0.0.50"
[[node.key]]
spi = 1000
key_file = "key"
"""
FOREIGN = """
address = "192.0.2.1"
link = "eth1"
[[home_agent]]
address = "10.0.0.1"
key = [{ spi = 2000, key_file = "key" }]
[[guest]]
home_address = "10.0.0.50"
home_agent = "10.0.0.1"
gateway = "10.0.0.254"
neighbours = ["10.0.0.7"]
home_network = "10.0.0.0/24"
lifetime_s = 60
key = { spi = 1000, key_file = "key" }
"""
NODE = """
home_address = "10.0.0.50"
prefixlen = 24
link = "eth0"
home_agent = "10.0.0.1"
colocated = true
key = { spi = 1000, key_file = "key", replay = "nonce" }
"""
WHOLE: dict[RoleName, str] = {"home": HOME, "foreign": FOREIGN, "node": NODE}


def written(folder: Path, text: str) -> Path:
    key = folder / "key"
    key.write_text(KEY_HEX + "\n")
    key.chmod(0o600)
    file = folder / "agent.toml"
    file.write_text(text)
    return file


def complaint(folder: Path, text: str, role: RoleName = "home") -> str:
    file = written(folder, text)
    with pytest.raises(ConfigurationError) as refused:
        load_settings(role, file)
    assert refused.value.message.startswith(f"{file}: ")
    return refused.value.message.replace(f"{file}: ", "")


def test_a_home_agent_gets_what_its_file_says(tmp_path: Path) -> None:
    text = """
        control = "@home"
        state = "/elsewhere/state"
        advertises = false
        forwards = false
        max_lifetime_s = 60
        max_simultaneous = 2
        max_bindings = 10
        reverse_tunnel = "required"
        gre = false
        tolerance_s = 3
    """
    settings = load_settings("home", written(tmp_path, text + HOME))
    assert isinstance(settings, HomeSettings)
    assert (settings.address, settings.link) == (IPv4Address("10.0.0.1"), "eth0")
    assert (settings.control, settings.state) == ("@home", Path("/elsewhere/state"))
    assert (settings.advertises, settings.forwards) == (False, False)
    (node,) = settings.nodes
    assert node.address == IPv4Address("10.0.0.50")
    (key,) = node.keys
    assert (key.spi, key.algorithm, key.key) == (
        1000,
        Algorithm.HMAC_SHA256,
        bytes.fromhex(KEY_HEX),
    )
    policy = settings.policy
    assert (policy.max_lifetime_s, policy.max_simultaneous, policy.max_bindings) == (60, 2, 10)
    assert policy.reverse_tunnel is ReverseTunnel.REQUIRED
    assert (policy.gre, policy.tolerance_s) == (False, 3.0)


def test_a_foreign_agent_gets_its_guests(tmp_path: Path) -> None:
    settings = load_settings("foreign", written(tmp_path, FOREIGN))
    assert isinstance(settings, ForeignSettings)
    (guest,) = settings.guests
    assert guest.gateway == IPv4Address("10.0.0.254")
    assert guest.neighbours == (IPv4Address("10.0.0.7"),)
    assert guest.home_network == "10.0.0.0/24"
    assert guest.policy.lifetime_s == 60
    assert settings.home_agents[0].keys[0].spi == 2000


def test_a_node_gets_its_key(tmp_path: Path) -> None:
    settings = load_settings("node", written(tmp_path, NODE))
    assert isinstance(settings, NodeSettings)
    assert settings.colocated
    assert settings.address == IPv4Address("10.0.0.50")
    assert settings.key.replay is Replay.NONCE


@pytest.mark.parametrize("role", ["home", "foreign", "node"])
def test_what_is_not_said_has_a_place_of_the_system(tmp_path: Path, role: str) -> None:
    name = cast("RoleName", role)
    settings = load_settings(name, written(tmp_path, WHOLE[name]))
    assert settings.control == f"/run/netcont/{role}.sock"
    assert settings.state == Path(f"/var/lib/netcont/{role}.sqlite")
    assert settings.forwards
    assert settings.advertises


def test_key_files_lie_beside_the_file_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, HOME)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    load_settings("home", Path("..") / file.name)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("link", "lnk", "lnk: Extra inputs"),
        ('link = "eth0"\n', "", "link: Field required"),
        ('"eth0"', '"a-link-of-16-chr"', "link: String should have at most 15"),
        ('"10.0.0.1"', '"fe80::1"', "address: Input is not a valid IPv4 address"),
        ('"10.0.0.1"', '"0.0.0.0"', "address: Value error, no host has this address"),
        ('"10.0.0.1"', '"224.0.0.1"', "address: Value error, no host has this address"),
        ('"10.0.0.1"', "167772161", "address: Value error, write the address as a string"),
        ('"10.0.0.50"', '"10.0.0.500"', "node.0.address: Input is not a valid IPv4 address"),
        ("spi = 1000", 'spi = "x"', "node.0.key.0.spi: Input should be a valid integer"),
        ("spi = 1000\n", "", "node.0.key.0.spi: Field required"),
        ("spi = 1000", "spi = 255", "node.0.key.0: SPI 255 is reserved"),
        ("spi = 1000", "spi = 0", "node.0.key.0: SPI 0 is reserved"),
        ("spi = 1000", "spi = 4294967296", "node.0.key.0: SPI 4294967296 is reserved"),
        ("spi = 1000", 'spi = 1000\nalgorithm = "md4"', "node.0.key.0.algorithm: Input should be"),
        (
            "spi = 1000",
            'spi = 1000\nalgorithm = "keyed-md5"',
            "node.0.key.0: SPI 1000: keyed MD5 is broken",
        ),
        ("spi = 1000", 'spi = 1000\nreplay = "none"', "node.0.key.0.replay: Input should be"),
        ("spi = 1000", "spi = 1000\nkey_fil = 1", "node.0.key.0.key_fil: Unexpected keyword"),
        ("[[node.key]]", "key = []\n[other]", "node.0.key: List should have at least 1 item"),
        ("link", "tolerance_s = 0\nlink", "tolerance_s: Input should be greater than 0"),
        ("link", "tolerance_s = nan\nlink", "tolerance_s: Input should be a finite number"),
        ("link", "max_lifetime_s = 0\nlink", "max_lifetime_s: Input should be greater than"),
        ("link", "max_lifetime_s = 65536\nlink", "max_lifetime_s: Input should be less than"),
        ("link", "max_simultaneous = 0\nlink", "max_simultaneous is 0"),
        ("link", 'reverse_tunnel = "yes"\nlink', "reverse_tunnel: Input should be"),
        ("link", 'forwards = "perhaps"\nlink', "forwards: Input should be a valid boolean"),
    ],
)
def test_a_wrong_key_of_a_home_agent_is_named(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said in complaint(tmp_path, HOME.replace(old, new, 1))


@pytest.mark.parametrize(
    ("role", "old", "new", "said"),
    [
        ("foreign", "lifetime_s = 60", "lifetime_s = 0", "guest.0.lifetime_s: Input should be"),
        ("foreign", "10.0.0.0/24", "10.0.0.1/24", "guest.0.home_network: Input is not a valid"),
        ("foreign", '["10.0.0.7"]', '["::1"]', "guest.0.neighbours.0: Input is not a valid"),
        ("foreign", "lifetime_s = 60", "first_retry_s = 0.1", "retries begin after 0.1 s"),
        ("foreign", "link", "advertisement_interval_s = 0.0\nlink", "advertisement_interval_s is"),
        ("foreign", "spi = 1000", "spi = 9", "guest.0.key: SPI 9 is reserved"),
        ("foreign", "spi = 2000", "spi = 9", "home_agent.0.key.0: SPI 9 is reserved"),
        ("node", "prefixlen = 24", "prefixlen = 31", "prefixlen: Input should be less than"),
        ("node", "spi = 1000", "spi = 9", "key: SPI 9 is reserved"),
        ("node", "colocated = true", "colocatd = true", "colocatd: Extra inputs"),
    ],
)
def test_a_wrong_key_of_the_others_is_named(
    tmp_path: Path, role: str, old: str, new: str, said: str
) -> None:
    name = cast("RoleName", role)
    assert said in complaint(tmp_path, WHOLE[name].replace(old, new, 1), name)


def test_all_wrong_keys_are_told_at_once(tmp_path: Path) -> None:
    text = HOME.replace("link", "lnk").replace("spi", "sip")
    told = complaint(tmp_path, text).splitlines()
    keys = {line.partition(":")[0] for line in told}
    assert keys == {"link", "lnk", "node.0.key.0.spi", "node.0.key.0.sip"}


def test_a_node_or_an_spi_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    node = HOME[HOME.index("[[node]]") :]
    assert "node: 10.0.0.50 is there twice" in complaint(tmp_path, HOME + node)
    key = HOME[HOME.index("[[node.key]]") :]
    assert "node.0.key: 1000 is there twice" in complaint(tmp_path, HOME + key)


def test_keyed_md5_is_taken_if_it_is_allowed(tmp_path: Path) -> None:
    text = HOME.replace("spi = 1000", 'spi = 1000\nalgorithm = "keyed-md5"\nallow_weak = true')
    settings = load_settings("home", written(tmp_path, text))
    assert isinstance(settings, HomeSettings)
    assert settings.nodes[0].keys[0].algorithm is Algorithm.KEYED_MD5


@pytest.mark.parametrize("wrong", ['key = "hunter2hunter2"', 'secret = "hunter2hunter2"'])
def test_a_key_in_the_wrong_place_is_not_shown(tmp_path: Path, wrong: str) -> None:
    text = HOME.replace("[[node.key]]", f"{wrong}\n[other]")
    assert "hunter2" not in complaint(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file") as refused:
        load_settings("home", tmp_path / "missing.toml")
    assert str(tmp_path / "missing.toml") in refused.value.message


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load_settings("home", tmp_path)


@pytest.mark.parametrize("body", [b"address = ", b"\xff\xfe", b"address = 10.0.0.1\n"])
def test_what_is_not_toml_is_refused(tmp_path: Path, body: bytes) -> None:
    file = tmp_path / "agent.toml"
    file.write_bytes(body)
    with pytest.raises(ConfigurationError, match="not TOML"):
        load_settings("home", file)


def key_file(folder: Path, body: bytes, mode: int = 0o600) -> Path:
    file = folder / "key"
    file.write_bytes(body)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o777, 0o610])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    file = key_file(tmp_path, b"x" * 32, mode)
    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}") as refused:
        read_key(file)
    assert f"chmod 600 {file}" in refused.value.remedy


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (KEY_HEX.encode() + b"\n", bytes.fromhex(KEY_HEX)),
        (KEY_HEX.upper().encode(), bytes.fromhex(KEY_HEX)),
        (b"a pass phrase of some length\n", b"a pass phrase of some length"),
        (b"\n\xf0raw bytes\x00 end in a blank ", b"\n\xf0raw bytes\x00 end in a blank "),
    ],
)
def test_a_key_is_hexadecimal_or_text_or_bytes(tmp_path: Path, body: bytes, key: bytes) -> None:
    assert read_key(key_file(tmp_path, body)) == key


@pytest.mark.parametrize("body", [b"", b"\n", b"00" * 15, b"fifteen letters"])
def test_a_short_key_is_refused(tmp_path: Path, body: bytes) -> None:
    file = written(tmp_path, HOME)
    key_file(tmp_path, body)
    with pytest.raises(ConfigurationError, match=r"node\.0\.key\.0: the key of SPI 1000 has"):
        load_settings("home", file)


def test_a_file_that_is_too_long_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no key"):
        read_key(key_file(tmp_path, b"x" * 5000))


def test_a_missing_key_is_named_with_a_way_to_make_one(tmp_path: Path) -> None:
    file = written(tmp_path, HOME)
    (tmp_path / "key").unlink()
    with pytest.raises(ConfigurationError, match=r"node\.0\.key\.0: ") as refused:
        load_settings("home", file)
    assert f"openssl rand -hex 32 > {tmp_path / 'key'}" in refused.value.remedy
