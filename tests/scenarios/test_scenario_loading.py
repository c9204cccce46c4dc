"""Scenario files that are right: what they mean, and what overrides make of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netcont.approach import DEFAULT_APPROACHES
from netcont.errors import ConfigurationError
from netcont.model.scenario import Client, ClientKind, Place, Scenario, default_clients, each_client
from netcont.scenarios import builtin_names, check_mapping, load_scenario, scenario_text
from netcont.scenarios.shape import every_key

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a scenario file and returns its path."""

    def written(toml: str) -> str:
        path = tmp_path / "my file.toml"
        path.write_text(toml, encoding="utf-8")
        return str(path)

    return written


def test_the_default_scenario_is_what_the_dataclasses_say() -> None:
    loaded = load_scenario("default")
    assert loaded == replace(
        Scenario(), approaches=DEFAULT_APPROACHES, description=loaded.description
    )


def test_the_default_scenario_has_twenty_connections() -> None:
    clients = each_client(load_scenario("default").client)
    assert len(clients) == 20
    assert len({client.name for client in clients}) == 20


@pytest.mark.parametrize("name", builtin_names())
def test_a_built_in_scenario_is_right_and_described(name: str) -> None:
    loaded = load_scenario(name)
    assert loaded.name == name
    assert loaded.description and "\n" not in loaded.description


def test_there_is_a_scenario_for_each_use_of_the_field() -> None:
    assert builtin_names() == (
        "default",
        "disaster-avoidance",
        "maintenance",
        "relocation",
        "spill-over",
        "test-to-production",
    )


def test_disaster_avoidance_has_200_ms_and_many_clients() -> None:
    loaded = load_scenario("disaster-avoidance")
    path = loaded.network.a_b
    assert path.delay_s + path.reversed().delay_s == 0.2
    assert len(each_client(loaded.client)) == 60


def test_an_empty_file_is_the_default_under_the_files_name(write: Write) -> None:
    loaded = load_scenario(write(""))
    assert loaded == replace(Scenario(), name="my-file", approaches=DEFAULT_APPROACHES)


def test_quantities_are_read_with_and_without_units(write: Write) -> None:
    path = write(
        '[network.a_b]\ndelay_s = "35 ms"\nreverse_delay_s = 0.5\nrate_bps = "2 Mbit/s"\n'
        '[guest]\nmemory_bytes = "8 MiB"\nworking_set_bytes = 4096\n'
    )
    loaded = load_scenario(path)
    assert loaded.network.a_b.delay_s == 0.035
    assert loaded.network.a_b.reverse_delay_s == 0.5
    assert loaded.network.a_b.rate_bps == 2e6
    assert loaded.guest.memory_bytes == 8 * 2**20


def test_none_is_written_as_a_text(write: Write) -> None:
    assert load_scenario(write('[tunnel]\nkey = "none"')).tunnel.key is None
    assert load_scenario("default", ["tunnel.key=none"]).tunnel.key is None


def test_a_byte_order_mark_does_no_harm(write: Write) -> None:
    assert load_scenario(write("\ufeffseed = 7")).seed == 7


def test_a_program_needs_no_server_of_the_users(write: Write) -> None:
    loaded = load_scenario(write('[[client]]\nkind = "program"\ncommand = "ping -c1 server"'))
    assert loaded.client == (Client(kind=ClientKind.PROGRAM, command="ping -c1 server"),)
    assert loaded.server is None


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("network.a_b.delay_s=50ms", lambda s: s.network.a_b.delay_s == 0.05),
        ("network.a_b.delay_s = 0.5", lambda s: s.network.a_b.delay_s == 0.5),
        ("network.circuit.delay_s=1ms", lambda s: s.network.circuit.delay_s == 0.001),
        ("client.0.count=5", lambda s: s.client[0].count == 5),
        ("seed=7", lambda s: s.seed == 7),
        ("name=xy", lambda s: s.name == "xy"),
        ('description="true"', lambda s: s.description == "true"),
        ("description=a = b", lambda s: s.description == "a = b"),
        ('approaches=["ipip"]', lambda s: s.approaches == ("ipip",)),
        ("network.source_filtering=false", lambda s: not s.network.source_filtering),
        ("expect.max_broken.ddns+ipip=0", lambda s: s.expect.max_broken == {"ddns+ipip": 0}),
        ("server.command=nginx", lambda s: s.server.command == "nginx"),
    ],
)
def test_an_override_reaches_its_key(override: str, read: Callable[[Scenario], bool]) -> None:
    assert read(load_scenario("default", [override]))


def test_an_override_of_a_client_finds_the_clients_that_a_file_leaves_to_the_default(
    write: Write,
) -> None:
    loaded = load_scenario(write(""), ["client.0.count=5", "client.1.rate_bps=2 Mbit/s"])
    first, second, *others = default_clients()
    assert loaded.client == (
        replace(first, count=5),
        replace(second, rate_bps=2e6),
        *others,
    )


