"""An agent's settings from a TOML file: read, checked, complete; keys from files with mode 0600.

Not imported in a lab, where settings are made directly.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from netcont.agent.settings import (
    DEFAULT_CONTROL,
    DEFAULT_STATE,
    ForeignSettings,
    Guest,
    HomeSettings,
    NodeSettings,
    Peer,
    Settings,
)
from netcont.errors import ConfigurationError
from netcont.mobileip.authentication import Algorithm, SecurityAssociation
from netcont.mobileip.policy import ForeignPolicy, HomePolicy, NodePolicy, ReverseTunnel
from netcont.mobileip.replay import Replay

RoleName = Literal["home", "foreign", "node"]

_FORBIDDEN_MODE = 0o077
_KEY_BYTES = 4096
_WITHOUT_VALUE = ("missing", "extra_forbidden", "unexpected_keyword_argument")
_Seconds = Annotated[int, Field(ge=1, le=65535)]


def _written(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("write the address as a string")
    return value


def _of_one_host(address: IPv4Address) -> IPv4Address:
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        raise ValueError("no host has this address")
    return address


_Address = Annotated[IPv4Address, BeforeValidator(_written), AfterValidator(_of_one_host)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class _Key:
    """Not a model, as there may be a hundred thousand: those weigh several times as much."""

    spi: int
    key_file: str
    algorithm: Literal["hmac-sha256", "hmac-md5", "keyed-md5"] = "hmac-sha256"
    replay: Literal["timestamp", "nonce"] = "timestamp"
    allow_weak: bool = False


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class _Peer:
    address: _Address
    key: Annotated[list[_Key], Field(min_length=1)]


class _NodePolicy(_Table):
    lifetime_s: _Seconds = 300
    reverse_tunnel: bool = True
    encapsulating: bool = False
    gre: bool = False
    first_retry_s: float = 1.0
    last_retry_s: float = 32.0


class _Guest(_NodePolicy):
    home_address: _Address
    home_agent: _Address
    key: _Key
    gateway: _Address | None = None
    neighbours: list[_Address] = []
    home_network: IPv4Network | None = None


class _Common(_Table):
    link: str = Field(min_length=1, max_length=15)
    control: str | None = None
    state: Path | None = None
    advertises: bool = True
    forwards: bool = True


class _Home(_Common):
    address: _Address
    max_lifetime_s: _Seconds = 1800
    max_simultaneous: int = 8
    max_bindings: int = 1_000_000
    reverse_tunnel: Literal["unsupported", "optional", "required"] = "optional"
    gre: bool = True
    tolerance_s: float = Field(default=7.0, gt=0)
    node: list[_Peer] = []
    foreign_agent: list[_Peer] = []


class _Foreign(_Common):
    address: _Address
    care_of_address: _Address | None = None
    max_lifetime_s: _Seconds = 1800
    max_visitors: int = 10_000
    reverse_tunnel: Literal["unsupported", "optional", "required"] = "optional"
    gre: bool = True
    advertisement_interval_s: float = 1.0
    home_agent: list[_Peer] = []
    node: list[_Peer] = []
    guest: list[_Guest] = []


class _Node(_Common, _NodePolicy):
    home_address: _Address
    prefixlen: int = Field(ge=8, le=30)
    home_agent: _Address
    key: _Key
    colocated: bool = False
    foreign_agent: list[_Peer] = []


_TABLES: dict[str, type[_Home] | type[_Foreign] | type[_Node]] = {
    "home": _Home,
    "foreign": _Foreign,
    "node": _Node,
}


def load_settings(role: RoleName, path: Path) -> Settings:
    """The settings in a file; names of key files count from its directory.

    Raises ConfigurationError with every key that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error.strerror}", remedy="name a TOML file that you may read"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None
    return parse_settings(role, text, str(path), path.resolve().parent)


def parse_settings(role: RoleName, text: str, label: str, base: Path = Path("/")) -> Settings:
    """The same for a text. label: what messages call it; base: where names of key files count from.

    Raises ConfigurationError.
    """
    try:
        # What was parsed is not kept: with many nodes it is as large as all the rest.
        table = _TABLES[role].model_validate(_parse(text, label))
    except ValidationError as error:
        raise ConfigurationError(
            "\n".join(f"{label}: {_told(one)}" for one in error.errors()),
            remedy=f"docs/mobile-ip.md shows the keys of {role}",
        ) from None
    try:
        return _settings(table, base)
    except ConfigurationError as error:
        raise ConfigurationError(f"{label}: {error.message}", remedy=error.remedy) from None


def _settings(table: _Home | _Foreign | _Node, base: Path) -> Settings:
    match table:
        case _Home():
            return _home(table, base)
        case _Foreign():
            return _foreign(table, base)
        case _:
            return _node(table, base)


def _parse(text: str, label: str) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigurationError(f"{label}: not TOML: {error}") from None


