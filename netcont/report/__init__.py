"""Outcomes as JSON, table, Markdown and CSV. Reads outcomes only: no lab, no root."""

from __future__ import annotations

from netcont.report.formats import Format, render

__all__ = ["Format", "render"]
