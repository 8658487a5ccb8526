"""How much work a run of a sweep will be, before anything is drawn: enough to cut the work into tasks of seconds."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from subsecond.agents.study.points import Base, Point, plan_point
from subsecond.engine.errors import SubsecondError
from subsecond.engine.scenario import apply_settings

__all__ = ["Estimate", "shortened"]

#: Turns of a session in all, seconds from turn to turn, by agent kind: rough figures of the shipped agents, of which
#: only the ratio between points counts once the base has been drawn.
_TURNS = {"coding": 60.0, "voice": 12.0}
_TURN_S = {"coding": 30.0, "voice": 20.0}
#: Turns that are drawn to be counted.
_SAMPLE = 20_000.0
#: What a run costs before its first turn, in turns.
_START = 5_000.0
#: A trace of unknown length.
_TRACE_TURNS = 50_000.0


class Estimate:
    """Work of points that vary a base, in turns over all lanes.

    The base's sessions, or those of its first part, are drawn once, if that is possible, to count them; points are in
    proportion to it.
    """

    def __init__(self, base: Base) -> None:
        self._base = base
        self._unit = 1.0
        sample = shortened(base)
        guess = _turns(sample.tables)
        try:
            drawn = plan_point(sample, Point()).workload.num_requests
        except SubsecondError:  # which the points may mend
            return
        self._unit = drawn / guess if guess > 0 else 1.0

    def work(self, settings: tuple[str, ...]) -> float:
        """Work of a run of a point; of one that cannot be run that of the base."""
        tables = copy.deepcopy(self._base.tables)
        try:
            apply_settings(tables, settings)
            turns, lanes = _turns(tables), len(tables["pipelines"])
        except (SubsecondError, TypeError, ValueError, AttributeError, KeyError):
            tables = self._base.tables
            turns, lanes = _turns(tables), len(tables["pipelines"])
        return lanes * (self._unit * turns + _START)


def shortened(base: Base) -> Base:
    """The base, or if it is long its first part."""
    duration_s, guess = base.tables.get("duration_s"), _turns(base.tables)
    if duration_s is None or guess <= _SAMPLE:
        return base
    return replace(base, tables={**base.tables, "duration_s": duration_s * _SAMPLE / guess, "warm_up_s": 0.0})


def _turns(tables: Mapping[str, Any]) -> float:
    duration_s, most = tables.get("duration_s"), tables.get("turns")
    turns = sum(_agents_turns(table, duration_s) for table in tables.get("agents", ()))
    for trace in tables.get("traces", ()):
        turns += float(trace.get("sample") or _TRACE_TURNS / 10) * 10
    return min(turns, float(most)) if most is not None else turns


def _agents_turns(table: Mapping[str, Any], duration_s: float | None) -> float:
    kind, sessions = str(table.get("kind")), float(table["sessions"])
    each, turn_s = _TURNS.get(kind, 20.0), _TURN_S.get(kind, 30.0)
    if table.get("max_turns") is not None:
        each = min(each, float(table["max_turns"]))
    if duration_s is None:
        return sessions * each
    rate = table.get("arrival_rate_per_s")
    if rate is not None:
        sessions = min(sessions, float(rate) * duration_s)
    within = duration_s / turn_s
    return sessions * (within if table.get("steady") else min(each, within))
