"""`subsecond report`: recordings, or studies, as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from subsecond.engine.comparison.compare import Comparison
from subsecond.engine.errors import InputError
from subsecond.engine.report.chapter import chapter_of
from subsecond.engine.report.page import page
from subsecond.engine.report.shell import plot_script
from subsecond.engine.report.studies import is_study, read_study, study_page

from .compare import compare_sides, main_budgets, read_window, source_names
from .output import check_writable, write_text

__all__ = ["report_command"]


def report_command(
    *, files: Sequence[Path], out: Path, budget: str | None, since: str | None, until: str | None
) -> None:
    """Write a report on recordings, or on studies.

    Raises:
        InputError: a file or an option cannot be used, or plotly is missing.
    """
    check_writable(out, "--out")
    if any(out.exists() and path.exists() and out.samefile(path) for path in files):
        raise InputError("--out", "", str(out), "a file that is none of those reported")
    studies = [path for path in files if is_study(path)]
    if studies:
        _report_studies(files, studies, out, {"--budget": budget, "--since": since, "--until": until})
        return
    window = read_window(since, until)
    plotting = plot_script()
    chapters = [
        chapter_of(path, name, since_ps=window[0], until_ps=window[1])
        for path, name in zip(files, source_names(files), strict=True)
    ]
    budgets = [own for chapter in chapters for own in chapter.budgets]
    kinds = list(dict.fromkeys(kind for chapter in chapters for kind in chapter.hello.agents))
    comparisons: list[Comparison] = []
    main = main_budgets(budgets, kinds, budget)
    if len(chapters) > 1:
        sides = [chapter.sides for chapter in chapters]
        comparisons, main = compare_sides(sides, [], budgets, budget)
    write_text(out, page(chapters, comparisons, main, plotting), "--out")


def _report_studies(
    files: Sequence[Path], studies: Sequence[Path], out: Path, options: Mapping[str, str | None]
) -> None:
    for path in files:
        if path not in studies:
            raise InputError(str(path), "", "a recording", f"a study like {studies[0]}, or recordings only")
    for option, value in options.items():
        if value is not None:
            raise InputError(option, "", value, "recordings: of a study all is reported")
    documents = [(name, read_study(path)) for path, name in zip(files, source_names(files), strict=True)]
    write_text(out, study_page(documents, plot_script()), "--out")
