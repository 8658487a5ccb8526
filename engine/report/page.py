"""Reports on recordings: what was found first, then the figures behind it, then where every number comes from."""

from __future__ import annotations

import time
from collections.abc import Sequence

from subsecond.engine.budgets import Budget
from subsecond.engine.comparison.compare import Comparison
from subsecond.engine.comparison.words import sides_named, verdict
from subsecond.engine.findings import counted

from .chapter import Chapter
from .figures import distribution, over_time, stages
from .markup import Html, element, joined
from .shell import Figures, page_of
from .tables import agents_table, attainment_table, differences_table, provenance, worst_table

__all__ = ["page"]

PS_PER_S = 10**12


def page(chapters: Sequence[Chapter], comparisons: Sequence[Comparison], main: dict[str, Budget], plotting: str) -> str:
    """A report on recordings.

    Args:
        comparisons: of several recordings.
        main: by agent kind the budget that its verdict is about.
        plotting: as of `plot_script`.
    """
    figures = Figures()
    body = [_title(chapters)]
    if comparisons:
        body.append(_compared(comparisons, main))
    for chapter in chapters:
        body.append(_chapter(chapter, main, figures, is_only=len(chapters) == 1))
    return page_of(", ".join(chapter.name for chapter in chapters), body, figures, plotting)


def _title(chapters: Sequence[Chapter]) -> Html:
    first = chapters[0].hello
    title = first.title or first.scenario
    return element("h1", title if len(chapters) == 1 else f"{counted(len(chapters), 'recording')} compared")


def _compared(comparisons: Sequence[Comparison], main: dict[str, Budget]) -> Html:
    parts = []
    for comparison in comparisons:
        names = sides_named(comparison.first, comparison.second)
        lane = f": {comparison.first[1]}" if comparison.first[1] == comparison.second[1] else ""
        parts.append(element("h3", f"{names[0]} → {names[1]}{lane}"))
        if comparison.is_same:
            parts.append(element("p", "Nothing differs."))
            continue
        parts += _verdicts(comparison, main)
        parts.append(differences_table(comparison))
    return joined(*parts)


def _verdicts(comparison: Comparison, main: dict[str, Budget]) -> list[Html]:
    names = sides_named(comparison.first, comparison.second)
    return [element("p", verdict(found, names, main.get(found.kind)), class_="verdict") for found in comparison.kinds]


def _chapter(chapter: Chapter, main: dict[str, Budget], figures: Figures, *, is_only: bool) -> Html:
    parts = [] if is_only else [element("h2", chapter.name)]
    parts.append(_facts(chapter))
    for comparison in chapter.comparisons:
        parts += _verdicts(comparison, main)
    parts += [element("h3", "Turns in time"), attainment_table(chapter)]

    for kind in chapter.kinds:
        parts.append(element("h3", f"Latency of {kind} turns over time"))
        parts.append(figures.add(over_time(chapter, kind), _over_time_words(chapter)))
    if chapter.kinds:
        parts.append(element("h3", "Where the time goes"))
        words = "Mean of the answered turns; the stages of a turn add up to its latency."
        parts.append(figures.add(stages(chapter), words))
    for kind in chapter.kinds:
        parts.append(element("h3", f"Distribution of {kind} turns"))
        words = "Share of the answered turns that took at most so long. Dashed: limits of the budgets."
        parts.append(figures.add(distribution(chapter, kind), words))
    parts += [element("h3", "The longest turns"), worst_table(chapter)]
    if chapter.agents:
        parts += [element("h3", "Agents from outside"), agents_table(chapter)]
    parts += [element("h3", "Where the numbers come from"), _provenance_words(chapter), provenance(chapter)]
    parts.append(_budget_sources(chapter))
    return joined(*parts)


def _facts(chapter: Chapter) -> Html:
    known, hello = chapter.metadata, chapter.hello
    began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(known.created_unix_s))
    turns = sum(found.turns for found in chapter.measures.values())
    facts = [
        chapter.name,
        f"scenario {hello.scenario}",
        f"{'live run' if known.driver == 'live' else 'run in virtual time'} of {chapter.end_ps / PS_PER_S:,.0f} s",
        f"{counted(turns, 'turn')} on {counted(len(hello.lanes), 'pipeline')}",
        f"seed {hello.seed}",
        f"recorded {began}, version {known.package_version}",
    ]
    if chapter.since_ps is not None or chapter.until_ps is not None:
        begin, end = (at_ps / PS_PER_S for at_ps in chapter.window_ps)
        facts.append(f"only turns that began from {begin:,.1f} s to {end:,.1f} s")
    if known.digest:
        facts.append(f"digest {known.digest}")
    if not known.is_finished:
        facts.append("not ended in order, or still running")
    return element("div", *(element("span", fact) for fact in facts), class_="facts")


def _over_time_words(chapter: Chapter) -> str:
    words = ["By the beginning of turns. Red, dashed: limits of the budgets."]
    if chapter.faults:
        words.append("Bands: faults, in the colour of the pipeline that they strike.")
    if chapter.knobs:
        words.append("Dotted lines: parameters that were changed.")
    if chapter.annotations:
        words.append("Lines: what was written down.")
    return " ".join(words)


def _provenance_words(chapter: Chapter) -> Html:
    parameters = [parameter for lane in chapter.hello.lanes for parameter in lane.parameters]
    secret = sum(parameter.provenance == "not public" for parameter in parameters)
    words = f"{counted(len(parameters), 'parameter')} went into this run"
    if secret:
        words += f"; {secret} of them are not public and stand for what nobody outside knows"
    return element("p", f"{words}. The values are those of the beginning of the run.", class_="soft")


def _budget_sources(chapter: Chapter) -> Html:
    words = [f"{b.name} ({b.agents}): {b.shown} for {b.percentile:g} %; {b.source}" for b in chapter.budgets]
    rows = [element("li", text) for text in words]
    return joined(element("h3", "Budgets"), element("ul", *rows)) if rows else Html("")
