"""The JSON Schema of scenario files, judged by the jsonschema package."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from netcont.scenarios import builtin_names, builtin_text, check_mapping, scenario_schema
from netcont.scenarios.shape import every_key

SCHEMA = scenario_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("name", builtin_names())
def test_every_built_in_scenario_conforms(name: str) -> None:
    VALIDATOR.validate(tomllib.loads(builtin_text(name)))


@pytest.mark.parametrize(
    "toml",
    [
        "[network.a_b]\ndelay_s = 0.05",
        '[network.a_b]\ndelay_s = "50 ms"',
        '[tunnel]\nkey = "none"',
        '[network]\nfamily = 6\na_prefix = "2001:db8:7::/64"',
        '[network]\ncircuit = "none"',
        "[network.circuit]\nloss = 0.5",
        '[expect]\nmax_gap_s = { "ddns+ipip" = "1 s" }\n',
        '[[fault]]\nkind = "wan-cut"\nphase = "copy"',
    ],
)
def test_what_the_loader_takes_conforms(toml: str) -> None:
    raw = tomllib.loads(toml)
    VALIDATOR.validate(raw)
    check_mapping(raw, "my.toml")


@pytest.mark.parametrize(
    "toml",
    [
        "[network.a_b]\ndelay_ms = 5",
        "[network.a_b]\ndelay_s = -1",
        '[network.a_b]\ndelay_s = "50 metres"',
        '[network.a_b]\ndelay_s = "50"',
        "[network.a_b]\nloss = 1",
        "[network]\nmtu_bytes = 1500.5",
        "[network]\nfamily = 5",
        '[network]\nfamily = "6"',
        '[network]\na_prefix = ""',
        '[[client]]\nplace = "remote"',
        '[[client]]\nkind = "tcp"',
        "[tunnel]\nreverse = 1",
        "[vlan]\nvlan_id = 4095",
        "zzz = 1",
        '[guest]\nkind = ""',
    ],
)
def test_what_the_loader_refuses_for_itself_does_not_conform(toml: str) -> None:
    raw = tomllib.loads(toml)
    assert not VALIDATOR.is_valid(raw)
    with pytest.raises(Exception, match=r"my\.toml: "):
        check_mapping(raw, "my.toml")


def test_every_key_is_in_the_schema() -> None:
    def keys(schema: dict[str, Any]) -> set[str]:
        tables = [schema, *schema["$defs"].values()]
        return {key for table in tables for key in table["properties"]}

    wanted = {path[-1] for path in every_key()} - {"N", "NAME"}
    assert keys(SCHEMA) == wanted


def test_a_default_that_depends_on_other_keys_is_not_told() -> None:
    network = SCHEMA["$defs"]["Network"]["properties"]
    assert "default" not in network["a_prefix"]
    assert network["family"] == {"enum": [4, 6], "default": 4}
