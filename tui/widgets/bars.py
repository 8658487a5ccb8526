"""Horizontal bars: where the time of the turns goes, and how full the servers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from subsecond.tui.widgets.canvas import Canvas, Row

__all__ = ["OccupancyBars", "ServerBar", "StageBar", "StageBars"]


@dataclass(frozen=True, slots=True)
class StageBar:
    """Time by stage, in ps by place in `Hello.stages`; empty: no turn. `note` stands behind the total."""

    lane: int
    name: str
    stages_ps: Sequence[float]
    note: str = ""


class StageBars(Canvas):
    """One stacked bar per pipeline on a common scale, a budget mark, and a legend of the stages that take time."""

    def __init__(
        self,
        *,
        empty: str = "Where the time goes shows once a turn has ended.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)

    def update(self, bars: Sequence[StageBar], stages: Sequence[str], budget_ps: float | None = None) -> None:
        """Show bars; `stages` are the names of their parts."""

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        return None


@dataclass(frozen=True, slots=True)
class ServerBar:
    """A server at a moment: fields of `feed.ServerInfo` and `feed.ServerGauge`; `lane` is its pipeline's place.

    Attributes:
        busy: share of the last second in which it computed; None: not known.
    """

    lane: int
    name: str
    role: str
    up: bool
    used_tokens: int
    retained_tokens: int
    capacity_tokens: int
    batch: int
    max_seqs: int
    queued: int
    busy: float | None = None


class OccupancyBars(Canvas):
    """One line per server: KV memory used, retained for prefixes and free; batch, queue and use of the machine."""

    def __init__(
        self,
        *,
        empty: str = "Servers show with the first gauges.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)

    def update(self, servers: Sequence[ServerBar]) -> None:
        """Show servers in this order."""

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        return None
