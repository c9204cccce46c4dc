"""From a scenario's groups of clients to single clients with names and start offsets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netcont.errors import ConfigurationError
from netcont.lab.clients.spec import ClientSpec, Ports
from netcont.model.scenario import Client, ClientKind

SPREAD_S: Final = 0.5


@dataclass(frozen=True)
class PlannedClient:
    """A client and when it begins, counted from the window's start."""

    spec: ClientSpec
    offset_s: float


def base_name(client: Client) -> str:
    """A group's name: its own, or kind@place."""
    return client.name or f"{client.kind.value}@{client.place.value}"


def names(clients: Sequence[Client]) -> list[str]:
    """One name per single client, numbered from 1 where a base name belongs to several."""
    bases = [base_name(client) for client in clients for _ in range(client.count)]
    total = Counter(bases)
    seen: Counter[str] = Counter()
    result = []
    for base in bases:
        seen[base] += 1
        result.append(base if total[base] == 1 else f"{base}-{seen[base]}")
    twice = [name for name, count in Counter(result).items() if count > 1]
    if twice:
        raise ConfigurationError(
            f"two clients would be called {twice[0]!r}",
            remedy="give one of the [[client]] groups another name",
        )
    return result


def offsets(count: int, seed: int) -> list[float]:
    """Start offsets: one slot of SPREAD_S for each client, at a random instant within it, so
    that no two probes fire together (their periods divide evenly spaced starts)."""
    chooser = random.Random(seed)
    slot_s = SPREAD_S / max(1, count)
    slots = list(range(count))
    chooser.shuffle(slots)
    return [round((slot + chooser.random()) * slot_s, 6) for slot in slots]


def expand(
    clients: Sequence[Client],
    seed: int,
    host_name: str,
    output_dir: str,
    ports: Ports | None = None,
    family: int = 4,
) -> tuple[PlannedClient, ...]:
    """Every single client, in the scenario's order; client ids count from 1."""
    singles = [client for client in clients for _ in range(client.count)]
    planned = []
    starts = offsets(len(singles), seed)
    for number, (client, name, offset_s) in enumerate(
        zip(singles, names(clients), starts, strict=True), start=1
    ):
        if client.kind is ClientKind.PROGRAM and not client.command:
            raise ConfigurationError(
                f"client {name!r} is a program without a command",
                remedy='write command = "…" in its [[client]] group',
            )
        spec = ClientSpec(
            name=name,
            kind=client.kind,
            place=client.place,
            client_id=number,
            host_name=host_name,
            rate_bps=client.rate_bps,
            command=client.command,
            output_dir=output_dir,
            ports=ports or Ports(),
            family=family,
        )
        planned.append(PlannedClient(spec, offset_s))
    return tuple(planned)
