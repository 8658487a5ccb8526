"""`subsecond validate`: published measurements beside their predictions, row by row and by family."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from subsecond.engine.latency.validation import Prediction, Summary

__all__ = ["validate"]


def validate(file: Path | None = None, json_out: Path | None = None) -> None:
    """Predict published measurements and show how far off the predictions are.

    Args:
        file: a CSV with the columns of the shipped measurements.csv; None: the shipped one.
        json_out: where to write rows and summary as JSON; `-` writes them to standard output instead of the tables.

    Raises:
        InputError: the file cannot be read, or a row of it is broken.
    """
    from rich.console import Console

    from subsecond.engine.catalog import MEASUREMENTS
    from subsecond.engine.latency.measurements import read_measurements
    from subsecond.engine.latency.validation import predict_rows, summarise
    from subsecond.tui.cli.output import check_writable

    if json_out is not None:
        check_writable(json_out)
    predictions = predict_rows(read_measurements(file or MEASUREMENTS))
    families = {
        family: summarise([p for p in predictions if p.family == family])
        for family in dict.fromkeys(p.family for p in predictions)
    }
    overall = summarise(predictions)
    strict = summarise([p for p in predictions if not p.doubtful])
    if json_out is not None:
        _write_json(json_out, predictions, families, overall, strict)
        if str(json_out) == "-":
            return
    console = Console()
    _print_rows(console, predictions)
    _print_families(console, families, overall, strict)


def _write_json(
    path: Path,
    predictions: Sequence[Prediction],
    families: dict[str, Summary],
    overall: Summary,
    strict: Summary,
) -> None:
    from subsecond.tui.cli.output import write_json

    rows = [
        {
            "id": p.id,
            "family": p.family,
            "metric": p.metric,
            "predicted": p.predicted,
            "published": p.published,
            "error": p.error,
            "skipped": p.skipped or None,
        }
        for p in predictions
    ]
    summary: dict[str, Any] = {
        **_figures(overall),
        "without_doubtful": _figures(strict),
        "families": {family: _figures(figures) for family, figures in families.items()},
    }
    write_json(path, {"rows": rows, "summary": summary})


def _figures(summary: Summary) -> dict[str, float | int | None]:
    return {
        "rows": summary.rows,
        "predicted": summary.predicted,
        "skipped": summary.rows - summary.predicted,
        "median_abs_error": summary.median_abs_error,
        "within_35_percent": summary.within_35_percent,
    }


def _print_rows(console: Console, predictions: Sequence[Prediction]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Predicted and published", title_justify="left", box=None, pad_edge=False)
    for name in ("row", "family", "metric"):
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    for name in ("predicted", "published", "error"):
        table.add_column(name, justify="right", no_wrap=True, min_width=9)
    for p in predictions:
        published = _number(p.published)
        name = f"{p.id} ?" if p.doubtful else p.id
        if p.predicted is None or p.error is None:
            table.add_row(Text(name), Text(p.family), Text(p.metric), "skipped", published, "")
            continue
        style = "bold" if abs(p.error) > 0.35 else ""
        error = Text(f"{p.error:+.0%}" + (" !" if abs(p.error) > 0.35 else "  "), style=style)
        table.add_row(Text(name), Text(p.family), Text(p.metric), _number(p.predicted), published, error)
    console.print(table)
    if any(p.doubtful for p in predictions):
        console.print("? the source calls the row doubtful   ! more than 35 % off")
    skipped = [p for p in predictions if p.skipped]
    if skipped:
        console.print("\nSkipped", style="bold")
    for p in skipped:
        # A reason holds what the file says, which must not be read as markup.
        console.print(Text(f"{p.id}: {p.skipped}"))


def _print_families(console: Console, families: dict[str, Summary], overall: Summary, strict: Summary) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="\nBy family", title_justify="left", box=None, pad_edge=False)
    table.add_column("family")
    for name in ("rows", "skipped", "median error", "within 35 %"):
        table.add_column(name, justify="right")
    for family, summary in families.items():
        table.add_row(Text(family), *_cells(summary))
    table.add_section()
    table.add_row("all", *_cells(overall), style="bold")
    if strict.rows != overall.rows:
        table.add_row("without doubtful rows", *_cells(strict))
    console.print(table)


def _cells(summary: Summary) -> tuple[str, str, str, str]:
    middle, within = summary.median_abs_error, summary.within_35_percent
    return (
        str(summary.rows),
        str(summary.rows - summary.predicted),
        "-" if middle is None else f"{middle:.0%}",
        "-" if within is None else f"{within:.0%}",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
