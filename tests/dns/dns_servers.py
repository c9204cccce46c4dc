"""Real name servers on loopback addresses and high ports: BIND's named, Knot's knotd.

Their programs come from the lab's cache and from Debian's packages, unpacked and not installed;
a test whose server cannot be had is skipped with the reason. dig is the judge.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netcont.dns.access import Access
from netcont.dns.exchange import Caller, Patience
from netcont.dns.server import Server
from netcont.errors import NetcontError
from netcont.lab import debian
from netcont.lab.cache import LabFiles, cache_dir, existing, find_lab_files, lab_environment
from netcont.model.plan import TsigKey

LOOPBACK = "127.0.0.1"
"""Where a named can listen: only at addresses that an interface has."""
PRIMARY, SECONDARY, BETWEEN = "127.53.0.1", "127.53.0.2", "127.53.0.9"
"""Where the zones say that their servers are: relays listen there, all on one port."""
KEY = TsigKey("mover", "hmac-sha256", "c2VjcmV0IG9mIHRoZSB0ZXN0cyE=")
ZONE = "example.org"
NAME = "www.example.org."
OLD_4, OLD_6 = "192.0.2.10", "2001:db8:a::10"
NEW_4, NEW_6 = "198.51.100.10", "2001:db8:b::10"
REVERSE = ("2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa")
QUICK = Patience(answer_s=1.0, tries=3, agreement_s=10.0, poll_s=0.05)
_STARTS_WITHIN_S = 20.0

_HEAD = """$TTL 300
@ 300 IN SOA ns1.example.org. hostmaster.example.org. 1 3600 600 86400 60
@ IN NS ns1.example.org.
@ IN NS ns2.example.org.
"""
_FORWARD = f"""ns1 IN A {PRIMARY}
ns2 IN A {SECONDARY}
www IN A {OLD_4}
www IN AAAA {OLD_6}
old IN A 192.0.2.20
alias IN CNAME www
*.wild IN A 192.0.2.30
"""
_REVERSE = {
    REVERSE[0]: "10 IN PTR www.example.org.\n20 IN PTR other.example.org.\n",
    REVERSE[1]: "11 IN PTR other.example.org.\n",
    REVERSE[2]: f"{'0.1.' + '0.' * 18 + 'a.0.0.0'} IN PTR www.example.org.\n",
}
# More than fits into a datagram, and fewer than BIND's limit of 100.
MANY = tuple(f"203.0.113.{n}" for n in range(1, 96))
_MANY = "".join(f"many IN A {address}\n" for address in MANY)


def zone_text(zone: str) -> str:
    """The zone file that every test begins with."""
    return _HEAD + (_FORWARD + _MANY if zone == ZONE else _REVERSE[zone])


def lab_files() -> LabFiles:
    """The lab's programs, or a skipped test."""
    try:
        return find_lab_files()
    except NetcontError as error:
        pytest.skip(f"named and dig are unpacked by scripts/setup: {error.message}")


def environment() -> dict[str, str]:
    """With it, programs of the lab's cache run."""
    return {**os.environ, **lab_environment(lab_files())}


