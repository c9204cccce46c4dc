"""Registrations a second of a home agent daemon, and where its time goes.

    python -m agent.bench [SECONDS] in tests/, as root; scripts/bench agent does it

The daemon has one core for itself, the nodes the other one. They renew over loopback, some dozens
of requests in flight; the state file is on disk; the kernel's routes are left alone. Rates come
from processor time as well as from the clock, so that a core that others use spoils nothing.

Shares: the same renewals go through each layer alone, in this process on the daemon's core; what
the daemon took beyond their sum is sockets, event loop and kernel.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from netcont.agent.daemon import run_agent
from netcont.agent.home import HomeDaemon
from netcont.agent.reporter import Reporter, told
from netcont.agent.settings import HomeSettings, Peer
from netcont.agent.store import Store
from netcont.kernel.namespace import Namespace
from netcont.mobileip import ntp
from netcont.mobileip.authentication import Algorithm, SecurityAssociation, sign, verify
from netcont.mobileip.events import Registered
from netcont.mobileip.extensions import AuthenticationKind
from netcont.mobileip.messages import PORT, Flags, RegistrationReply, RegistrationRequest, parse

ADDRESS = IPv4Address("127.99.0.1")
CARE_OF = IPv4Address("192.0.2.9")
KEY = SecurityAssociation(1000, Algorithm.HMAC_SHA256, b"registrations by the thousand..!")
MOBILE_HOME = AuthenticationKind.MOBILE_HOME
IN_FLIGHT = 64
SECONDS = 4.0
_TICKS = os.sysconf("SC_CLK_TCK")


def home(number: int) -> IPv4Address:
    return IPv4Address((10 << 24) + (1 << 16) + number)


def request(number: int, at: float) -> bytes:
    message = RegistrationRequest(Flags.T, 1800, home(number), ADDRESS, CARE_OF, ntp.to_ntp(at))
    return sign(message, MOBILE_HOME, KEY)


def settings(nodes: int, folder: Path) -> HomeSettings:
    keys = (KEY,)
    return HomeSettings(
        address=ADDRESS,
        link="lo",
        control=str(folder / "home.sock"),
        state=folder / "state",
        advertises=False,
        forwards=False,
        nodes=tuple(Peer(home(number), keys) for number in range(nodes)),
    )


def pin(core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[min(core, len(cores) - 1)]})


def start(nodes: int, folder: Path) -> int:
    """The daemon in a process of its own, ready; its lines go to a file as they would to a log."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        pin(0)
        with (folder / "log").open("w") as log:

            def say(level: str, line: str) -> None:
                print(line, file=log, flush=True)
                if line.startswith("ready "):
                    os.write(tell, b"1")

            with Namespace("localhost", os.getpid()) as here:
                run_agent(settings(nodes, folder), here, say)
        os._exit(0)
    os.close(tell)
    assert os.read(ready, 1) == b"1"
    os.close(ready)
    return pid


def used_s(pid: int) -> tuple[float, float]:
    """Processor time of a process: its own, and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / _TICKS, int(fields[12]) / _TICKS


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def renew(nodes: int, order: Callable[[int], int], enough: Callable[[int], bool]) -> int:
    """Nodes register one after the other, some dozens at a time; returns how many were granted."""
    granted = sent = answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect((str(ADDRESS), PORT))
        wire.setblocking(False)
        while not enough(answered):
            while sent - answered < IN_FLIGHT:
                wire.send(request(order(sent) % nodes, time.time()))
                sent += 1
            if not select.select([wire], [], [], 1.0)[0]:
                sent = answered  # lost: go on
            try:
                while True:
                    reply = RegistrationReply.from_bytes(wire.recv(2048))
                    answered += 1
                    granted += reply.code == 0
            except BlockingIOError:
                pass
    return granted


def measure(nodes: int, seconds: float) -> float:
    """Prints what the daemon does with this many bindings; returns its seconds a renewal."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pid = start(nodes, folder)
        try:
            registered = renew(nodes, lambda n: n, lambda answered: answered >= nodes)
            own, system = used_s(pid)
            began = time.monotonic()
            granted = renew(
                nodes, lambda n: n * 7919, lambda _: time.monotonic() - began >= seconds
            )
            took_s = time.monotonic() - began
            own, system = (
                after - before for after, before in zip(used_s(pid), (own, system), strict=True)
            )
            size_mib = resident_mib(pid)
        finally:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
    each_s = (own + system) / granted
    print(
        f"{nodes:>7} bindings ({registered} granted): {granted / took_s:6.0f} renewals/s by the"
        f" clock, {1 / each_s:6.0f}/s of processor time ({each_s * 1e6:.0f} us each:"
        f" {own / granted * 1e6:.0f} own, {system / granted * 1e6:.0f} kernel),"
        f" {size_mib:.0f} MiB"
    )
    return each_s


