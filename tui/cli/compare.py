"""`subsecond compare`: from recordings to tables and a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from subsecond.engine.budgets import Budget, catalog_budget
from subsecond.engine.catalog import catalog
from subsecond.engine.comparison.compare import Comparison, compare
from subsecond.engine.comparison.pairing import pairs_of
from subsecond.engine.comparison.sides import Side, budgets_in, read_sides
from subsecond.engine.errors import InputError
from subsecond.engine.recording.reader import Recording
from subsecond.tui.instants import instant_ps

from .compare_tables import show_comparisons
from .grid import output_console
from .options import lane_pair
from .output import check_writable, write_json

__all__ = ["compare_command", "compare_sides", "main_budgets", "read_window", "show_outcome"]


def compare_command(
    *,
    files: Sequence[Path],
    lanes: Sequence[str],
    budget: str | None,
    since: str | None,
    until: str | None,
    json_out: Path | None,
) -> None:
    """Compare recordings and show what differs.

    Raises:
        InputError: a file or an option cannot be used.
    """
    if json_out is not None:
        check_writable(json_out)
    told = [lane_pair(text) for text in lanes]
    window = read_window(since, until)
    names = source_names(files)
    sides: list[list[Side]] = []
    budgets: list[Budget] = []
    for path, name in zip(files, names, strict=True):
        with Recording.open(path) as recording:
            sides.append(read_sides(recording, name, since_ps=window[0], until_ps=window[1]))
            budgets += budgets_in(recording.hello())
    comparisons, main = compare_sides(sides, told, budgets, budget)
    show_outcome(comparisons, main, json_out, output_console())


def compare_sides(
    sides: Sequence[Sequence[Side]], told: Sequence[tuple[str, str]], budgets: Iterable[Budget], budget: str | None
) -> tuple[list[Comparison], dict[str, Budget]]:
    """Comparisons of the lanes that belong together, and the budget that counts for each agent kind.

    Args:
        budgets: of the recordings; of several with one name the first is meant.
        budget: name of the one that counts.
    """
    known = list({(b.name, b.agents): b for b in reversed(list(budgets))}.values())[::-1]
    kinds = dict.fromkeys(kind for side in sides for lane in side for kind in lane.agents)
    main = main_budgets(known, list(kinds), budget)
    known += [b for b in main.values() if b not in known]
    return [compare(a, b, known) for a, b in pairs_of(sides, told)], main


def main_budgets(budgets: Sequence[Budget], kinds: Sequence[str], name: str | None) -> dict[str, Budget]:
    """By agent kind the budget that counts: the first one, or the one of a name, of the recordings or the catalog.

    Raises:
        InputError: there is no such budget.
    """
    first = {kind: budget for kind in kinds for budget in reversed(budgets) if budget.agents == kind}
    if name is None:
        return first
    named = [budget for budget in budgets if budget.name in (name, *(f"{name}:{kind}" for kind in kinds))]
    if named:
        return first | {budget.agents: budget for budget in named}
    found = catalog_budget(name, kinds[0], catalog(), "--budget")
    return {kind: replace(found, agents=kind) for kind in kinds}


def show_outcome(
    comparisons: Sequence[Comparison], main: dict[str, Budget], json_out: Path | None, console: Console
) -> None:
    """Print comparisons, or write them as JSON."""
    if json_out is not None:
        from subsecond.engine.comparison.document import document_of

        write_json(json_out, document_of(comparisons, main))
    if str(json_out) != "-":
        show_comparisons(comparisons, main, console)


def source_names(files: Sequence[Path]) -> list[str]:
    """What recordings are called: by their names, or their paths where those are the same."""
    names = [path.name for path in files]
    return [str(path) if names.count(path.name) > 1 else path.name for path in files]


def read_window(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """The window of time that two options say, in ps.

    Raises:
        InputError: one of them is no instant, or the window is empty.
    """
    begin, end = (_instant(option, text) for option, text in (("--since", since), ("--until", until)))
    if begin is not None and end is not None and begin >= end:
        raise InputError("--until", "", until, f"an instant after {since}")
    return begin, end


def _instant(option: str, text: str | None) -> int | None:
    try:
        return None if text is None else instant_ps(text)
    except ValueError:
        raise InputError(option, "", text, "an instant within 1,000,000 s, such as 90s, 1.5m or 1:30") from None
