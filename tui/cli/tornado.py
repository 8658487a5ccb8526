"""Bars to the left and to the right of a line: what changes do to a number, the largest effect first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from subsecond.tui.widgets.text import clean

__all__ = ["Bar", "show_tornado"]

#: Columns of the name, of each side of the line, and of the numbers behind it: 80 in all.
NAME, SIDE, CELLS = 30, 8, (8, 8, 15)
#: Eighths of a column from the left; what goes to the left is drawn in whole columns.
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row. `cells`: what stands behind the bar."""

    name: str
    effect: float
    cells: tuple[str, ...]
    style: str = ""


def show_tornado(console: Console, head: tuple[str, ...], bars: Sequence[Bar]) -> None:
    """Print bars, scaled to the largest; signs and sides say what colour would."""
    largest = max((abs(bar.effect) for bar in bars), default=0.0)
    _print(console, f"{'':{NAME}} {'worse':>{SIDE}}│{'better':<{SIDE}}{_cells(head)}", "bold")
    for bar in bars:
        _print(console, f"{_fitted(bar.name):{NAME}} {_drawn(bar.effect, largest)}{_cells(bar.cells)}", bar.style)


def _print(console: Console, line: str, style: str) -> None:
    console.print(Text(line.rstrip(), style=style), no_wrap=True, overflow="ellipsis")


def _fitted(name: str) -> str:
    text = clean(name)
    return text if len(text) <= NAME else text[: NAME - 1] + "…"


def _drawn(effect: float, largest: float) -> str:
    columns = SIDE * abs(effect) / largest if largest else 0.0
    if effect < 0:
        return f"{'▒' * round(columns) or '-':>{SIDE}}│{'':{SIDE}}"
    whole, rest = divmod(round(8 * columns), 8)
    bar = "█" * whole + _EIGHTHS[rest].strip()
    return f"{'':{SIDE}}│{bar or ('+' if effect > 0 else ''):{SIDE}}"


def _cells(cells: Sequence[str]) -> str:
    return "".join(f" {clean(cell):>{width - 1}}" for cell, width in zip(cells, CELLS, strict=False))
