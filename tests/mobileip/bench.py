"""What a renewal costs a home agent, and what bindings weigh: python -m mobileip.bench, in tests/.

Each number of bindings is measured in a process of its own.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path

from netcont.mobileip import ntp
from netcont.mobileip.authentication import Algorithm, SecurityAssociation, sign
from netcont.mobileip.extensions import AuthenticationKind
from netcont.mobileip.home import HomeAgent
from netcont.mobileip.messages import PORT, Flags, RegistrationRequest

NOW = 1_700_000_000.0
HOME_AGENT = IPv4Address("10.0.0.1")
CARE_OF = IPv4Address("192.0.2.9")
RENEWALS = 10_000
ROUNDS = 3


def key(number: int) -> SecurityAssociation:
    return SecurityAssociation(1000, Algorithm.HMAC_SHA256, b"%032d" % number)


def home(number: int) -> IPv4Address:
    return IPv4Address((10 << 24) + (1 << 16) + number)


def request(number: int, at: float) -> bytes:
    message = RegistrationRequest(Flags(0), 1800, home(number), HOME_AGENT, CARE_OF, ntp.to_ntp(at))
    return sign(message, AuthenticationKind.MOBILE_HOME, key(number))


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def measure(bindings: int, renewals: int = RENEWALS) -> tuple[float, float]:
    """Microseconds a renewal takes (the best of some rounds), and the process's size in MiB."""
    agent = HomeAgent(HOME_AGENT)
    for number in range(bindings):
        agent.add_node(home(number), [key(number)])
    for number in range(bindings):
        agent.receive(request(number, NOW), (CARE_OF, PORT), NOW)
    assert len(agent) == bindings
    gc.collect()
    size_mib = resident_mib()
    best = float("inf")
    for turn in range(ROUNDS):
        times = [NOW + 1 + turn * 5 + number * 1e-4 for number in range(renewals)]
        data = [request(number * 7919 % bindings, at) for number, at in enumerate(times)]
        start = time.perf_counter()
        for one, at in zip(data, times, strict=True):
            agent.receive(one, (CARE_OF, PORT), at)
        best = min(best, time.perf_counter() - start)
    return best / renewals * 1e6, size_mib


def main() -> None:
    if len(sys.argv) > 1:
        renewal_us, size_mib = measure(int(sys.argv[1]))
        print(f"{sys.argv[1]:>8} bindings: {renewal_us:6.1f} us a renewal, {size_mib:6.1f} MiB")
        return
    for bindings in (100, 1_000, 10_000, 100_000):
        subprocess.run([sys.executable, "-m", "mobileip.bench", str(bindings)], check=True)


if __name__ == "__main__":
    main()
