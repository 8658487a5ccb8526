"""The drills that ship, and what each would do to the lanes of a run, as far as its first message tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from subsecond.engine.core.config import Link, Pipeline, Pool, Role, StepCost
from subsecond.engine.drills.catalog import Drill, shipped_drills
from subsecond.engine.drills.striking import Strike, strike
from subsecond.engine.faults import Spell
from subsecond.engine.feed import LaneInfo

__all__ = ["Outlook", "outlooks"]

PS_PER_S = 10**12
#: Of servers whose speed does not matter.
_COST = StepCost(np.ones(3, np.int64), np.ones(3, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """A drill, and what it would do to each lane, by name; None: what parts a lane has is not known here."""

    drill: Drill
    strikes: dict[str, Strike | None]

    @property
    def spells(self) -> list[Spell]:
        """Its faults on all lanes."""
        return [spell for found in self.strikes.values() if found is not None for spell in found.spells]

    @property
    def length_s(self) -> float | None:
        """Until everything is mended; None: never."""
        ends = [spell.end_ps for spell in self.spells]
        return None if None in ends else max((end for end in ends if end is not None), default=0) / PS_PER_S


def outlooks(lanes: Sequence[LaneInfo]) -> list[Outlook]:
    """Every drill that ships, on the lanes of a run."""
    shapes = {lane.name: _shape(lane) for lane in lanes}
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    return [
        Outlook(drill, {name: found.get(name) for name in shapes})
        for drill in shipped_drills().values()
        for found in [strike(drill, known, 0.0, drill.name)]
    ]


@lru_cache(64)
def _shape(lane: LaneInfo) -> Pipeline | None:
    """A pipeline with a lane's servers, whose speed and memory do not matter; None: no pipeline has such servers."""
    roles = [server.role for server in lane.servers]
    is_split = "prefill" in roles
    entry = _pool(Role.PREFILL, roles.count("prefill")) if is_split else _pool(Role.COLOCATED, roles.count("gpu"))
    if entry is None or is_split == ("gpu" in roles) or is_split != ("decode" in roles):
        return None
    return Pipeline(
        entry=entry,
        decode=_pool(Role.DECODE, roles.count("decode")),
        link=Link(1) if is_split else None,
        fallback=_pool(Role.COLOCATED, roles.count("fallback")),
    )


def _pool(role: Role, count: int) -> Pool | None:
    return Pool(role, _COST, count, capacity_units=1, max_seqs=1, token_budget=2) if count else None
