"""Coverage-guided fuzzing of the parsers, where atheris is installed (it is no dependency):

    python -m tests.mobileip.fuzz_atheris -max_total_time=60 CORPUS_DIRECTORY

Options are libFuzzer's. The first byte says whether the rest is a datagram or an ICMP message.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["netcont.mobileip"]):
    import netcont.mobileip.authentication
    import netcont.mobileip.discovery
    import netcont.mobileip.extensions
    import netcont.mobileip.messages
    import netcont.mobileip.revocation  # noqa: F401

from .fuzz import Tally, check, check_icmp

_TALLY = Tally()


def one(data: bytes) -> None:
    """Raises what fuzz.check raises: libFuzzer keeps the bytes that did it."""
    if data[:1] == b"\x01":
        check_icmp(data[1:], _TALLY)
    else:
        check(data[1:], _TALLY)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
