"""`subsecond map`: from the options to the picture."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from subsecond.agents.study.map import Cell, FlipMap, MapQuestion, flip_map
from subsecond.agents.study.map_document import map_document
from subsecond.agents.study.map_words import map_sentences
from subsecond.agents.study.points import Base

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
    grid.print(console)
    print_point(console, f"Kept by A: {first} alone, B: {second} alone, AB: both, --: neither; ?: chance may have it.")
    print_point(console, f"The number is p95 of {second} over that of {first}.")
    for sentence in map_sentences(found):
        print_point(console, sentence)


def _drawn(cell: Cell) -> Text:
    sign, style = _SIGNS[cell.who]
    doubt = " " if cell.is_sure else "?"
    ratio = "" if cell.ratio is None else f"{cell.ratio:.1f}x" if cell.ratio < 100 else f"{cell.ratio:.0f}x"
    return Text(f"{sign}{doubt}{ratio:>5}", style=style)
