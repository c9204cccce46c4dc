"""The lab's TSIG key: the same for the same scenario, so that a run can be repeated exactly."""

from __future__ import annotations

import base64
import hashlib

from netcont.model.plan import TsigKey
from netcont.model.scenario import Scenario


def lab_key(scenario: Scenario) -> TsigKey:
    """A key for the throw-away name server of one lab; it protects nothing else."""
    digest = hashlib.sha256(f"netcont lab {scenario.seed}".encode()).digest()
    return TsigKey("netcont-lab", scenario.dns.algorithm, base64.b64encode(digest).decode())
