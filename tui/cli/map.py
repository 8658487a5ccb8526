"""`subsecond map`: from the options to the picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from subsecond.agents.study.map import Cell, FlipMap, MapQuestion, flip_map
from subsecond.agents.study.map_document import map_document
from subsecond.agents.study.points import Base
from subsecond.engine.findings import counted

from .capacity import counting
from .grid import Grid, output_console, print_point
from .output import check_writable, write_json

__all__ = ["map_command"]

#: Who keeps the budget: letters that tell without colour, and the colour.
_SIGNS = {"both": ("AB", "green"), "first": ("A ", "cyan"), "second": (" B", "magenta"), "neither": ("--", "dim")}


def map_command(*, base: Base, question: MapQuestion, threads: int | None, json_out: Path | None, quiet: bool) -> None:
    """Draw the map and show it.

    Raises:
        InputError: an option or the scenario cannot be used.
    """
    if json_out is not None:
        check_writable(json_out)
    with counting("runs", quiet) as tell:
        found = flip_map(base, question, threads=threads, progress=tell)
    if json_out is not None:
        write_json(json_out, map_document(found))
    if not quiet and str(json_out) != "-":
        _show(found)


def _show(found: FlipMap) -> None:
    console = output_console()
    scenario, budget = found.base.scenario, found.budget
    first, second = found.lanes
    console.print(
        f"{scenario.name} · where the answer flips · {found.runs:,} runs · seed {scenario.seed}", markup=False
    )
    console.print(f"{budget.name}: {budget.shown} for {budget.percentile:g} % of {budget.agents} turns", markup=False)
    grid = Grid(["sessions:\nmean prompt", *(f"{number:,}\n" for number in found.question.sessions)])
    for tokens, row in zip(found.mean_prompts, found.cells, strict=True):
        grid.add(f"{tokens:,.0f} tokens", *map(_drawn, row))
    for table in grid.tables(console):
        console.print(table)
    print_point(console, f"Kept by A: {first} alone, B: {second} alone, AB: both, --: neither; ?: chance may have it.")
    print_point(console, f"The number is p95 of {second} over that of {first}.")
    for sentence in _sentences(found):
        print_point(console, sentence)


def _drawn(cell: Cell) -> Text:
    sign, style = _SIGNS[cell.who]
    doubt = " " if cell.is_sure else "?"
    ratio = "" if cell.ratio is None else f"{cell.ratio:.1f}x" if cell.ratio < 100 else f"{cell.ratio:.0f}x"
    return Text(f"{sign}{doubt}{ratio:>5}", style=style)


def _sentences(found: FlipMap) -> Iterator[str]:
    """Up to where each pipeline keeps the budget, and where the answer changes."""
    counts = {who: sum(cell.who == who for row in found.cells for cell in row) for who in _SIGNS}
    total = sum(counts.values())
    first, second = found.lanes
    names = {"both": "both", "first": f"{first} alone", "second": f"{second} alone", "neither": "neither"}
    words = ", ".join(f"{names[who]} in {count}" for who, count in counts.items() if count)
    yield f"Of {counted(total, 'cell')}, {words}."
    for number, name in enumerate(found.lanes):
        yield f"{name} keeps it {_reach(found, number)}."


def _reach(found: FlipMap, number: int) -> str:
    """The most sessions with which a pipeline keeps the budget, row by row."""
    parts = []
    for tokens, row in zip(found.mean_prompts, found.cells, strict=True):
        kept = [
            sessions
            for sessions, cell in zip(found.question.sessions, row, strict=True)
            if (cell.first, cell.second)[number].is_kept
        ]
        parts.append(f"{max(kept):,} at {tokens:,.0f} tokens" if kept else f"none at {tokens:,.0f}")
    return "with up to " + ", ".join(parts) if any("at" in p and "none" not in p for p in parts) else "nowhere"
