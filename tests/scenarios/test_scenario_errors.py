"""Everything that can be wrong with a scenario file, and the line that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from netcont.errors import ConfigurationError
from netcont.scenarios import ScenarioError, load_scenario

KINDS = "tcp-echo, tcp-bulk-up, tcp-bulk-down, request, udp-up, udp-down, program"
PHASES = "prepare, copy, pause, switch, resume, announce, settle, retire"
APPROACHES = (
    "readdress, blackhole, announce, ddns, ipip, gre, vlan, vxlan,"
    " mobileip, mobileip-plain, mobileip-colocated"
)

CASES: list[tuple[str, str, str]] = [
    # Keys that do not exist.
    (
        "a key with its unit in it",
        "[network.a_b]\ndelay_ms = 5",
        'network.a_b.delay_ms: unknown key; write delay_s = "5 ms"',
    ),
    (
        "a key without its unit",
        '[network.a_b]\nrate = "5 Mbit/s"',
        'network.a_b.rate: unknown key; write rate_bps, with a value such as "100 Mbit/s"',
    ),
    (
        "a size in another unit",
        "[guest]\nmemory_mib = 64",
        'guest.memory_mib: unknown key; write memory_bytes = "64 MiB"',
    ),
    (
        "a misspelt key",
        '[network]\ntopolgy = "lan"',
        "network.topolgy: unknown key; write topology",
    ),
    (
        "a misspelt section",
        "[[clients]]\nkind = 'request'",
        "clients: unknown key; write client",
    ),
    (
        "a key at the wrong place",
        "ttl_s = 3",
        "ttl_s: unknown key; there is dns.ttl_s",
    ),
    (
        "a key that has several places",
        "delay_s = 3",
        "delay_s: unknown key; there is network.clients_a.delay_s or network.clients_b.delay_s"
        " or network.a_b.delay_s or network.circuit.delay_s",
    ),
    (
        "a misspelt key at the wrong place",
        "arp_supression = true",
        "arp_supression: unknown key; the nearest right key is vxlan.arp_suppression",
    ),
    (
        "a key like no other",
        "[vlan]\nqqq = 1",
        "vlan.qqq: unknown key; there are vlan_id",
    ),
    (
        "a key that is no plain word",
        '[vlan]\n"q\\nq" = 1',
        r'vlan."q\nq": unknown key; there are vlan_id',
    ),
    # Types and units.
    (
        "a wrong unit",
        '[network.a_b]\ndelay_s = "50 metres"',
        "network.a_b.delay_s: '50 metres' is not a duration;"
        " write a number with one of the units s, ms, us, min, h",
    ),
    (
        "a unit of another quantity",
        '[guest]\nmemory_bytes = "16 Mbit"',
        "guest.memory_bytes: '16 Mbit' is not a size;"
        " write a number with one of the units B, KiB, MiB, GiB, kB, MB, GB",
    ),
    (
        "a text instead of a number",
        '[vlan]\nvlan_id = "7"',
        'vlan.vlan_id: "7" is not a whole number;'
        " write a whole number, at least 1 and at most 4094",
    ),
    (
        "a number instead of a text",
        "name = 5",
        "name: 5 is not a text; write a text in quotes",
    ),
    (
        "a fraction of a thing",
        "[migration]\nmax_rounds = 2.5",
        "migration.max_rounds: 2.5 is not a whole number;"
        " write a whole number, at least 1 and at most 100",
    ),
    (
        "true instead of a number",
        "[network.a_b]\nloss = true",
        "network.a_b.loss: true is not a number; write a number, at least 0 and below 1",
    ),
    (
        "a text instead of true",
        '[tunnel]\nreverse = "yes"',
        'tunnel.reverse: "yes" is not true or false; write true or false',
    ),
    (
        "a value instead of a table",
        "network = 5",
        "network: 5 is not a table; write [network] above its keys",
    ),
    (
        "a table instead of a list",
        '[client]\nkind = "request"',
        'client: {"kind": "request"} is not a list of tables;'
        " write [[client]] above each table of the list",
    ),
    (
        "a text instead of a list",
        'approaches = "ipip"',
        'approaches: "ipip" is not a list; write a list of texts, such as ["ipip", "gre"]',
    ),
    (
        "a list with something else in it",
        'approaches = ["ipip", 4]',
        "approaches.1: 4 is not a text; write a text in quotes",
    ),
    (
        "a date",
        "seed = 2001-01-01",
        "seed: a date cannot stand here; write a whole number, at least 0",
    ),
    (
        "a number that is not finite",
        "[network.a_b]\ndelay_s = inf",
        "network.a_b.delay_s: inf is not a finite number;"
        ' write a number of seconds or a text such as "50 ms", at least 0 and at most 60',
    ),
    (
        "a number that is too long",
        "seed = 99999999999999999999",
        "seed: is a number of more than 64 bits; write a whole number, at least 0",
    ),
    # Ranges.
    (
        "a negative delay",
        '[network.a_b]\ndelay_s = "-5 ms"',
        'network.a_b.delay_s: "-5 ms" is out of range;'
        ' write a number of seconds or a text such as "50 ms", at least 0 and at most 60',
    ),
    (
        "a negative delay of the way back",
        "[network.a_b]\nreverse_delay_s = -1",
        "network.a_b.reverse_delay_s: -1 is out of range; write a number of seconds"
        ' or a text such as "50 ms", at least 0 and at most 60, or "none"',
    ),
    (
        "a probability of one",
        "[network.clients_a]\nloss = 1",
        "network.clients_a.loss: 1 is out of range; write a number, at least 0 and below 1",
    ),
    (
        "a probability below zero",
        "[network.clients_a]\nreverse_loss = -0.1",
        "network.clients_a.reverse_loss: -0.1 is out of range;"
        ' write a number, at least 0 and below 1, or "none"',
    ),
    (
        "a rate of nothing",
        "[network.a_b]\nrate_bps = 0",
        "network.a_b.rate_bps: 0 is out of range; write a number of bits per second"
        ' or a text such as "100 Mbit/s", at least 1000 and at most 1000000000000',
    ),
    (
        "a VLAN that there cannot be",
        "[vlan]\nvlan_id = 4095",
        "vlan.vlan_id: 4095 is out of range; write a whole number, at least 1 and at most 4094",
    ),
    (
        "a VNI of zero",
        "[vxlan]\nvni = 0",
        "vxlan.vni: 0 is out of range; write a whole number, at least 1 and at most 16777215",
    ),
    (
        "an MTU below 576",
        "[network]\nmtu_bytes = 500",
        "network.mtu_bytes: 500 is out of range;"
        " write a whole number, at least 576 and at most 9000",
    ),
    (
        "an empty text",
        '[guest]\nkind = ""',
        "guest.kind: the text is empty; write a text, not an empty one",
    ),
    # Names of things.
    (
        "an unknown approach",
        'approaches = ["ipp"]',
        f"approaches.0: unknown approach 'ipp'; did you mean 'ipip'? there are {APPROACHES}",
    ),
    (
        "an unknown part of a composition",
        'approaches = ["ddns+wxlan"]',
        f"approaches.0: unknown approach 'wxlan'; did you mean 'vxlan'? there are {APPROACHES}",
    ),
    (
        "a composition that contradicts itself",
        'approaches = ["gre+ipip"]',
        "approaches.0: 'gre+ipip' cannot be composed;"
        " join ddns with one approach that keeps the address, such as ddns+ipip",
    ),
    (
        "an approach twice",
        'approaches = ["ipip", "gre", "ipip"]',
        'approaches.2: "ipip" stands there twice; remove one',
    ),
    (
        "an unknown place",
        '[[client]]\nkind = "request"\nplace = "at_a"',
        'client.0.place: "at_a" is not one of remote, at-a, at-b; write "at-a"',
    ),
    (
        "a place like no other",
        '[[client]]\nkind = "request"\nplace = "moon"',
        'client.0.place: "moon" is not one of remote, at-a, at-b; write one of remote, at-a, at-b',
    ),
    (
        "an unknown kind of client",
        '[[client]]\nkind = "tcp-ech"',
        f'client.0.kind: "tcp-ech" is not one of {KINDS}; write "tcp-echo"',
    ),
    (
        "a client without a kind",
        '[[client]]\nplace = "at-a"',
        f"client.0.kind: missing; add it as one of {KINDS}",
    ),
    (
        "a phase that a move does not have",
        '[[fault]]\nkind = "wan-cut"\nphase = "resumed"',
        f'fault.0.phase: "resumed" is not one of {PHASES}; write "resume"',
    ),
    (
        "an unknown fault",
        '[[fault]]\nkind = "wan-cutt"\nphase = "copy"',
        'fault.0.kind: "wan-cutt" is not one of wan-cut, kill-source, kill-destination;'
        ' write "wan-cut"',
    ),
    (
        "an unknown topology",
        '[network]\ntopology = "two_sites"',
        'network.topology: "two_sites" is not known; there is two_site, lan, three_site;'
        ' write "two_site"',
    ),
    (
        "a guest that is not built",
        '[guest]\nkind = "machine"',
        'guest.kind: "machine" is not known; there is namespace; write "namespace"',
    ),
    (
        "a strategy that is not built",
        '[migration]\nstrategy = "post-copy"',
        'migration.strategy: "post-copy" is not known; there is pre-copy; write "pre-copy"',
    ),
    (
        "a weak algorithm",
        '[dns]\nalgorithm = "hmac-md5"',
        'dns.algorithm: "hmac-md5" is not known; there is hmac-sha256, hmac-sha384, hmac-sha512;'
        ' write "hmac-sha512"',
    ),
    (
        "a domain that is none",
        '[dns]\nzone = "lab..test"',
        'dns.zone: "lab..test" is not a domain name;'
        ' write labels joined by dots, such as "lab.test"',
    ),
    (
        "a name that cannot be a folder's",
        'name = "../etc"',
        'name: "../etc" cannot name a folder of results;'
        " write at most 64 letters, digits, dots, dashes and underscores",
    ),
    # Addresses.
    (
        "overlapping subnets",
        '[network]\na_prefix = "10.2.0.0/16"',
        'network.b_prefix: "10.2.0.0/24" overlaps with a_prefix, "10.2.0.0/16";'
        " give every site addresses of its own",
    ),
    (
        "an address of the wrong family",
        '[network]\nb_prefix = "2001:db8::/64"',
        'network.b_prefix: "2001:db8::/64" is an IPv6 prefix, but family is 4;'
        ' write an IPv4 prefix such as "10.1.0.0/24"',
    ),
    (
        "a family that there is not",
        "[network]\nfamily = 5",
        "network.family: 5 is not one of 4, 6; write one of 4, 6",
    ),
    (
        "a family in words",
        '[network]\nfamily = "IPv6"',
        'network.family: "IPv6" is not one of 4, 6; write one of 4, 6',
    ),
    (
        "an address of the other wrong family",
        '[network]\nfamily = 6\na_prefix = "10.1.0.0/24"',
        'network.a_prefix: "10.1.0.0/24" is an IPv4 prefix, but family is 6;'
        ' write an IPv6 prefix such as "2001:db8:1::/64"',
    ),
    (
        "an empty prefix",
        '[network]\na_prefix = ""',
        "network.a_prefix: the text is empty; write a text, not an empty one",
    ),
    (
        "a prefix of IPv6 that is too small",
        '[network]\nfamily = 6\nb_prefix = "2001:db8:9::/65"',
        'network.b_prefix: "2001:db8:9::/65" has no length from /16 to /64;'
        ' write an IPv6 prefix such as "2001:db8:1::/64"',
    ),
    (
        "a prefix that is written in another way",
        '[network]\nfamily = 6\nb_prefix = "2001:0db8:9::/64"',
        'network.b_prefix: "2001:0db8:9::/64" is an address within a prefix;'
        ' write "2001:db8:9::/64"',
    ),
    (
        "a prefix for everybody",
        '[network]\nfamily = 6\nclient_prefix = "ff02::/64"',
        'network.client_prefix: "ff02::/64" is not for hosts;'
        ' write an IPv6 prefix such as "2001:db8:1::/64"',
    ),
    (
        "a prefix of every link",
        '[network]\nfamily = 6\nclient_prefix = "fe80::/64"',
        'network.client_prefix: "fe80::/64" is not for hosts;'
        ' write an IPv6 prefix such as "2001:db8:1::/64"',
    ),
    (
        "a prefix of IPv4 in IPv6",
        '[network]\nfamily = 6\nclient_prefix = "64:ff9b::/64"',
        'network.client_prefix: "64:ff9b::/64" is not for hosts;'
        ' write an IPv6 prefix such as "2001:db8:1::/64"',
    ),
    (
        "a prefix of the providers' of IPv6",
        '[network]\nfamily = 6\nclient_prefix = "2001:db8::/32"',
        'network.client_prefix: "2001:db8::/32" overlaps with 2001:db8:ffff::/64, which joins the'
        ' providers; write an IPv6 prefix such as "2001:db8:1::/64"',
    ),
    (
        "an MTU that IPv6 has not",
        "[network]\nfamily = 6\nmtu_bytes = 1279",
        "network.mtu_bytes: 1279 is less than what every link of IPv6 carries; write at least 1280",
    ),
    (
        "an approach of IPv4",
        'approaches = ["gre", "mobileip"]\n[network]\nfamily = 6',
        "approaches.1: 'mobileip' is Mobile IP for IPv4 (RFC 5944), but network.family is 6;"
        " take one of readdress, blackhole, ddns, ipip, gre, vlan, vxlan, ddns+ipip, or family 4",
    ),
    (
        "an address instead of a prefix",
        '[network]\nb_prefix = "10.9.0.7/24"',
        'network.b_prefix: "10.9.0.7/24" is an address within a prefix; write "10.9.0.0/24"',
    ),
    (
        "a prefix that is too small",
        '[network]\nb_prefix = "10.9.0.0/25"',
        'network.b_prefix: "10.9.0.0/25" has no length from /8 to /24;'
        ' write an IPv4 prefix such as "10.1.0.0/24"',
    ),
    (
        "a prefix that is none",
        '[network]\nclient_prefix = "10.9.0"',
        'network.client_prefix: "10.9.0" is not a prefix;'
        ' write an IPv4 prefix such as "10.1.0.0/24"',
    ),
    (
        "a prefix without hosts",
        '[network]\nclient_prefix = "127.0.0.0/24"',
        'network.client_prefix: "127.0.0.0/24" is not for hosts;'
        ' write an IPv4 prefix such as "10.1.0.0/24"',
    ),
    (
        "a prefix of the providers",
        '[network]\nclient_prefix = "192.0.2.0/24"',
        'network.client_prefix: "192.0.2.0/24" overlaps with 192.0.2.0/24, which joins the'
        ' providers; write an IPv4 prefix such as "10.1.0.0/24"',
    ),
    # What does not fit together.
    (
        "more working set than memory",
        '[guest]\nmemory_bytes = "1 MiB"\nworking_set_bytes = "2 MiB"',
        "guest.working_set_bytes: 2097152 is larger than memory_bytes, 1048576;"
        " make it smaller, or the memory larger",
    ),
    (
        "half a page of memory",
        "[guest]\nmemory_bytes = 10000000",
        "guest.memory_bytes: 10000000 is not a multiple of the page size, 4096; write 10002432",
    ),
    (
        "a program without a command",
        '[[client]]\nkind = "program"',
        'client.0.command: a program needs a command; write command = "…"',
    ),
    (
        "a command without a program",
        '[[client]]\nkind = "request"\ncommand = "curl server"',
        'client.0.command: request runs no command; write kind = "program", or remove the command',
    ),
    (
        "a command that ends early",
        '[server]\ncommand = "a\\u0000b"',
        "server.command: a command cannot hold the character 0; remove it",
    ),
    (
        "a server without a command",
        "[server]\nready_port = 80",
        "server.command: missing; add it as a text",
    ),
    (
        "no client at all",
        "client = []",
        "client: there is no client; write at least one [[client]]",
    ),
    (
        "no client of a kind",
        '[[client]]\nkind = "request"\ncount = 0',
        "client.0.count: 0 is out of range; write a whole number, at least 1 and at most 1000",
    ),
    (
        "two clients of one name",
        '[[client]]\nkind = "request"\nname = "x"\n[[client]]\nkind = "udp-up"\nname = "x"',
        'client.1.name: "x" is also the name of client.0;'
        " give it a name of its own, or raise the other's count",
    ),
    (
        "two clients of one made-up name",
        '[[client]]\nkind = "udp-up"\ncount = 2\n[[client]]\nkind = "udp-up"\ncount = 3',
        'client.1.name: "udp-up@remote-1" is also the name of client.0;'
        " give it a name of its own, or raise the other's count",
    ),
    (
        "a client's name that cannot be a file's",
        '[[client]]\nkind = "udp-up"\nname = "a/b"',
        'client.0.name: "a/b" cannot be a client\'s name;'
        " write at most 64 letters, digits and any of . _ @ + -",
    ),
    (
        "a cut that cuts nothing",
        '[[fault]]\nkind = "wan-cut"\nphase = "copy"\nduration_s = 0',
        'fault.0.duration_s: a cut of 0 s cuts nothing; write how long it lasts, such as "3 s"',
    ),
    (
        "a threshold for an unknown approach",
        "[expect]\nmax_broken = { ipipp = 0 }",
        "expect.max_broken.ipipp: unknown approach 'ipipp';"
        f" did you mean 'ipip'? there are {APPROACHES}",
    ),
    (
        "a threshold for an approach that is not run",
        'approaches = ["ipip"]\n[expect]\nmax_gap_s = { gre = "1 s" }',
        'expect.max_gap_s.gre: is not run; add "gre" to approaches, or remove this threshold',
    ),
    (
        "a threshold below zero",
        "[expect]\nmax_broken = { ipip = -1 }",
        "expect.max_broken.ipip: -1 is out of range; write a whole number, at least 0",
    ),
]


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("toml", "message"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_what_is_wrong_is_said_in_one_line(in_folder: Path, toml: str, message: str) -> None:
    (in_folder / "my.toml").write_text(toml, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_scenario("my.toml")
    assert str(caught.value) == f"my.toml: {message}"
    assert caught.value.exit_code == 2


def test_everything_that_is_wrong_is_said_at_once(in_folder: Path) -> None:
    (in_folder / "my.toml").write_text(
        'approaches = ["ipipp"]\n[network]\ntopolgy = "lan"\nb_prefix = "10.1.0.0/24"\n'
        '[guest]\nmemory_bytes = "1 foo"\nworking_set_bytes = "64 MiB"\n'
        '[[client]]\ncount = 2\n[[client]]\nkind = "program"\n',
        encoding="utf-8",
    )
    with pytest.raises(ScenarioError) as caught:
        load_scenario("my.toml", ["vlan.vlan_id=0"])
    lines = str(caught.value).splitlines()
    assert lines[0] == "7 things are wrong with the scenario"
    assert [line.split(": ")[:2] for line in lines[1:]] == [
        ["  my.toml", "network.topolgy"],
        ["  my.toml", "guest.memory_bytes"],
        ["  --set", "vlan.vlan_id"],
        ["  my.toml", "client.0.kind"],
        ["  my.toml", "network.b_prefix"],
        ["  my.toml", "client.1.command"],
        ["  my.toml", "approaches.0"],
    ]


def test_what_rests_on_a_wrong_value_is_not_complained_of(in_folder: Path) -> None:
    (in_folder / "my.toml").write_text(
        '[guest]\nmemory_bytes = "64 megs"\nworking_set_bytes = "32 MiB"\n', encoding="utf-8"
    )
    with pytest.raises(ScenarioError) as caught:
        load_scenario("my.toml")
    assert [problem.key for problem in caught.value.problems] == ["guest.memory_bytes"]


@pytest.mark.parametrize(
    ("name", "message", "remedy"),
    [
        pytest.param(
            "defalt",
            "defalt: there is no such built-in scenario, and no such file",
            "did you mean default? there are default, ",
            id="a misspelt name",
        ),
        pytest.param(
            "nothing.toml",
            "nothing.toml: there is no such file",
            "name a TOML file, or one of default, ",
            id="a file that is missing",
        ),
        pytest.param("", '"": there is no such', "there are default, ", id="no name"),
        pytest.param(
            "folder",
            "folder: cannot be read: Is a directory",
            "name a TOML file that you may read",
            id="a folder",
        ),
        pytest.param("a\0b", "a\0b: cannot be read: ", "name a TOML file", id="no name of a file"),
        pytest.param(
            "latin.toml",
            "latin.toml: line 2 is not UTF-8 text",
            "save the file as UTF-8",
            id="text in another encoding",
        ),
        pytest.param(
            "torn.toml",
            "torn.toml: line 2, column 8: not TOML: ",
            "mend that line",
            id="something that is not TOML",
        ),
        pytest.param(
            "deep.toml", "deep.toml: not TOML: ", "shorten the number, or nest", id="too deep"
        ),
        pytest.param(
            "long.toml", "long.toml: not TOML: ", "shorten the number", id="too long a number"
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_a_remedy(
    in_folder: Path, name: str, message: str, remedy: str
) -> None:
    (in_folder / "folder").mkdir()
    (in_folder / "latin.toml").write_bytes(b"# one\n# caf\xe9\n")
    (in_folder / "torn.toml").write_text("seed = 1\nname = \n", encoding="utf-8")
    (in_folder / "deep.toml").write_text(f"seed = {'[' * 9999}", encoding="utf-8")
    (in_folder / "long.toml").write_text(f"seed = {'9' * 5000}", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_scenario(name)
    assert caught.value.message.startswith(message)
    assert caught.value.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set 'seed' is not KEY=VALUE"),
        ("=3", "--set '=3' is not KEY=VALUE"),
        ("network..delay_s=3", "--set 'network..delay_s=3' is not KEY=VALUE"),
        ("client.count=3", "--set client.count: client is a list"),
        ("client.99.count=3", "--set client.99: client has 18 entries"),
        ("name.x=3", "--set name.x: name is a value, not a table"),
        ("name.x.y=3", "--set name.x: name is a value, not a table"),
        ("seed=-1", "--set: seed: -1 is out of range; write a whole number, at least 0"),
        (
            "network.a_b.delay_ms=5",
            '--set: network.a_b.delay_ms: unknown key; write delay_s = "5 ms"',
        ),
        ("vlan.vlan_id=none", '--set: vlan.vlan_id: "none" is not a whole number'),
    ],
)
def test_a_wrong_override_is_named_as_one(override: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_scenario("default", [override])
    assert str(caught.value).startswith(message)
