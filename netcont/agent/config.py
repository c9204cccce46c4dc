"""An agent's settings from a TOML file: read, checked, complete; keys from files with mode 0600.

Not imported in a lab, where settings are made directly.
"""

from __future__ import annotations

import stat
import tomllib
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
_Seconds = Annotated[int, Field(ge=1, le=65535)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Key(_Table):
    spi: int
    key_file: Path
    algorithm: Literal["hmac-sha256", "hmac-md5", "keyed-md5"] = "hmac-sha256"
    replay: Literal["timestamp", "nonce"] = "timestamp"
    allow_weak: bool = False


class _Peer(_Table):
    address: IPv4Address
    key: list[_Key] = Field(min_length=1)


class _NodePolicy(_Table):
    lifetime_s: _Seconds = 300
    reverse_tunnel: bool = True
    gre: bool = False
    first_retry_s: float = 1.0
    last_retry_s: float = 32.0


class _Guest(_NodePolicy):
    home_address: IPv4Address
    home_agent: IPv4Address
    key: _Key
    gateway: IPv4Address | None = None
    neighbours: list[IPv4Address] = []
    home_network: IPv4Network | None = None


class _Common(_Table):
    link: str = Field(min_length=1, max_length=15)
    control: str | None = None
    state: Path | None = None
    advertises: bool = True


class _Home(_Common):
    address: IPv4Address
    max_lifetime_s: _Seconds = 1800
    max_simultaneous: int = 8
    max_bindings: int = 1_000_000
    reverse_tunnel: Literal["unsupported", "optional", "required"] = "optional"
    gre: bool = True
    tolerance_s: float = 7.0
    node: list[_Peer] = []
    foreign_agent: list[_Peer] = []


class _Foreign(_Common):
    address: IPv4Address
    care_of_address: IPv4Address | None = None
    max_lifetime_s: _Seconds = 1800
    max_visitors: int = 10_000
    reverse_tunnel: Literal["unsupported", "optional", "required"] = "optional"
    gre: bool = True
    advertisement_interval_s: float = 1.0
    home_agent: list[_Peer] = []
    node: list[_Peer] = []
    guest: list[_Guest] = []


class _Node(_Common, _NodePolicy):
    home_address: IPv4Address
    prefixlen: int = Field(ge=8, le=30)
    home_agent: IPv4Address
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
    raw = _parse(path)
    try:
        table = _TABLES[role].model_validate(raw)
    except ValidationError as error:
        raise ConfigurationError(
            "\n".join(f"{path}: {_told(one)}" for one in error.errors()),
            remedy=f"docs/mobile-ip.md shows the keys of {role}",
        ) from None
    base = path.resolve().parent
    match table:
        case _Home():
            return _home(table, base)
        case _Foreign():
            return _foreign(table, base)
        case _:
            return _node(table, base)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error.strerror}", remedy="name a TOML file that you may read"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None


def _told(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    return f"{key}: {error['msg']}" + (
        f" (it is {error['input']!r})" if error["type"] != "missing" else ""
    )


def _home(table: _Home, base: Path) -> HomeSettings:
    return HomeSettings(
        **_common(table, "home", table.address),
        nodes=_peers(table.node, base),
        foreign_agents=_peers(table.foreign_agent, base),
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
    return ForeignSettings(
        **_common(table, "foreign", table.address),
        care_of_address=table.care_of_address,
        home_agents=_peers(table.home_agent, base),
        nodes=_peers(table.node, base),
        guests=tuple(
            Guest(
                home_address=guest.home_address,
                home_agent=guest.home_agent,
                key=_association(guest.key, base),
                gateway=guest.gateway,
                neighbours=tuple(guest.neighbours),
                home_network=None if guest.home_network is None else str(guest.home_network),
                policy=_policy(guest),
            )
            for guest in table.guest
        ),
        policy=ForeignPolicy(
            max_lifetime_s=table.max_lifetime_s,
            max_visitors=table.max_visitors,
            reverse_tunnel=ReverseTunnel(table.reverse_tunnel),
            gre=table.gre,
            advertisement_interval_s=table.advertisement_interval_s,
        ),
    )


def _node(table: _Node, base: Path) -> NodeSettings:
    return NodeSettings(
        **_common(table, "node", table.home_address),
        home_agent=table.home_agent,
        prefixlen=table.prefixlen,
        key=_association(table.key, base),
        colocated=table.colocated,
        foreign_agents=_peers(table.foreign_agent, base),
        policy=_policy(table),
    )


def _common(table: _Common, role: str, address: IPv4Address) -> dict[str, Any]:
    return {
        "address": address,
        "link": table.link,
        "control": table.control or DEFAULT_CONTROL.format(role=role),
        "state": table.state or Path(DEFAULT_STATE.format(role=role)),
        "advertises": table.advertises,
    }


def _policy(table: _NodePolicy) -> NodePolicy:
    return NodePolicy(
        lifetime_s=table.lifetime_s,
        first_retry_s=table.first_retry_s,
        last_retry_s=table.last_retry_s,
        reverse_tunnel=table.reverse_tunnel,
        gre=table.gre,
    )


def _peers(tables: list[_Peer], base: Path) -> tuple[Peer, ...]:
    return tuple(
        Peer(table.address, tuple(_association(key, base) for key in table.key)) for table in tables
    )


def _association(table: _Key, base: Path) -> SecurityAssociation:
    return SecurityAssociation(
        table.spi,
        Algorithm(table.algorithm),
        read_key(base / table.key_file),
        Replay[table.replay.upper()],
        allow_weak=table.allow_weak,
    )


def read_key(path: Path) -> bytes:
    """A key: the file's bytes, or what its hexadecimal digits mean.

    Raises ConfigurationError if others than its owner may touch the file.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & _FORBIDDEN_MODE:
                raise ConfigurationError(
                    f"{path}: has mode {mode:04o}: others could read the key",
                    remedy=f"chmod 600 {path}; if they have read it, make a new one",
                )
            body = file.read(4096)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error.strerror}",
            remedy=f"make one: (umask 077; openssl rand -hex 32 > {path})",
        ) from None
    text = body.strip()
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return text