def test_overrides_can_add_a_client() -> None:
    loaded = load_scenario("default", ["client.18.kind=udp-up", "client.18.name=one-more"])
    assert loaded.client[18:] == (Client(kind=ClientKind.UDP_UP, name="one-more"),)


def test_overrides_can_build_a_list(write: Write) -> None:
    loaded = load_scenario(write(""), ["fault.0.kind=wan-cut", "fault.0.phase=copy"])
    assert [(f.kind.value, f.phase.value) for f in loaded.fault] == [("wan-cut", "copy")]


def test_the_last_of_two_overrides_counts() -> None:
    assert load_scenario("default", ["seed=1", "seed=2"]).seed == 2


def test_given_approaches_replace_the_scenarios_and_its_thresholds_for_others() -> None:
    loaded = load_scenario("disaster-avoidance", approaches=["ipip", "readdress", "ipip"])
    assert loaded.approaches == ("ipip", "readdress")
    assert loaded.expect.max_broken == {"ipip": 0}


def test_a_given_approach_that_is_unknown_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="unknown approach 'ipp'"):
        load_scenario("default", approaches=["ipp"])


def test_a_built_in_name_goes_before_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("default").write_text("seed = 9", encoding="utf-8")
    assert load_scenario("default").seed == 1
    assert load_scenario("./default").seed == 9


def test_the_text_of_a_scenario_keeps_its_comments() -> None:
    label, text = scenario_text("default")
    assert label == "default (built in)"
    assert text.startswith("# ")


@pytest.mark.parametrize("key", [path[-1] for path in every_key()])
def test_every_key_is_explained_in_the_documentation(key: str) -> None:
    text = Path(__file__).parents[2].joinpath("docs", "scenarios.md").read_text(encoding="utf-8")
    assert f"`{key}`" in text


def test_the_example_of_the_documentation_is_right(write: Write) -> None:
    text = Path(__file__).parents[2].joinpath("docs", "scenarios.md").read_text(encoding="utf-8")
    example_toml = text.split("```toml\n")[1].split("```")[0]
    loaded = load_scenario(write(example_toml), ["network.a_b.delay_s=50ms", "client.1.count=3"])
    assert len(each_client(loaded.client)) == 4


def test_each_single_client_has_a_name_of_its_own() -> None:
    clients = (
        Client(kind=ClientKind.TCP_ECHO, count=2),
        Client(kind=ClientKind.UDP_UP, place=Place.AT_A),
        Client(kind=ClientKind.REQUEST, name="probe", count=2),
    )
    assert [client.name for client in each_client(clients)] == [
        "tcp-echo@remote-1",
        "tcp-echo@remote-2",
        "udp-up@at-a",
        "probe-1",
        "probe-2",
    ]


KEYS = sorted({part for path in every_key() for part in path})

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=3)
    | st.dates()
    | st.sampled_from(
        ["50 ms", "1 MiB", "none", "ipip", "at-a", "wan-cut", "10.1.0.0/24", "x" * 99]
    )
    | st.sampled_from([10**400, -(2**63), 0, 1, 4096]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def checked(raw: dict[str, Any]) -> Scenario | None:
    try:
        return check_mapping(raw, "my.toml")
    except ConfigurationError as error:
        assert str(error).encode()
        return None


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), values, max_size=4))
@example({"client": [{"kind": "\ud800"}], "\ud800": 1})
@example({"network": {"a_b": float("nan")}, "seed": 10**400, "name": date(2001, 1, 1)})
@example({"client": [[]], "fault": [{}], "expect": {"max_gap_s": {"": "none"}}})
@example({1: 2})
def test_any_mapping_is_a_scenario_or_a_configuration_error(raw: dict[str, Any]) -> None:
    checked(raw)


@given(st.sampled_from(sorted(every_key(), key=str)), values)
def test_any_value_at_any_key_is_a_scenario_or_a_configuration_error(
    path: tuple[str, ...], value: Any
) -> None:
    for part in reversed(path):
        value = [value] if part == "N" else {"ipip" if part == "NAME" else part: value}
    checked(value)


def test_a_mapping_of_any_depth_is_refused_and_does_not_recurse() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"network": deep}
    assert checked(deep) is None


@given(st.text(), st.text())
def test_any_override_is_a_scenario_or_a_configuration_error(key: str, value: str) -> None:
    try:
        load_scenario("maintenance", [f"{key}={value}"])
    except ConfigurationError:
        return


@given(st.sampled_from(sorted(every_key(), key=str)), st.text(max_size=5))
def test_any_text_at_any_key_by_override_is_a_scenario_or_a_configuration_error(
    path: tuple[str, ...], value: str
) -> None:
    parts = ({"N": "0", "NAME": "ipip"}.get(part, part) for part in path)
    try:
        load_scenario("maintenance", [f"{'.'.join(parts)}={value}"])
    except ConfigurationError:
        return
