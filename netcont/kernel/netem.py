"""netem on a link's egress: delay, rate, loss (tc-netem(8))."""

from __future__ import annotations

from typing import Any

from pyroute2.netlink.rtnl.tcmsg import sched_netem

from netcont.kernel.namespace import Namespace
from netcont.model.plan import SetNetem


def _without_estimator(context: dict[str, Any]) -> None:
    context.pop("rate", None)


# pyroute2 sends netem's rate a second time as TCA_RATE, a rate estimator's settings, and the
# kernel refuses that with ERANGE.
sched_netem.fix_request = _without_estimator


def set_netem(change: SetNetem, node: Namespace) -> None:
    """Adds the qdisc, or changes it in place: replacing it would drop what waits in it."""
    rate = {"rate": f"{change.rate_bps:.0f}bit"} if change.rate_bps else {}
    node.route.tc(
        "replace",
        "netem",
        index=node.index(change.link),
        handle="1:",
        delay=change.delay_s * 1e6,
        limit=change.limit_packets,
        loss=change.loss * 100,
        **rate,
    )
