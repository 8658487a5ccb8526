"""Widgets that every test of widgets goes through."""

from __future__ import annotations

__all__ = ["WIDGETS"]

WIDGETS = (
    "table",
    "chart",
    "chart-before",
    "stage_bars",
    "histogram",
    "occupancy",
    "lanes",
    "waterfall",
    "replies",
    "speech",
    "slider",
    "timeline",
    "snippets",
    "heat",
    "spans",
)
