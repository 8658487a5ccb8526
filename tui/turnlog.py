"""Ended turns of one lane as columns: bounded memory, and views that stay as they are while the log grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.feed import TurnEnd

__all__ = ["Field", "TurnLog", "TurnTable"]

Int64 = NDArray[np.int64]


class Field(IntEnum):
    """Rows of a table in front of the stages and the budgets; named like the fields of `feed.TurnEnd`."""

    TURN = 0
    SESSION = 1
    INDEX = 2
    AGENT = 3
    STATE = 4
    START_PS = 5
    LATENCY_PS = 6
    TTFT_PS = 7
    TPOT_PS = 8
    REQUESTS = 9
    PROMPT_TOKENS = 10
    HIT_TOKENS = 11
    OUTPUT_TOKENS = 12
    ATTEMPTS = 13


_FIRST_STAGE = len(Field)


@dataclass(frozen=True, slots=True, eq=False)
class TurnTable:
    """Turns in the order of their messages.

    Attributes:
        columns: [fields + stages + budgets, turns]; not to be written to.
        num_stages: stages of a turn.
    """

    lane: int
    columns: Int64
    num_stages: int

    def __len__(self) -> int:
        return int(self.columns.shape[1])

    def of(self, field: Field) -> Int64:
        """A field of every turn, [turns]."""
        column: Int64 = self.columns[field]
        return column

    @property
    def stages_ps(self) -> Int64:
        """[stages, turns]."""
        return self.columns[_FIRST_STAGE : _FIRST_STAGE + self.num_stages]

    @property
    def met(self) -> Int64:
        """[budgets, turns]: 1 met, 0 missed, -1 not meant for this agent kind."""
        return self.columns[_FIRST_STAGE + self.num_stages :]

    @property
    def end_ps(self) -> Int64:
        """When each ended for the user, [turns]."""
        end: Int64 = self.columns[Field.START_PS] + self.columns[Field.LATENCY_PS]
        return end

    def where(self, pick: NDArray[np.bool_] | Int64 | slice) -> TurnTable:
        """Some of the turns."""
        return TurnTable(self.lane, self.columns[:, pick], self.num_stages)

    def turn(self, row: int) -> TurnEnd:
        """A turn as the message that it came with."""
        values = self.columns[:, row].tolist()
        stages = _FIRST_STAGE + self.num_stages
        turn, session, index, agent, state, start, latency, ttft, tpot, *rest = values[:_FIRST_STAGE]
        requests, prompt, hit, output, attempts = rest
        return TurnEnd(
            lane=self.lane,
            turn=turn,
            session=session,
            index=index,
            agent=agent,
            state=state,
            start_ps=start,
            latency_ps=latency,
            ttft_ps=ttft,
            tpot_ps=tpot,
            stages_ps=tuple(values[_FIRST_STAGE:stages]),
            met=tuple(values[stages:]),
            requests=requests,
            prompt_tokens=prompt,
            hit_tokens=hit,
            output_tokens=output,
            attempts=attempts,
        )

    def find(self, turn: int) -> TurnEnd | None:
        """The turn of a number; None: not among these."""
        rows = np.flatnonzero(self.columns[Field.TURN] == turn)
        return self.turn(int(rows[-1])) if len(rows) else None


class TurnLog:
    """Collects turns. At least the last `keep` of them are there; memory is that of a quarter more rows.

    Tables that were taken before keep what they showed: rows are never overwritten.
    """

    def __init__(self, lane: int, num_stages: int, num_budgets: int, keep: int) -> None:
        self._lane = lane
        self._keep = keep
        self._most = keep + (keep + 3) // 4
        self._num_stages = num_stages
        self._columns = np.empty((_FIRST_STAGE + num_stages + num_budgets, min(256, self._most)), np.int64)
        self._rows = 0

    def add(self, turns: Sequence[TurnEnd]) -> TurnTable:
        """Append turns, and give a table of them alone."""
        new = np.array([_row(turn) for turn in turns], np.int64).reshape(len(turns), len(self._columns)).T
        begin = 0
        while begin < len(turns):
            self._make_room()
            part = new[:, begin : begin + self._columns.shape[1] - self._rows]
            self._columns[:, self._rows : self._rows + part.shape[1]] = part
            self._rows += part.shape[1]
            begin += part.shape[1]
        return TurnTable(self._lane, new, self._num_stages)

    def _make_room(self) -> None:
        size = self._columns.shape[1]
        if self._rows < size:
            return
        kept = self._columns[:, -self._keep :] if size >= self._most else self._columns
        self._columns = np.empty((len(kept), min(2 * size, self._most)), np.int64)
        self._rows = kept.shape[1]
        self._columns[:, : self._rows] = kept

    def table(self) -> TurnTable:
        """The last turns, `keep` at most."""
        begin = max(0, self._rows - self._keep)
        return TurnTable(self._lane, self._columns[:, begin : self._rows], self._num_stages)


def _row(turn: TurnEnd) -> tuple[int, ...]:
    return (
        turn.turn,
        turn.session,
        turn.index,
        turn.agent,
        turn.state,
        turn.start_ps,
        turn.latency_ps,
        turn.ttft_ps,
        turn.tpot_ps,
        turn.requests,
        turn.prompt_tokens,
        turn.hit_tokens,
        turn.output_tokens,
        turn.attempts,
        *turn.stages_ps,
        *turn.met,
    )
