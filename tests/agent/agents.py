"""Settings, roles and messages for the tests of the daemons; the kernel is left alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from mobileip.machines import AGENT_A, HOME, HOME_AGENT, KEY, NOW, OTHER_HOME, OTHER_KEY, STRANGER

from netcont.agent.role import Out, Role
from netcont.agent.settings import ForeignSettings, Guest, HomeSettings, NodeSettings, Peer
from netcont.agent.store import Store
from netcont.kernel.namespace import Namespace
from netcont.mobileip.datagram import Endpoint
from netcont.mobileip.messages import RegistrationReply
from netcont.mobileip.policy import HomePolicy

SOURCE: Endpoint = (AGENT_A, 434)
NODES = (Peer(HOME, (KEY,)), Peer(OTHER_HOME, (OTHER_KEY,)))
COMMON = {"link": "lo", "control": "@unused", "forwards": False}
ORIGIN = "this boot"

__all__ = ["AGENT_A", "HOME", "HOME_AGENT", "KEY", "NOW", "OTHER_HOME", "OTHER_KEY", "STRANGER"]


def here() -> Namespace:
    return Namespace("localhost", os.getpid())


def home_settings(
    state: Path | None = None,
    *,
    nodes: Sequence[Peer] = NODES,
    policy: HomePolicy | None = None,
    advertises: bool = False,
) -> HomeSettings:
    return HomeSettings(
        address=HOME_AGENT,
        link="lo",
        control="@unused",
        state=state,
        forwards=False,
        advertises=advertises,
        nodes=tuple(nodes),
        policy=policy or HomePolicy(),
    )


def foreign_settings(*guests: Guest, advertises: bool = True) -> ForeignSettings:
    return ForeignSettings(
        address=AGENT_A,
        link="lo",
        control="@unused",
        forwards=False,
        advertises=advertises,
        guests=guests,
    )


def node_settings(*, colocated: bool = False) -> NodeSettings:
    return NodeSettings(
        address=HOME,
        link="lo",
        control="@unused",
        forwards=False,
        home_agent=HOME_AGENT,
        prefixlen=24,
        key=KEY,
        colocated=colocated,
    )


def store(path: Path | None = None, *, origin: str = ORIGIN, now: float = NOW - 60) -> Store:
    opened = Store(path)
    opened.begin(origin, now)
    return opened


def send(role: Role, data: bytes, now: float = NOW, source: Endpoint = SOURCE) -> Out:
    return role.receive([(data, source)], now)


def answer(out: Out) -> RegistrationReply:
    (datagram,) = out.replies
    return RegistrationReply.from_bytes(datagram.data)


def binding_of(role: Role, home: IPv4Address = HOME, now: float = NOW) -> object:
    """The care-of address in the status of a home agent; None if there is none."""
    found = [
        one["care_of_address"]
        for one in role.status(now)["bindings"]
        if one["home_address"] == str(home)
    ]
    return found[0] if found else None
