"""Comparisons as tables for the terminal: a verdict, outcomes side by side, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from subsecond.engine.budgets import Budget
from subsecond.engine.comparison.bootstrap import Estimate
from subsecond.engine.comparison.compare import Comparison, KindComparison
from subsecond.engine.comparison.words import sides_named, verdict
from subsecond.engine.findings import counted, stage_words
from subsecond.engine.shares import cut_share
from subsecond.tui.widgets.text import clean

from .grid import Grid, count_cell, milliseconds_cell, print_point, time_cell

__all__ = ["show_comparisons"]

PS_PER_MS = 10**9
#: Stages whose means differ by less stand together.
LEAST_PS = 1e6


def show_comparisons(comparisons: Sequence[Comparison], main: dict[str, Budget], console: Console) -> None:
    """Print comparisons, each with its verdict first."""
    for comparison in comparisons:
        names = sides_named(comparison.first, comparison.second)
        console.print(Text(clean(_headline(comparison, names))), style="bold")
        if comparison.is_same:
            console.print(Padding(Text("• Nothing differs."), (0, 0, 1, 1)))
            continue
        if not comparison.kinds:
            print_point(console, "The two have no turns of one agent kind.")
        for found in comparison.kinds:
            print_point(console, verdict(found, names, main.get(found.kind)))
        for grid in (_outcomes(comparison, names), _stages(comparison, names)):
            grid.print(console)
        for text in _remarks(comparison, names):
            print_point(console, text)


def _headline(comparison: Comparison, names: tuple[str, str]) -> str:
    first, second = comparison.first, comparison.second
    parts = [f"{names[0]} -> {names[1]}"]
    if first[0] == second[0]:
        parts.append(first[0])
    elif first[1] == second[1]:
        parts.append(first[1])
    return " · ".join(parts)


def _outcomes(comparison: Comparison, names: tuple[str, str]) -> Grid:
    """A row per agent kind and measure: both sides, the difference and its interval."""
    grid = Grid(["agents", "", *names, "difference", "95 % interval"], num_labels=2)
    for found in comparison.kinds:
        for i, row in enumerate(_rows(found, comparison.budgets)):
            grid.add("" if i else found.kind, *row)
        grid.end_section()
    return grid


def _rows(found: KindComparison, budgets: Sequence[Budget]) -> Iterator[tuple[str | Text, ...]]:
    first, second = found.first, found.second
    yield "turns", count_cell(first.turns), count_cell(second.turns), "", ""
    for word, counts in (("failed", (first.failed, second.failed)), ("open", (first.open, second.open))):
        if any(counts):
            yield word, count_cell(counts[0]), count_cell(counts[1]), "", ""
    for name in ("p50", "p95"):
        times = [time_cell(m.latency_ps.get(name)) for m in (first, second)]
        yield name, *times, *_difference_ms(found.latency_ps.get(name))
    last = [m.latency_ps.get("p99") for m in (first, second)]
    change = "" if last[0] is None or last[1] is None else _signed_ms(last[1] - last[0])
    yield "p99", time_cell(last[0]), time_cell(last[1]), change, ""
    means = [time_cell(m.mean_ps) if m.answered else "-" for m in (first, second)]
    yield "mean", *means, *_difference_ms(found.mean_ps)
    for budget in budgets:
        if budget.name in first.kept:
            shares = [m.attainment(budget.name) for m in (first, second)]
            shown = ["-" if value is None else cut_share(value) for value in shares]
            label = f"{budget.name}, {budget.shown}"
            yield label, *shown, *_difference_share(found.attainment.get(budget.name))
    rates = first.goodput_per_s, second.goodput_per_s
    yield "goodput/s", f"{rates[0]:.2f}", f"{rates[1]:.2f}", f"{rates[1] - rates[0]:+.2f}", ""


def _difference_ms(found: Estimate | None) -> tuple[Text, Text]:
    if found is None:
        return Text("-"), Text("")
    style = "bold" if found.is_clear else ""
    if found.low is None or found.high is None:
        return Text(_signed_ms(found.value)), Text("")
    return Text(_signed_ms(found.value), style), Text(f"{_signed(found.low)} .. {_signed(found.high)} ms")


def _difference_share(found: Estimate | None) -> tuple[Text, Text]:
    if found is None:
        return Text("-"), Text("")
    shown = Text(f"{100 * found.value:+.1f} points", "bold" if found.is_clear else "")
    if found.low is None or found.high is None:
        return shown, Text("")
    return shown, Text(f"{100 * found.low:+.1f} .. {100 * found.high:+.1f}")


def _signed_ms(ps: float) -> str:
    return f"{_signed(ps)} ms"


def _signed(ps: float) -> str:
    ms = ps / PS_PER_MS
    return f"{ms:+,.0f}" if abs(ms) >= 10 or ms == 0 else f"{ms:+.1f}"


def _stages(comparison: Comparison, names: tuple[str, str]) -> Grid:
    """Mean time by stage, and by how much it differs, at the mean and around p95; the largest difference in bold."""
    titles = ("mean ms per turn", *names, "difference", "around p95")
    grid = Grid(["agents", *titles], num_labels=2)
    for found in comparison.kinds:
        if not (found.first.answered and found.second.answered):
            continue
        means = found.first.stages_ps, found.second.stages_ps
        tails = found.tail_stages_ps
        largest = next(iter(found.stages_ps), ""), next(iter(tails), "")
        rows = [name for name in _in_order(found) if abs(found.stages_ps[name]) >= LEAST_PS]
        for i, name in enumerate(rows):
            cells = [milliseconds_cell(side.get(name, 0.0)) for side in means]
            changes = [
                Text(_change(value), "bold" if name == most else "")
                for value, most in zip((found.stages_ps[name], tails.get(name, 0.0)), largest, strict=True)
            ]
            grid.add("" if i else found.kind, stage_words(name), *cells, *changes)
        same = [name for name in _in_order(found) if name not in rows]
        rest = [sum(side.get(name, 0.0) for name in same) for side in means]
        tail = sum(tails.get(name, 0.0) for name in same)
        if any(rest):
            cells = [milliseconds_cell(value) for value in rest]
            grid.add("" if rows else found.kind, "other stages, the same", *cells, "-", _change(tail))
        whole = found.second.mean_ps - found.first.mean_ps, found.second.tail_ps - found.first.tail_ps
        sums = [milliseconds_cell(m.mean_ps) for m in (found.first, found.second)]
        grid.add("", Text("whole turn", "italic"), *sums, _change(whole[0]), _change(whole[1]))
        grid.end_section()
    return grid


def _in_order(found: KindComparison) -> list[str]:
    return list(dict.fromkeys((*found.first.stages_ps, *found.second.stages_ps)))


def _change(ps: float) -> str:
    return _signed(ps) if ps else "-"


def _remarks(comparison: Comparison, names: tuple[str, str]) -> Iterator[str]:
    for found in comparison.kinds:
        paired = found.paired
        if paired is None:
            yield f"{found.kind}: the two did not do the same work; their turns are compared as they are distributed."
            continue
        ahead = [f"{names[i]} {counted(count, 'turn')}" for i, count in enumerate(paired.sooner)]
        text = f"{found.kind}: the same work on both, {counted(paired.turns, 'turn')} answered by both; "
        if not any(paired.sooner):
            yield f"{text}every one in the same time."
            continue
        yield f"{text}sooner by {' and '.join(ahead)}, at the median by {_signed_ms(paired.difference_ps)}."