def run(*command: str, stdin: str = "") -> str:
    """What one of BIND's tools prints."""
    own = environment()
    program = shutil.which(command[0], path=own["PATH"])
    assert program is not None, command[0]
    done = subprocess.run(
        [program, *command[1:]], env=own, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def free_port(*addresses: str) -> int:
    """A port that is free at all the addresses, for UDP and TCP."""
    for _ in range(100):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            port = 0
            for address in addresses:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    taken = stack.enter_context(socket.socket(socket.AF_INET, kind))
                    taken.bind((address, port))
                    port = taken.getsockname()[1]
            return port
    raise AssertionError("no port is free")


@dataclass
class NameServer:
    """A server's process, which can be killed and started again."""

    address: str
    port: int
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Starts it, and waits until it answers for its zone."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        ends_s = time.monotonic() + _STARTS_WITHIN_S
        while not self.dig("example.org.", "SOA", "+short"):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < ends_s, self.log.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def dig(self, *question: str) -> list[str]:
        """What dig prints; nothing while there is no answer."""
        own = environment()
        program = shutil.which("dig", path=own["PATH"])
        assert program is not None
        options = ["+tries=1", "+timeout=2", "+noedns"]
        done = subprocess.run(
            [program, f"@{self.address}", "-p", str(self.port), *options, *question],
            env=own,
            capture_output=True,
            text=True,
            check=False,
        )
        return [line for line in done.stdout.splitlines() if line] if done.returncode == 0 else []

    def values(self, name: str, kind: str) -> list[str]:
        """What dig says that the records of one name and kind are, in order."""
        return sorted(self.dig(name, kind, "+short"))

    def transferred(self, zone: str, name: str) -> list[tuple[str, str, str]]:
        """TTL, kind and value of each record of name in a whole transfer of the zone."""
        lines = [line.split() for line in self.dig(zone, "AXFR", "+noall", "+answer")]
        assert lines, f"no transfer of {zone}"
        return sorted((w[1], w[3], " ".join(w[4:])) for w in lines if w[0] == name)


@dataclass(frozen=True)
class Site:
    """A primary and its secondary, the port of the addresses that their zones name, a key file."""

    primary: NameServer
    secondary: NameServer
    port: int
    key_file: Path


_BIND = """
options {{
    directory "{home}";
    listen-on port {port} {{ {loopback}; }};
    listen-on-v6 {{ none; }};
    pid-file none; session-keyfile none; lock-file none;
    dnssec-validation no; empty-zones-enable no; recursion no;
    allow-transfer {{ any; }};
    notify-delay 0; minimal-responses yes; notify {notify};
    also-notify {{ {others} }};  # the other named, not its relay
}};
controls {{ }};
key "{key.name}" {{ algorithm {key.algorithm}; secret "{key.secret}"; }};
"""
_BIND_ZONE = {
    "primary": 'zone "{zone}" {{ type primary; file "{zone}"; {policy} }};\n',
    "secondary": 'zone "{zone}" {{ type secondary; file "{zone}"; '
    "primaries port {port} {{ {primary}; }}; }};\n",
}


def bind(home: Path, *, primary_port: int | None = None) -> NameServer:
    """A named that is configured and not yet started.

    primary_port: it is a secondary of the one there.
    """
    own = environment()
    program = shutil.which("named", path=own["PATH"])
    if program is None:
        pytest.skip("named is neither installed nor in the lab's cache: run scripts/setup")
    home.mkdir()
    server = NameServer(
        LOOPBACK,
        free_port(LOOPBACK),
        [program, "-4", "-g", "-n", "1", "-c", str(home / "named.conf")],
        own,
        home / "log",
    )
    configure(server, role="secondary" if primary_port else "primary", peer=primary_port)
    if not primary_port:
        for zone in (ZONE, *REVERSE):
            (home / zone).write_text(zone_text(zone))
    return server


def configure(
    server: NameServer,
    *,
    role: str,
    peer: int | None,
    policy: str = f"allow-update {{ key {KEY.name}; }};",
) -> None:
    """Writes named.conf. peer: the other named's port; policy: who may update, in each zone."""
    home = server.log.parent
    others = f"{LOOPBACK} port {peer};" if role == "primary" and peer else ""
    text = _BIND.format(
        home=home,
        port=server.port,
        loopback=LOOPBACK,
        key=KEY,
        others=others,
        notify="explicit" if others else "no",
    )
    for zone in (ZONE, *REVERSE):
        text += _BIND_ZONE[role].format(
            zone=zone, key=KEY, port=peer, primary=LOOPBACK, policy=policy
        )
    (home / "named.conf").write_text(text)


@contextlib.contextmanager
def running(*servers: NameServer) -> Iterator[None]:
    """The servers run within the block, unless the test kills them."""
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in servers:
            server.kill()


_KNOT = """
server:
    rundir: "{home}"
    listen: {address}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{home}"
log:
  - target: stderr
    any: info
key:
  - id: {key.name}
    algorithm: {key.algorithm}
    secret: {key.secret}
acl:
  - id: mover
    key: {key.name}
    action: [update, transfer]
  - id: everybody
    address: 127.0.0.0/8
    action: transfer
template:
  - id: default
    storage: "{home}"
    acl: [mover, everybody]
zone:
"""


def knot(home: Path, port: int) -> NameServer:
    """A knotd that is configured and not yet started; it serves as both name servers' one."""
    root = _unpacked_knot()
    own = environment()
    libraries = [*map(str, existing(root)), own.get("LD_LIBRARY_PATH", "")]
    own["LD_LIBRARY_PATH"] = ":".join(filter(None, libraries))
    home.mkdir()
    text = _KNOT.format(home=home, address=PRIMARY, port=port, key=KEY)
    for zone in (ZONE, *REVERSE):
        text += f"  - domain: {zone}\n    file: {zone}\n"
        content = zone_text(zone).replace("@ IN NS ns2.example.org.\n", "")
        (home / zone).write_text(content)
    (home / "knot.conf").write_text(text)
    command = [str(root / "usr/sbin/knotd"), "-c", str(home / "knot.conf")]
    return NameServer(PRIMARY, port, command, own, home / "log")


def keymgr(*arguments: str) -> str:
    """What Knot's keymgr prints."""
    root = _unpacked_knot()
    own = environment()
    own["LD_LIBRARY_PATH"] = ":".join([*map(str, existing(root)), own["LD_LIBRARY_PATH"]])
    command = [str(root / "usr/sbin/keymgr"), *arguments]
    return subprocess.run(command, env=own, capture_output=True, text=True, check=True).stdout


def _unpacked_knot() -> Path:
    """Debian's package knot and what it needs, unpacked once; or a skipped test.

    Not one of the lab's packages: only these tests want it, and every user would have to fetch it.
    """
    base = cache_dir() / "tests"
    root = base / "knot"
    base.mkdir(parents=True, exist_ok=True)
    with (base / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            try:
                with tempfile.TemporaryDirectory(dir=base) as partial:
                    _unpack(Path(partial))
                    (Path(partial) / "root").rename(root)
            except NetcontError as error:
                pytest.skip(f"Debian's package knot cannot be fetched: {error.message}")
    return root


def _unpack(partial: Path) -> None:
    (partial / "root").mkdir()
    needed = sorted({*debian.missing_closure(["knot"]), "knot"})
    for archive in debian.download(needed, partial):
        debian.unpack(archive, partial / "root")


def access(
    port: int,
    *,
    key: TsigKey | None = KEY,
    server: Server | None = None,
    patience: Patience = QUICK,
    now: Callable[[], float] = time.time,
) -> Access:
    """As the command line makes it; servers are found at the primary, which is the resolver too."""
    caller = Caller(key, patience, now)
    return Access(caller, caller, (Server(PRIMARY, port),), server=server, port=port)
