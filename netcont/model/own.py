"""How what is netcont's is told from what is not."""

from __future__ import annotations

OWN_PREFIX = "nc-"
"""Names of links begin so."""

ALIAS = "netcont"
"""Aliases of links begin so; the name of their deployment follows."""

ROUTE_PROTOCOL = 77
"""The protocol number of routes and rules (see ip-route(8))."""
