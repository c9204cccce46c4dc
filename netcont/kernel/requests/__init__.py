"""Changes as requests to rtnetlink(7), one file for each kind of object.

The same request is made whether a change is applied alone or with others: see
``netcont.kernel.rtnetlink.send``.
"""

from netcont.kernel.requests import addresses, links, neighbours, routing
from netcont.kernel.requests.links import delete_group, into_group, unused_group
from netcont.kernel.requests.message import Indices, Message, encoded

__all__ = [
    "Indices",
    "Message",
    "addresses",
    "delete_group",
    "encoded",
    "into_group",
    "links",
    "neighbours",
    "routing",
    "unused_group",
]
