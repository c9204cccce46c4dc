"""The guest of a lab run: its control group, its services, its memory, the user's server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from netcont.kernel.namespace import Namespace
from netcont.lab.clients.service import ANY_ADDRESS, ServiceProcess, fork_service
from netcont.lab.clients.spec import Control
from netcont.lab.server import UserServer, running_server
from netcont.lab.site import set_cable
from netcont.migration.guest import NamespaceGuest
from netcont.migration.memory import MemoryImage
from netcont.migration.workload import Workload, fill
from netcont.model.layout import Layout
from netcont.model.scenario import Scenario

_READY_LIMIT_S = 30.0


@dataclass(frozen=True)
class RunningGuest:
    """What serves, and what moves."""

    group: NamespaceGuest
    service: ServiceProcess
    workload: Workload
    image: Path
    server: UserServer | None


@contextmanager
def running_guest(
    scenario: Scenario,
    layout: Layout,
    nodes: Mapping[str, Namespace],
    control: Control,
    scratch: Path,
    seed: int,
) -> Iterator[RunningGuest]:
    """The guest runs within the block; afterwards its processes are ended."""
    image_path = scratch / "a.mem"
    with ExitStack() as stack:
        group = stack.enter_context(
            NamespaceGuest(
                f"netcont-{os.getpid()}",
                # Pulled out at A here; plugged in by the site that resumes the guest.
                lambda up: None if up else set_cable(nodes, layout.a, up=False),
            )
        )
        node = nodes[layout.guest.node]

        def enter() -> None:
            node.enter()
            group.add(os.getpid())

        service = fork_service(enter, control, bind=ANY_ADDRESS[layout.family])
        stack.callback(service.kill)
        service.wait_ready(_READY_LIMIT_S)
        image = stack.enter_context(MemoryImage.create(image_path, scenario.guest.memory_bytes))
        fill(image, seed)
        workload = Workload(
            image,
            seed=seed,
            rate_bytes_per_s=scenario.guest.dirty_rate_bytes_per_s,
            working_set_bytes=scenario.guest.working_set_bytes,
        )
        stack.callback(workload.stop)
        group.add(workload.pid)
        server = None
        if scenario.server is not None:
            spare = (service.pid, workload.pid)
            server = stack.enter_context(
                running_server(scenario.server, node, enter, scratch, spare)
            )
        # Whatever happens, nothing may wait for a frozen process.
        stack.callback(group.close)
        yield RunningGuest(group, service, workload, image_path, server)
