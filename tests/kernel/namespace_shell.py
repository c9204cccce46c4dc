"""Shell scripts within a namespace of a test's."""

from __future__ import annotations

import os
import shutil
import subprocess

from netcont.kernel.namespace import Namespace
from netcont.lab.cache import find_lab_files, lab_environment


def inside(node: Namespace, script: str) -> str:
    """What a script prints; nft comes from the lab's cache if the host has none."""
    environment = dict(os.environ)
    if shutil.which("nft") is None:
        environment |= lab_environment(find_lab_files())
    words = ["nsenter", f"--net=/proc/{node.pid}/ns/net", "sh", "-ec", script]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
