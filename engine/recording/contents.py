"""What a recording gives: about its run, turns as columns, the state at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import Clock, FaultNote, Gauges, Load
from subsecond.engine.scenario import MAX_DURATION_S

from .schema import Origin

__all__ = ["Metadata", "State", "TurnColumns"]

Int64 = NDArray[np.int64]
PS_PER_S = 10**12


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a recording says about its run.

    Attributes:
        tables: the scenario as read, with all settings.
        driver: "live", "virtual", or "re-run" of a live one.
        created_unix_s: when the recording began, seconds since 1970.
        digest: of the results of a run in virtual time.
        is_finished: closed in order; otherwise it is being written, or its writer has died.
        end_ps: when the run ended; None if it is not finished.
        dropped_gauges: messages that were left out because the disk was slow.
        origin: what it takes, beside the tables, to draw the same sessions.
        is_kept: whether it stays when its run ends.
    """

    format: int
    package_version: str
    catalog_digest: str
    seed: int
    tables: dict[str, Any]
    driver: str
    created_unix_s: float
    digest: str | None
    is_finished: bool
    end_ps: int | None
    dropped_gauges: int
    origin: Origin
    is_kept: bool

    @property
    def warm_up_ps(self) -> int:
        """Turns that begin before do not count in what the run came to."""
        seconds = self.tables.get("warm_up_s", 0)
        is_time = isinstance(seconds, int | float) and 0 <= seconds <= MAX_DURATION_S
        return round(seconds * PS_PER_S) if is_time else 0


@dataclass(frozen=True, slots=True, eq=False)
class TurnColumns:
    """Turns by their end, [num_turns] each; see `feed.TurnEnd` for what they mean.

    Attributes:
        stages_ps: [num_turns, num_stages].
        met: [num_turns, num_budgets]; -1 not meant.
    """

    lane: Int64
    turn: Int64
    session: Int64
    index: Int64
    agent: Int64
    state: Int64
    start_ps: Int64
    end_ps: Int64
    latency_ps: Int64
    ttft_ps: Int64
    tpot_ps: Int64
    requests: Int64
    prompt_tokens: Int64
    hit_tokens: Int64
    output_tokens: Int64
    attempts: Int64
    stages_ps: Int64
    met: Int64

    def __len__(self) -> int:
        return len(self.lane)


@dataclass(frozen=True, slots=True)
class State:
    """What was known at a moment: the latest message of each kind at or before it.

    Attributes:
        gauges: by lane; a lane without any is left out.
        faults: set at or before the moment and not over.
        knobs: parameters changed so far, in order.
    """

    at_ps: int
    clock: Clock | None
    load: Load | None
    gauges: dict[int, Gauges]
    faults: tuple[FaultNote, ...]
    knobs: tuple[tuple[int, SetKnob], ...]