def _told(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    # What stands under a name that is not ours, or in the place of a key, may be a secret.
    shown = error["type"] not in _WITHOUT_VALUE and error["loc"][-1] != "key"
    shown = shown and isinstance(error["input"], str | int | float)
    return f"{key}: {error['msg']}" + (f" (it is {error['input']!r})" if shown else "")


def _home(table: _Home, base: Path) -> HomeSettings:
    return HomeSettings(
        **_common(table, "home", table.address),
        nodes=_peers("node", table.node, base),
        foreign_agents=_peers("foreign_agent", table.foreign_agent, base),
        policy=HomePolicy(
            max_lifetime_s=table.max_lifetime_s,
            max_simultaneous=table.max_simultaneous,
            max_bindings=table.max_bindings,
            reverse_tunnel=ReverseTunnel(table.reverse_tunnel),
            gre=table.gre,
            tolerance_s=table.tolerance_s,
        ),
    )


def _foreign(table: _Foreign, base: Path) -> ForeignSettings:
    _once("guest", (guest.home_address for guest in table.guest))
    return ForeignSettings(
        **_common(table, "foreign", table.address),
        care_of_address=table.care_of_address,
        home_agents=_peers("home_agent", table.home_agent, base),
        nodes=_peers("node", table.node, base),
        guests=tuple(_guest(number, guest, base) for number, guest in enumerate(table.guest)),
        policy=ForeignPolicy(
            max_lifetime_s=table.max_lifetime_s,
            max_visitors=table.max_visitors,
            reverse_tunnel=ReverseTunnel(table.reverse_tunnel),
            gre=table.gre,
            advertisement_interval_s=table.advertisement_interval_s,
        ),
    )


def _guest(number: int, guest: _Guest, base: Path) -> Guest:
    return Guest(
        home_address=guest.home_address,
        home_agent=guest.home_agent,
        key=_association(f"guest.{number}.key", guest.key, base),
        gateway=guest.gateway,
        neighbours=tuple(guest.neighbours),
        home_network=None if guest.home_network is None else str(guest.home_network),
        policy=_policy(guest),
    )


def _node(table: _Node, base: Path) -> NodeSettings:
    return NodeSettings(
        **_common(table, "node", table.home_address),
        home_agent=table.home_agent,
        prefixlen=table.prefixlen,
        key=_association("key", table.key, base),
        colocated=table.colocated,
        foreign_agents=_peers("foreign_agent", table.foreign_agent, base),
        policy=_policy(table),
    )


def _common(table: _Common, role: str, address: IPv4Address) -> dict[str, Any]:
    return {
        "address": address,
        "link": table.link,
        "control": table.control or DEFAULT_CONTROL.format(role=role),
        "state": table.state or Path(DEFAULT_STATE.format(role=role)),
        "advertises": table.advertises,
        "forwards": table.forwards,
    }


def _policy(table: _NodePolicy) -> NodePolicy:
    return NodePolicy(
        lifetime_s=table.lifetime_s,
        first_retry_s=table.first_retry_s,
        last_retry_s=table.last_retry_s,
        reverse_tunnel=table.reverse_tunnel,
        encapsulating=table.encapsulating,
        gre=table.gre,
    )


def _peers(name: str, tables: list[_Peer], base: Path) -> tuple[Peer, ...]:
    _once(name, (table.address for table in tables))
    return tuple(_peer(f"{name}.{number}", table, base) for number, table in enumerate(tables))


def _peer(name: str, table: _Peer, base: Path) -> Peer:
    _once(f"{name}.key", (key.spi for key in table.key))
    keys = [_association(f"{name}.key.{n}", key, base) for n, key in enumerate(table.key)]
    return Peer(table.address, tuple(keys))


def _once(name: str, values: Iterable[object]) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise ConfigurationError(
                f"{name}: {value} is there twice", remedy="keep the one that holds"
            )
        seen.add(value)


def _association(name: str, table: _Key, base: Path) -> SecurityAssociation:
    try:
        return SecurityAssociation(
            table.spi,
            Algorithm(table.algorithm),
            read_key(base / table.key_file),
            Replay[table.replay.upper()],
            allow_weak=table.allow_weak,
        )
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error.message}", remedy=error.remedy) from None


def read_key(path: Path) -> bytes:
    """A key: what its hexadecimal digits mean, the line of text, or else the file's bytes.

    Raises ConfigurationError if others than its owner may touch the file.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            body = file.read(_KEY_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error.strerror}",
            remedy=f"make one: (umask 077; openssl rand -hex 32 > {path})",
        ) from None
    if mode & _FORBIDDEN_MODE:
        raise ConfigurationError(
            f"{path}: has mode {mode:04o}: others could read or change the key",
            remedy=f"chmod 600 {path}; if they have read it, make a new one",
        )
    if len(body) > _KEY_BYTES:
        raise ConfigurationError(f"{path}: over {_KEY_BYTES} bytes are no key")
    if not body.isascii():
        return body
    try:
        return bytes.fromhex(body.decode("ascii"))
    except ValueError:
        return body.strip()
