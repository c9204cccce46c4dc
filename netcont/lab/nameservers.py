"""A real BIND on two hosts: one authoritative, one a caching resolver.

Files live in a directory given by the caller (a tmpfs in the lab VM). Nothing listens outside of
the two hosts' namespaces.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from netcont.errors import LabError, PrerequisiteError
from netcont.kernel.namespace import Namespace, die_with_parent
from netcont.model.layout import NameService
from netcont.model.plan import is_ipv6

_START_LIMIT_S = 60.0
_RUNNING = b" running\n"  # newer ones say early what they are running on
_FIRST_WITHOUT_LOCK = (9, 20)
_COMMON = """
options {{
    directory "{directory}";
    listen-on {{ {ipv4}; }};
    listen-on-v6 {{ {ipv6}; }};
    pid-file none;
    session-keyfile none;
    {no_lock}
    notify no;
    dnssec-validation no;
    empty-zones-enable no;
    minimal-responses yes;
    recursion {recursion};
    allow-query {{ any; }};
    allow-recursion {{ any; }};
    max-ncache-ttl 5;
    prefetch 0;
}};
controls {{ }};
"""
_AUTHORITATIVE = """
key "{key}" {{ algorithm {algorithm}; secret "{secret}"; }};
zone "{zone}" {{
    type master;
    file "{directory}/zone";
    allow-update {{ key "{key}"; }};
    allow-transfer {{ any; }};
}};
"""
_RESOLVER = """
zone "{zone}" {{ type static-stub; server-addresses {{ {server}; }}; }};
"""
_ZONE = """$TTL {ttl}
@ IN SOA ns1 hostmaster 1 3600 600 86400 {ttl}
@ IN NS ns1
ns1 IN {kind} {server}
{name} IN {kind} {address}
"""


@contextlib.contextmanager
def nameservers(
    names: NameService, guest_address: str, nodes: dict[str, Namespace], directory: Path
) -> Iterator[None]:
    """Both servers run within the block; name resolves to guest_address at first.

    Raises PrerequisiteError if named is missing, LabError if one does not start.
    """
    program = shutil.which("named")
    if program is None:
        raise PrerequisiteError("no named", remedy="scripts/setup unpacks bind9 for the lab")
    no_lock = "lock-file none;" if _has_lock_file(program) else ""
    with contextlib.ExitStack() as stack:
        for node, text in (
            (names.server_node, _authoritative(names, directory, no_lock)),
            (names.resolver_node, _resolver(names, directory, no_lock)),
        ):
            home = directory / node
            home.mkdir(parents=True)
            (home / "named.conf").write_text(text)
            if node == names.server_node:
                (home / "zone").write_text(
                    _ZONE.format(
                        ttl=names.ttl_s,
                        kind=names.record,
                        server=names.server,
                        name=names.name,
                        address=guest_address,
                    )
                )
            family = "-6" if is_ipv6(names.server) else "-4"
            command = [program, family, "-g", "-n", "1", "-c", str(home / "named.conf")]
            stack.enter_context(_named(command, nodes[node].enter, home, node))
        yield


def _has_lock_file(program: str) -> bool:
    """Whether this named has a lock file, and an option to have none; newer ones have neither."""
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"BIND (\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) < _FIRST_WITHOUT_LOCK


def _authoritative(names: NameService, directory: Path, no_lock: str) -> str:
    home = directory / names.server_node
    return _COMMON.format(
        directory=home, **_listening(names.server), recursion="no", no_lock=no_lock
    ) + _AUTHORITATIVE.format(
        key=names.key.name,
        algorithm=names.key.algorithm,
        secret=names.key.secret,
        zone=names.zone,
        directory=home,
    )


def _resolver(names: NameService, directory: Path, no_lock: str) -> str:
    home = directory / names.resolver_node
    return _COMMON.format(
        directory=home, **_listening(names.resolver), recursion="yes", no_lock=no_lock
    ) + _RESOLVER.format(zone=names.zone, server=names.server)


def _listening(address: str) -> dict[str, str]:
    """What a server listens on: this address, and nothing of the other family."""
    six = is_ipv6(address)
    return {"ipv4": "none" if six else address, "ipv6": address if six else "none"}


@contextlib.contextmanager
def _named(command: list[str], enter: Callable[[], None], home: Path, node: str) -> Iterator[None]:
    log = home / "named.log"

    def prepare() -> None:
        die_with_parent()
        enter()

    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # A ^C at the terminal is not for it: who started it ends it.
        process_group=0,
        preexec_fn=prepare,
    ) as server:
        assert server.stderr is not None
        try:
            lines = _until_running(server)
            log.write_bytes(lines)
            if _RUNNING not in lines:
                raise LabError(
                    f"named on {node} did not start: {lines.decode(errors='replace')[-400:]}"
                )
            yield
        finally:
            server.terminate()
            server.stderr.close()
            server.wait()


def _until_running(server: subprocess.Popen[bytes]) -> bytes:
    """What named said until it ran, ended, or the limit passed."""
    assert server.stderr is not None
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(server.stderr, selectors.EVENT_READ)
        while _RUNNING not in said and selector.select(_START_LIMIT_S):
            chunk = os.read(server.stderr.fileno(), 65536)
            if not chunk:
                break
            said += chunk
    return said
