"""Inside the lab: the topology with its name servers and the guest's services, and Mininet's CLI.

Started by netcont.lab.shell, with a terminal.
"""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mininet.cli import CLI
from mininet.util import quietRun

from netcont.errors import NetcontError
from netcont.kernel.namespace import Namespace
from netcont.lab.clients.service import ANY_ADDRESS, fork_service
from netcont.lab.clients.spec import Ports
from netcont.lab.job import Job
from netcont.lab.nameservers import nameservers
from netcont.lab.network import LabNetwork
from netcont.lab.server import running_server
from netcont.lab.worker import settle_in
from netcont.model.scenario import Scenario

_READY_LIMIT_S = 30.0
_INTERRUPTED = 130


class LabCli(CLI):  # type: ignore[misc]
    """Mininet's CLI without its history in the user's home; ^C at the prompt ends it, as ^D does.

    (While a command runs, ^C ends the command.)
    """

    readlineInited = True  # noqa: N815

    def run(self) -> None:
        """Until the user has had enough."""
        if self.isatty():
            quietRun("stty echo sane intr ^C")
        try:
            self.cmdloop()
        except KeyboardInterrupt:
            print()


def main(job_path: str) -> int:
    """Builds the lab, hands it to the user, takes it down; returns the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    job = Job.read(Path(job_path))
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: sys.exit(1))
    scratch = Path(job.scratch) / "console"
    try:
        settle_in(job.scenario, (), job.modules, scratch)
        with _services(job.scenario, scratch) as network:
            print(_greeting(job.scenario, network), flush=True)
            LabCli(network.mininet)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except NetcontError as error:
        print(f"netcont: error: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


@contextmanager
def _services(scenario: Scenario, scratch: Path) -> Iterator[LabNetwork]:
    with ExitStack() as stack:
        network = stack.enter_context(LabNetwork(scenario))
        nodes: dict[str, Namespace] = network.namespaces
        layout = network.layout
        stack.enter_context(nameservers(layout.names, layout.guest.address, nodes, scratch))
        guest = nodes[layout.guest.node]
        service = fork_service(guest.enter, bind=ANY_ADDRESS[layout.family])
        stack.callback(service.kill)
        service.wait_ready(_READY_LIMIT_S)
        if scenario.server is not None:
            spare = (service.pid,)
            stack.enter_context(running_server(scenario.server, guest, guest.enter, scratch, spare))
        yield network


def _greeting(scenario: Scenario, network: LabNetwork) -> str:
    layout, ports, net = network.layout, Ports(), network.mininet
    names: Any = [node.name for node in net.hosts if node.name.startswith("cl")]
    name = f"{layout.names.name}.{layout.names.zone}"
    return (
        f"{scenario.network.topology}: the guest is at {layout.guest.address}, by name {name}\n"
        f"(asked of {layout.names.resolver}); it serves echo ({ports.echo}), discard"
        f" ({ports.discard}),\nchargen ({ports.chargen}) and requests ({ports.request})."
        f" Clients: {', '.join(names)}. Try:\n"
        f"  clc ping -c3 guest      gwa ip route      hva bridge fdb      nodes      help\n"
        "^D ends the lab."
    )
