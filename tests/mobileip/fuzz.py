"""Throws mutated messages at the parsers and authenticators: python -m tests.mobileip.fuzz COUNT

The same count and seed give the same messages. Nothing but MessageError and AuthenticationError
may come out, nothing may be believed that is not byte for byte what was signed, and memory stays
(with --memory).
"""

from __future__ import annotations

import argparse
import gc
import random
import time
import tracemalloc
from dataclasses import dataclass

from netcont.mobileip import discovery
from netcont.mobileip.authentication import AuthenticationError, verify
from netcont.mobileip.discovery import AgentFlags
from netcont.mobileip.errors import Blame, MessageError
from netcont.mobileip.extensions import AuthenticationKind
from netcont.mobileip.messages import parse

from .mutation import mutated
from .wire import ADVERTISEMENT, ASSOCIATIONS, SIGNED, SOLICITATION

_SIGNED_BY = {
    kind: frozenset(data for data, outermost in SIGNED if outermost is kind)
    for kind in AuthenticationKind
}
_ICMP = (ADVERTISEMENT.to_bytes(), SOLICITATION.to_bytes())
_WARM_UP = 2_000
"""Mutations before the first look at memory: caches of the interpreter fill up meanwhile."""


@dataclass(slots=True)
class Tally:
    """What became of the messages; growth_bytes of memory between warm-up and the end."""

    mutations: int = 0
    unparsed: int = 0
    unbelieved: int = 0
    believed: int = 0
    growth_bytes: int = 0


class Believed(AssertionError):  # noqa: N818
    """Something that nobody signed was accepted."""


def fuzz(count: int, seed: int = 0) -> Tally:
    """Raises Believed, or whatever a parser should not have raised."""
    chance = random.Random(seed)
    tally = Tally()
    before = None
    for tally.mutations in range(1, count + 1):
        _one(chance, tally)
        if tally.mutations == _WARM_UP:
            before = _traced_bytes()
    if before is not None:
        tally.growth_bytes = _traced_bytes() - before
    return tally


def _traced_bytes() -> int:
    """What tracemalloc counts now; always 0 unless somebody started it."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def check(data: bytes, tally: Tally) -> None:
    """Parse and verify any bytes as a datagram to port 434."""
    try:
        message = parse(data)
    except MessageError as error:
        _expect(error.blame is Blame.REMOTE, data)
        tally.unparsed += 1
        message = None
    believed = [kind for kind in AuthenticationKind if _verified(data, kind)]
    for kind in believed:
        _expect(any(data.startswith(original) for original in _SIGNED_BY[kind]), data)
        # Agents on the way may append, so only a sealed message is ours to the last byte.
        _expect(_verified(data, kind, sealed=True) == (data in _SIGNED_BY[kind]), data)
    tally.believed += bool(believed)
    tally.unbelieved += not believed
    if message is not None:
        _expect(parse(message.to_bytes()) == message, data)


def _verified(data: bytes, kind: AuthenticationKind, *, sealed: bool = False) -> bool:
    try:
        verify(data, kind, ASSOCIATIONS, sealed=sealed)
    except AuthenticationError:
        return False
    return True


def check_icmp(data: bytes, tally: Tally) -> None:
    """Parse any bytes as an ICMP message."""
    try:
        message = discovery.parse(data)
    except MessageError as error:
        _expect(error.blame is Blame.REMOTE, data)
        tally.unparsed += 1
    else:
        _expect(discovery.parse(message.to_bytes()) == message, data)


def _one(chance: random.Random, tally: Tally) -> None:
    if chance.random() < 0.2:
        data = mutated(chance.choice(_ICMP), chance)
        # A wrong checksum would hide everything else, so most get a right one.
        if len(data) >= 4 and chance.random() < 0.8:
            blank = data[:2] + bytes(2) + data[4:]
            data = blank[:2] + discovery.checksum(blank).to_bytes(2, "big") + blank[4:]
        check_icmp(data, tally)
    else:
        check(mutated(chance.choice(SIGNED)[0], chance), tally)


def _expect(good: bool, data: bytes) -> None:
    if not good:
        raise Believed(data.hex())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", action="store_true", help="measure memory: 3 times slower")
    options = parser.parse_args()
    # An enum remembers every combination of flags that it met: few enough, but not news.
    for bits in range(0, 0x10000, 0x20):
        AgentFlags(bits)
    if options.memory:
        tracemalloc.start()
    start = time.perf_counter()
    tally = fuzz(options.count, options.seed)
    took_s = time.perf_counter() - start
    print(f"{tally} in {took_s:.1f} s, {options.count / took_s:,.0f}/s")


if __name__ == "__main__":
    main()
