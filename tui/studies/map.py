"""A map of two pipelines: who keeps a budget over the length of contexts and the sessions at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from subsecond.engine.errors import InputError
from subsecond.tui.widgets.heat import HeatCell
from subsecond.tui.widgets.table import Column, TableRow
from subsecond.tui.widgets.text import NOTHING, count_text

from .documents import BudgetDoc, Doc, decoded
from .study import Choice, Chosen, Detail, HeatPicture, Table
from .text import finite, held_words, ms_text

__all__ = ["MapStudy", "study_of"]


class _Side(Doc, frozen=True):
    attainment: float
    low: float | None
    high: float | None
    is_kept: bool
    p50_ms: float | None
    p95_ms: float | None
    turns: int


class _Cell(Doc, frozen=True):
    who: str
    is_sure: bool
    p95_ratio: float | None
    lanes: list[_Side]


class _Map(Doc, frozen=True):
    scenario: str
    title: str
    agents: str
    budget: BudgetDoc
    replicas: int
    lanes: list[str]
    contexts: list[float]
    mean_prompt_tokens: list[float]
    sessions: list[float]
    cells: list[list[_Cell]]


@dataclass(frozen=True, slots=True)
class MapStudy:
    """What `subsecond gap --map` found."""

    found: _Map
    kind: str = "map"
    about: str = (
        "Which of two pipelines keeps the budget, over the length of contexts (down) and the sessions at once "
        "(across). m chooses what a cell shows: who keeps it, the ratio of their p95, or the share in time of either. "
        "Enter shows both sides of a cell."
    )
    problem: str = ""
    is_large: bool = False

    @property
    def headline(self) -> str:
        found = self.found
        lanes = " against ".join(found.lanes)
        return f"map · {found.scenario} · {lanes} · {found.agents}, {found.budget.words}"

    @property
    def state(self) -> str:
        return f"{len(self.found.contexts)} x {len(self.found.sessions)} cells"

    def choices(self, chosen: Chosen) -> Sequence[Choice]:
        lanes = self.found.lanes
        shares = tuple(f"in time on {lane}" for lane in lanes)
        return [Choice("m", ("who keeps the budget", f"p95 of {lanes[1]} to that of {lanes[0]}", *shares))]

    def words(self, chosen: Chosen, key: int | str | None) -> Sequence[str]:
        found = self._at(key)
        return [] if found is None else [self._sentence(*found)]

    def _at(self, key: int | str | None) -> tuple[int, int] | None:
        columns = len(self.found.sessions)
        return divmod(key, columns) if isinstance(key, int) and 0 <= key < columns * len(self.found.cells) else None

    def _sentence(self, row: int, column: int) -> str:
        cell, found = self.found.cells[row][column], self.found
        asked = found.budget.percentile / 100
        sure = "" if cell.is_sure else ", though that may be chance"
        sides = ", ".join(
            f"{lane} {held_words(side.attainment, asked)}" for lane, side in zip(found.lanes, cell.lanes, strict=True)
        )
        where = f"{_context(found, row)}, {found.sessions[column]:,.0f} sessions"
        return f"{where}: {_who(found, cell)}{sure}; in time: {sides}."

    def picture(self, chosen: Chosen, key: int | str | None) -> HeatPicture:
        found, measure = self.found, min(chosen.get("m", 0), 3)
        columns = len(found.sessions)
        keys = tuple(tuple(row * columns + column for column in range(columns)) for row in range(len(found.cells)))
        legends = (
            "✓ both, A and B only one of them, ! neither; ? it may be chance",
            f"█ {found.lanes[0]} is faster ▓▒░ · {found.lanes[1]} is; ! neither keeps the budget",
        )
        return HeatPicture(
            title=self.choices(chosen)[0].options[measure],
            across="sessions at once",
            down="contexts",
            columns=tuple(f"{count:,.0f}" for count in found.sessions),
            rows=tuple(f"x {scale:g}" for scale in found.contexts),
            cells=tuple(tuple(_shown(found, cell, measure) for cell in row) for row in found.cells),
            legend=legends[measure] if measure < 2 else "· 0 % ░▒▓ █ 100 %    ✓ the budget is kept, ! it is not",
            cursor=self._at(key),
            keys=keys,
        )

    def table(self, chosen: Chosen) -> Table:
        found = self.found
        lanes = [
            Column(f"lane{n}", f"{lane} in time", max(10, min(20, len(lane) + 8)), right=True, descending=True)
            for n, lane in enumerate(found.lanes)
        ]
        times = [
            Column(f"p95-{n}", f"{lane} p95", max(8, min(16, len(lane) + 4)), right=True, since=80)
            for n, lane in enumerate(found.lanes)
        ]
        columns = (
            Column("context", "contexts", 9, right=True),
            Column("prompt", "prompt", 7, right=True, since=90),
            Column("sessions", "sessions", 8, right=True),
            Column("who", "kept by", 18, grow=True),
            *lanes,
            *times,
        )
        rows = [
            self._row(row * len(found.sessions) + column, row, column, cell)
            for row, cells in enumerate(found.cells)
            for column, cell in enumerate(cells)
        ]
        return Table(columns, tuple(rows), "No cell was looked at.")

    def _row(self, key: int, row: int, column: int, cell: _Cell) -> TableRow:
        found, sides = self.found, cell.lanes
        asked = found.budget.percentile / 100
        prompt, sessions = found.mean_prompt_tokens[row], found.sessions[column]
        words = _who(found, cell) + ("" if cell.is_sure else " ?")
        shares = tuple(held_words(side.attainment, asked) + (" ✓" if side.is_kept else " !") for side in sides)
        cells = (
            f"x {found.contexts[row]:g}",
            count_text(prompt),
            f"{sessions:,.0f}",
            words,
            *shares,
            *(ms_text(side.p95_ms) for side in sides),
        )
        values = (
            found.contexts[row],
            prompt,
            sessions,
            words,
            *(s.attainment for s in sides),
            *(s.p95_ms for s in sides),
        )
        return TableRow(key, cells, values)

    def detail(self, chosen: Chosen, key: int | str) -> Detail:
        at = self._at(key)
        if at is None:
            return Detail("", ("There is no such cell.",))
        return Detail(
            f"{_context(self.found, at[0])}, {self.found.sessions[at[1]]:,.0f} sessions", tuple(self._lines(*at))
        )

    def _lines(self, row: int, column: int) -> Iterator[str]:
        yield self._sentence(row, column)
        asked = self.found.budget.percentile / 100
        cell = self.found.cells[row][column]
        for lane, side in zip(self.found.lanes, cell.lanes, strict=True):
            yield ""
            yield f"{lane}: {held_words(side.attainment, asked)} in time, {'kept ✓' if side.is_kept else 'not kept !'}"
            if side.low is not None:
                yield f"  between {held_words(side.low, asked)} and {held_words(side.high, asked)}"
            yield f"  p50 {ms_text(side.p50_ms)}, p95 {ms_text(side.p95_ms)}, {side.turns:,} turns"


def _context(found: _Map, row: int) -> str:
    return f"contexts x {found.contexts[row]:g} (a prompt has {count_text(found.mean_prompt_tokens[row])} tokens)"


def _who(found: _Map, cell: _Cell) -> str:
    kept = [lane for lane, side in zip(found.lanes, cell.lanes, strict=True) if side.is_kept]
    return "neither keeps it" if not kept else "both keep it" if len(kept) > 1 else f"only {kept[0]} keeps it"


def _shown(found: _Map, cell: _Cell, measure: int) -> HeatCell:
    first, second = cell.lanes
    if measure >= 2:
        side, asked = cell.lanes[measure - 2], found.budget.percentile / 100
        mark, ink = ("✓", "good") if side.is_kept else ("!", "bad")
        return HeatCell(finite(side.attainment) or 0.0, held_words(side.attainment, asked), mark, ink)
    if measure == 1:
        ratio = finite(cell.p95_ratio)
        neither = "" if first.is_kept or second.is_kept else "!"
        if ratio is None or ratio <= 0:
            return HeatCell(0.0, NOTHING, neither, "quiet")
        level = min(1.0, max(0.0, 0.5 + math.log(ratio) / math.log(100)))
        return HeatCell(level, f"{ratio:.2g}", neither, "line0" if ratio > 1 else "line1")
    words, mark, level, ink = {
        (True, True): ("both", "✓", 1.0, "good"),
        (True, False): (found.lanes[0], "A", 0.7, "line0"),
        (False, True): (found.lanes[1], "B", 0.3, "line1"),
        (False, False): ("neither", "!", 0.0, "bad"),
    }[first.is_kept, second.is_kept]
    return HeatCell(level, words, mark if cell.is_sure else f"{mark}?", ink)


def study_of(content: bytes, where: str) -> MapStudy:
    """The study of a document.

    Raises:
        InputError: it is not what it says.
    """
    found = decoded(content, _Map, where)
    rows, columns = len(found.contexts), len(found.sessions)
    if len(found.lanes) != 2:
        raise InputError(where, "lanes", len(found.lanes), "two of them")
    if len(found.cells) != rows or len(found.mean_prompt_tokens) != rows or any(len(r) != columns for r in found.cells):
        raise InputError(where, "cells", f"{len(found.cells)} rows", f"{rows} rows of {columns} cells")
    if any(len(cell.lanes) != 2 for row in found.cells for cell in row):
        raise InputError(where, "cells", "a cell without two sides", "both pipelines in every cell")
    return MapStudy(found)
