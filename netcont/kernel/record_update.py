"""One record changed where the zone and its primary are known, so that nothing is asked first."""

from __future__ import annotations

from typing import cast

from netcont.dns.exchange import Caller
from netcont.dns.records import Kind, absolute_name, record_set
from netcont.dns.server import parse_server
from netcont.dns.zone_update import Replacement, ZoneUpdate, perform
from netcont.errors import DnsError, KernelError
from netcont.kernel.namespace import Namespace
from netcont.model.plan import UpdateRecord


def update_record(node: Namespace, change: UpdateRecord) -> None:
    """Gives the record its value if it still has the value was; harmless when done twice.

    Raises KernelError with what the server said, or that it said nothing.
    """
    try:
        with node.entered():
            perform(_update(change), Caller(change.key))
    except DnsError as error:
        raise KernelError(f"{node.name}: {error.message}", remedy=error.remedy) from error


def _update(change: UpdateRecord) -> ZoneUpdate:
    owner, kind = absolute_name(f"{change.name}.{change.zone}"), cast(Kind, change.kind)
    was, becomes = (
        record_set(owner, kind, (value,), change.ttl_s) for value in (change.was, change.value)
    )
    return ZoneUpdate(f"{change.zone}.", parse_server(change.server), (Replacement(was, becomes),))
