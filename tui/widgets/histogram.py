"""How latencies are spread: one histogram per pipeline over the same bins, with the budget mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subsecond.tui.widgets.canvas import Canvas, Row

__all__ = ["Histogram", "Latencies"]


@dataclass(frozen=True, slots=True, eq=False)
class Latencies:
    """Latencies of the answered turns of a pipeline, in ps, in any order; not to be written to."""

    lane: int
    name: str
    values_ps: NDArray[np.int64]


class Histogram(Canvas):
    """Histograms one below the other; the last bin holds all that is beyond the axis."""

    def __init__(
        self,
        *,
        empty: str = "Latencies show once a turn has ended.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)

    def update(self, lanes: Sequence[Latencies], *, budget_ps: float | None, limit_ps: float | None = None) -> None:
        """Show latencies.

        Args:
            budget_ps: None: no mark.
            limit_ps: end of the axis; None: twice the budget, or a round number above the longest if there is none.
        """

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        return None
