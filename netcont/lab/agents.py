"""Mobile IP agents in the lab: the daemons of netcont.agent, forked onto the topology's nodes."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from netcont.agent.daemon import run_agent
from netcont.agent.settings import (
    ForeignSettings,
    Guest,
    HomeSettings,
    NodeSettings,
    Peer,
    Settings,
)
from netcont.approach import Approach, Context
from netcont.approach.composed import Composed
from netcont.approach.mobileip import FOREIGN_CONTROL, MobileIp
from netcont.errors import LabError
from netcont.kernel.namespace import Namespace
from netcont.lab.clients.forked import Forked, fork
from netcont.lab.guest import RunningGuest
from netcont.mobileip.authentication import Algorithm, SecurityAssociation
from netcont.mobileip.policy import NodePolicy

HOME_CONTROL = "@netcont-home"
NODE_CONTROL = "@netcont-node"

_SPI = 1000
_STOP_LIMIT_S = 20.0


@contextmanager
def agents(
    approach: Approach,
    context: Context,
    nodes: Mapping[str, Namespace],
    running: RunningGuest,
    scratch: Path,
) -> Iterator[None]:
    """The agents that the approach needs run within the block; most need none.

    Raises LabError if one does not start.
    """
    mobile = _mobile(approach)
    with ExitStack() as stack:
        if mobile is not None:
            a, b = context.layout.a, context.layout.b
            key = _key(context.scenario.seed)
            home = nodes[a.gateway]
            stack.enter_context(_agent(_home(context, key, scratch), home, home.enter, scratch))
            if mobile.colocated:
                inside = nodes[context.layout.guest.node]

                def enter() -> None:
                    inside.enter()
                    # It freezes and moves with the guest.
                    running.group.add(os.getpid())

                stack.enter_context(_agent(_node(context, key), inside, enter, scratch))
            else:
                host = nodes[b.hypervisor]
                foreign = _foreign(context, key, scratch)
                stack.enter_context(_agent(foreign, host, host.enter, scratch))
        yield


@contextmanager
def _agent(
    settings: Settings, node: Namespace, enter: Callable[[], None], scratch: Path
) -> Iterator[None]:
    log = scratch / f"agent-{node.name}.log"
    ready, tell = os.pipe()

    def serve() -> None:
        signal.set_wakeup_fd(-1)
        with log.open("a", buffering=1) as lines:

            def say(level: str, line: str) -> None:
                lines.write(f"{level} {line}\n")
                if line.startswith("ready "):
                    os.write(tell, b"1")

            with Namespace(node.name, os.getpid()) as here:
                run_agent(settings, here, say)

    process: Forked[None] = fork(serve, enter, f"agent-{node.name}")
    os.close(tell)
    try:
        with os.fdopen(ready, "rb") as pipe:
            if not pipe.read(1):
                why = process.collect(_STOP_LIMIT_S).failure or log.read_text()[-400:]
                raise LabError(f"the Mobile IP agent on {node.name} did not start: {why}")
        yield
        os.kill(process.pid, signal.SIGTERM)
        process.collect(_STOP_LIMIT_S)
    finally:
        process.kill()


def _mobile(approach: Approach) -> MobileIp | None:
    parts = approach.parts if isinstance(approach, Composed) else (approach,)
    return next((part for part in parts if isinstance(part, MobileIp)), None)


def _key(seed: int) -> SecurityAssociation:
    """The guest's key: the same for the same seed, so that a run can be repeated exactly."""
    secret = hashlib.sha256(f"netcont lab mobile ip {seed}".encode()).digest()
    return SecurityAssociation(_SPI, Algorithm.HMAC_SHA256, secret)


def _policy(context: Context) -> NodePolicy:
    return NodePolicy(reverse_tunnel=context.scenario.tunnel.reverse)


def _home(context: Context, key: SecurityAssociation, scratch: Path) -> HomeSettings:
    a, guest = context.layout.a, context.layout.guest
    return HomeSettings(
        address=IPv4Address(a.wan_address),
        link=a.gateway_lan,
        control=HOME_CONTROL,
        state=scratch / "home.sqlite",
        advertises=False,
        nodes=(Peer(IPv4Address(guest.address), (key,)),),
    )


def _foreign(context: Context, key: SecurityAssociation, scratch: Path) -> ForeignSettings:
    a, b, guest = context.layout.a, context.layout.b, context.layout.guest
    return ForeignSettings(
        address=IPv4Address(b.hypervisor_address),
        link=b.bridge,
        control=FOREIGN_CONTROL,
        state=scratch / "foreign.sqlite",
        advertises=False,
        guests=(
            Guest(
                home_address=IPv4Address(guest.address),
                home_agent=IPv4Address(a.wan_address),
                key=key,
                gateway=IPv4Address(guest.gateway_address),
                neighbours=tuple(map(IPv4Address, context.layout.on_link)),
                home_network=a.prefix,
                policy=_policy(context),
            ),
        ),
    )


def _node(context: Context, key: SecurityAssociation) -> NodeSettings:
    a, guest = context.layout.a, context.layout.guest
    return NodeSettings(
        address=IPv4Address(guest.address),
        link=guest.link,
        control=NODE_CONTROL,
        advertises=False,
        home_agent=IPv4Address(a.wan_address),
        prefixlen=guest.prefixlen,
        key=key,
        colocated=True,
        policy=_policy(context),
    )
