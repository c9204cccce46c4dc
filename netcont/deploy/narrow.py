"""Links whose packets are larger than what passes between the gateways: found before they are made.

A tunnel tells senders by ICMP that their packets are too big, and that gets lost often enough for
connections to hang: what the link promises must pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from netcont.deploy.half import Half
from netcont.deploy.path_mtu import ANY_BYTES, PathMtu, measure
from netcont.kernel.asking import Asker
from netcont.model.deployment import Extension, ExtensionKind, Tunnel, link_of
from netcont.model.plan import AddLink, Plan


def narrow(half: Half, stands: Plan, asker: Asker, patience_s: float) -> list[str]:
    """What speaks against links that are to be made anew, with remedies.

    stands: what is there by netcont's doing; its links are not asked about again. Where nobody
    answers, nothing is known and nothing is said.
    """
    known = {each for each in stands if isinstance(each, AddLink)}
    anew = {each.name for each in half.plan() if isinstance(each, AddLink) and each not in known}
    every: list[Tunnel | Extension] = [*half.deployment.tunnel, *half.deployment.extension]
    asked = [each for each in every if link_of(each) in anew and _is_whole(half, each)]
    if not asked:
        return []
    path = (half.deployment.at(half.side).address, half.deployment.at(half.side.other).address)
    needed = max(_needed(half, each) for each in asked)
    found = measure(asker, {path: needed}, patience_s)[path]
    return [text for each in asked for text in _too_wide(half, each, found)]


def _is_whole(half: Half, one: Tunnel | Extension) -> bool:
    """Whether its packets must pass unfragmented."""
    if isinstance(one, Tunnel):
        return one.pmtudisc or half.deployment.family == 6
    return one.kind is ExtensionKind.VXLAN and not one.fragment


def _needed(half: Half, one: Tunnel | Extension) -> int:
    mtu = half.deployment.mtu_of(one)
    # Without, the kernel fills the packets of the link that leads to the other side.
    return ANY_BYTES if mtu is None else mtu + half.deployment.overhead_bytes(one)


def _too_wide(half: Half, one: Tunnel | Extension, found: PathMtu) -> Iterator[str]:
    needed = min(_needed(half, one), found.needed_bytes)
    if found.mtu_bytes is None or found.mtu_bytes >= needed:
        return
    mtu = half.deployment.mtu_of(one)
    has = f"mtu_bytes {mtu} makes" if mtu is not None else "it would make"
    says = f"{found.by} says so" if found.by else "larger ones vanish: somebody drops ICMP"
    yield (
        f"{link_of(one)}: {has} packets of {needed} bytes, but {found.mtu_bytes} is the most that"
        f" passes to {half.deployment.at(half.side.other).address} ({says}):"
        f" write mtu_bytes = {found.mtu_bytes - half.deployment.overhead_bytes(one)}"
    )
