"""What was heard of the other ends, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from netcont.deploy.path_mtu import PathMtu
from netcont.deploy.reach import Reached, State

EACH = 8
"""So many links are told one by one; of more, only those that something is wrong with."""


class Said(NamedTuple):
    """Lines about what is well, and about what is not."""

    well: list[str]
    not_well: list[str]


def reach_text(found: Sequence[Reached]) -> Said:
    """A line for each link, or, of many, one for all that are well."""
    well = [each for each in found if each.well]
    rest = [str(each) for each in found if not each.well]
    if len(found) <= EACH:
        return Said([str(each) for each in well], rest)
    times_s = [each.rtt_s or 0.0 for each in well]
    lines = []
    if well:
        lines = [
            f"{len(well)} of {len(found)} other ends answer,"
            f" {min(times_s) * 1000:.1f} to {max(times_s) * 1000:.1f} ms"
        ]
    more = [f"… and {len(rest) - EACH} links more"] if len(rest) > EACH else []
    return Said(lines, rest[:EACH] + more)


def advice(found: Sequence[Reached], name: str) -> str:
    """What is to be done about those that do not answer; "": nothing."""
    states = {each.state for each in found}
    if State.REFUSES in states:
        return f"run `netcont up` at the other side, then `netcont probe {name}`"
    if State.SILENT not in states:
        return ""
    text = (
        f"run `netcont up` at the other side, then `netcont probe {name}`; if it is up there, a"
        " firewall on the way drops the link's packets or echo requests"
    )
    if not all(each.both_ways for each in found):
        text += ", or that gateway's net.ipv4.conf.all.rp_filter is not 0"
    return text


def reach_values(found: Sequence[Reached]) -> dict[str, dict[str, Any]]:
    """By link, ready for JSON."""
    return {
        each.link: {
            "remote": each.remote,
            "state": each.state.value,
            "rtt_s": None if each.rtt_s is None else round(each.rtt_s, 6),
            "both_ways": each.both_ways,
            "full_bytes": each.full_bytes or None,
            "passes": each.passes,
            "why": each.why,
        }
        for each in found
    }


def path_text(path: tuple[str, str], found: PathMtu) -> str:
    """What passes between two gateways."""
    way = f"from {path[0]} to {path[1]}"
    if found.mtu_bytes is None:
        return f"path MTU {way}: not known: no answer to echo requests"
    if found.fits:
        return f"path MTU {way}: {found.mtu_bytes}, as much as this host's link takes"
    says = f"as {found.by} says" if found.by else "larger packets vanish without a word"
    return f"path MTU {way}: {found.mtu_bytes}, {says}"