# ---- the layers, each alone


def each_s(act: Callable[[], object], times: int) -> float:
    gc.collect()
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        act()
        best = min(best, time.process_time() - began)
    return best / times


def shares(whole_s: float) -> None:
    pin(0)
    number, now = 2048, time.time()
    with tempfile.TemporaryDirectory() as name, Namespace("localhost", os.getpid()) as here:
        store = Store(Path(name) / "state")
        store.begin("bench", now - 60)
        daemon = HomeDaemon(settings(number, Path(name)), here, store)
        daemon.start(now - 60)
        source = (CARE_OF, PORT)
        turns = iter(range(100))

        def batches() -> None:
            at = now + next(turns) * 0.1
            data = [(request(n, at + n * 1e-5), source) for n in range(number)]
            began = time.process_time()
            for first in range(0, number, IN_FLIGHT):
                daemon.receive(data[first : first + IN_FLIGHT], at)
            took.append(time.process_time() - began)

        took: list[float] = []
        for _ in range(4):
            batches()
        role_s = min(took) / number
        data = [request(n, now) for n in range(number)]
        reply = RegistrationReply(0, 1800, home(1), ADDRESS, ntp.to_ntp(now)).to_bytes()
        keys = {KEY.spi: KEY}
        crypto_s = each_s(
            lambda: [(verify(d, MOBILE_HOME, keys), sign(reply, MOBILE_HOME, KEY)) for d in data],
            number,
        )
        parse_s = each_s(lambda: [parse(one) for one in data], number)
        homes = [int(home(n)) for n in range(number)]
        bound = list(daemon._agent)
        numbers = [(one, 1 << 40, None) for one in homes]

        def save() -> None:
            for first in range(0, number, IN_FLIGHT):
                part = slice(first, first + IN_FLIGHT)
                store.save(homes[part], bound[part], numbers[part])

        state_s = each_s(save, number)
        with (Path(name) / "log").open("w") as log:
            reporter = Reporter(lambda level, line: print(line, file=log, flush=True))
            events = [Registered(one.home_address, CARE_OF, 1800) for one in bound]
            assert told(events[0])
            log_s = each_s(lambda: reporter.report(events, now), number)
        daemon.stop(now)
        store.close()
    rest_s = role_s - crypto_s - parse_s - state_s
    parts = {
        "crypto": crypto_s,
        "parsing": parse_s,
        "state (SQLite)": state_s,
        "rules and bindings": rest_s,
        "log": log_s,
        "sockets, loop and kernel": whole_s - role_s - log_s,
    }
    print(
        "a renewal: "
        + ", ".join(f"{k} {v * 1e6:.0f} us ({v / whole_s:.0%})" for k, v in parts.items())
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    pin(1)
    few_s = measure(100, seconds)
    many_s = measure(100_000, seconds)
    print(f"a renewal among 100000 bindings costs {many_s / few_s:.2f} times one among 100")
    shares(few_s)


if __name__ == "__main__":
    main()
