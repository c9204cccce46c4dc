"""What this process may do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from netcont.doctor.finding import Finding

_CAP_NET_ADMIN = 12
_CAP_SYS_ADMIN = 21
_ALLOW_USER_NAMESPACES = (
    "sudo sysctl -e kernel.unprivileged_userns_clone=1"
    " kernel.apparmor_restrict_unprivileged_userns=0 (netcont does not need it)"
)
_AS_ROOT = "run as root: sudo -E netcont …, or use the lab VM, which needs none"


def probe_privileges() -> list[Finding]:
    """Findings of group privileges: user, capabilities, user namespaces."""
    uid = os.geteuid()
    root = Finding(
        "root",
        "privileges",
        "ok" if uid == 0 else "missing",
        f"uid {uid}",
        "" if uid == 0 else _AS_ROOT,
        ("host",),
    )
    return [
        root,
        _capability("CAP_NET_ADMIN", _CAP_NET_ADMIN),
        _capability("CAP_SYS_ADMIN", _CAP_SYS_ADMIN),
        _user_namespaces(),
    ]


def effective_capabilities() -> int | None:
    """Bit mask of this process's effective capabilities; None if the kernel does not tell."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return None


def _capability(name: str, bit: int) -> Finding:
    mask = effective_capabilities()
    if mask is None:
        return Finding(name, "privileges", "unknown", "/proc/self/status does not tell")
    if mask >> bit & 1:
        return Finding(name, "privileges", "ok", "effective", needed_by=("host",))
    return Finding(name, "privileges", "missing", "not effective", _AS_ROOT, ("host",))


def _user_namespaces() -> Finding:
    """Only told: nothing of netcont's needs them as long as the VM works."""
    name = "user-namespaces"
    try:
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--net", "true"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        return Finding(name, "privileges", "unknown", str(error))
    if done.returncode == 0:
        return Finding(name, "privileges", "ok", "with a network namespace of their own")
    return Finding(name, "privileges", "failed", done.stderr.strip(), _ALLOW_USER_NAMESPACES)
