"""What an anycast gateway of a segment needs in the file. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcont.deploy.address import NAMES, prefix_of
from netcont.deploy.carriers import Carrier, key_of, keyed
from netcont.deploy.problems import Problem
from netcont.model.deployment import Deployment, Extension, Guest, SideName, family_of, of_family


def wrong_gateways(deployment: Deployment, every: Sequence[Carrier]) -> Iterator[Problem]:
    """Gateways that have no bridge or no LAN, and guests that they could not pass on."""
    for carrier in every:
        one = carrier.link
        if isinstance(one, Extension):
            for place, gateway in keyed(f"{carrier.key}.anycast_gateway", one.anycast_gateway):
                yield from _placed(place, gateway, carrier.key, one, deployment)
    for index, guest in enumerate(deployment.guest):
        over = deployment.carrier(guest)
        if isinstance(over, Extension):
            key = key_of(deployment, "guest", index)
            link = next(each.key for each in every if each.link is over)
            yield from _guest(key, guest, link, over, deployment)


def _placed(
    place: str, gateway: str, key: str, one: Extension, deployment: Deployment
) -> Iterator[Problem]:
    for side in SideName:
        if one.bridge.at(side) is None:
            yield Problem(
                place, f"{gateway} without a bridge at {side}", f"add {key}.bridge.{side}"
            )
    homes = [each for side in SideName for each in deployment.at(side).prefix]
    if not any(prefix_of(each).overlaps(prefix_of(gateway)) for each in homes):
        what = f"{gateway} is in neither side's prefix"
        yield Problem(place, what, "add the prefix of its LAN to the side where that is at home")
    if gateway in [each.partition("/")[0] for side in SideName for each in one.addresses.at(side)]:
        what = f"{gateway} is one side's own, in {key}.addresses"
        yield Problem(place, what, "give the sides others there")


def _guest(
    key: str, guest: Guest, link: str, one: Extension, deployment: Deployment
) -> Iterator[Problem]:
    """Its packets go home by an address that the gateway there has for itself."""
    family = family_of(guest.address)
    if not guest.reverse or of_family(one.anycast_gateway, family) is None:
        return
    away = guest.source.other
    direct = f"or {key}.reverse = false: what {guest.address} sends leaves at {away} then"
    for side in SideName:
        if of_family(one.addresses.at(side), family) is None:
            what = f"no {NAMES[family]} address, by which guests' packets find home"
            yield Problem(f"{link}.addresses.{side}", what, f"add it, {direct}")
    if of_family(deployment.at(away).prefix, family) is None:
        what = f"no {NAMES[family]} prefix"
        yield Problem(f"side.{away}.prefix", what, f"add it, for what stays there, {direct}")
