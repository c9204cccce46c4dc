"""Effects as values: what is to be changed on which node, how it is undone, and which command
line says the same. Nothing here acts; ``netcont.kernel`` does.

A change's ``undo()`` is the change that takes it back (None: there is nothing to take back).
``commands()`` gives the equal ``ip``, ``bridge``, ``tc``, ``sysctl`` or ``nsupdate`` lines for a
reader; netcont itself never runs them.
"""

from netcont.model.plan.addresses import AddAddress, DelAddress
from netcont.model.plan.agents import Leave, Register, RunAgent, StopAgent
from netcont.model.plan.change import Change, is_ipv6
from netcont.model.plan.isolation import AddIsolation, DelIsolation
from netcont.model.plan.links import (
    TOS_OF_INNER,
    AddBridge,
    AddLink,
    AddTunnel,
    AddVlan,
    AddVxlan,
    DelLink,
)
from netcont.model.plan.names import MoveName
from netcont.model.plan.neighbours import (
    AddBridgeMac,
    AddFdb,
    AddNeighbour,
    DelBridgeMac,
    DelFdb,
    DelNeighbour,
)
from netcont.model.plan.plan import Plan
from netcont.model.plan.routing import (
    MAIN_TABLE,
    AddRoute,
    AddRule,
    DelRoute,
    DelRule,
    default_route,
)
from netcont.model.plan.services import Announce, TsigKey, UpdateRecord
from netcont.model.plan.settings import (
    SetBridgePort,
    SetMaster,
    SetNetem,
    SetSysctl,
    SetUp,
)

__all__ = [
    "MAIN_TABLE",
    "TOS_OF_INNER",
    "AddAddress",
    "AddBridge",
    "AddBridgeMac",
    "AddFdb",
    "AddIsolation",
    "AddLink",
    "AddNeighbour",
    "AddRoute",
    "AddRule",
    "AddTunnel",
    "AddVlan",
    "AddVxlan",
    "Announce",
    "Change",
    "DelAddress",
    "DelBridgeMac",
    "DelFdb",
    "DelIsolation",
    "DelLink",
    "DelNeighbour",
    "DelRoute",
    "DelRule",
    "Leave",
    "MoveName",
    "Plan",
    "Register",
    "RunAgent",
    "SetBridgePort",
    "SetMaster",
    "SetNetem",
    "SetSysctl",
    "SetUp",
    "StopAgent",
    "TsigKey",
    "UpdateRecord",
    "default_route",
    "is_ipv6",
]
