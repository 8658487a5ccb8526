"""The page itself: what was found first, then the figures behind it, then where every number comes from.

It asks for nothing outside itself: a policy in the page forbids it, and lets no script run but ours, whatever names a
recording holds.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from subsecond.engine.budgets import Budget
from subsecond.engine.comparison.compare import Comparison
from subsecond.engine.comparison.words import sides_named, verdict
from subsecond.engine.errors import InputError
from subsecond.engine.findings import counted

from .chapter import Chapter
from .figures import distribution, over_time, stages
from .markup import Html, element, embedded, joined
from .tables import agents_table, attainment_table, differences_table, provenance, worst_table

__all__ = ["page", "plot_script"]

PS_PER_S = 10**12


def plot_script() -> str:
    """The script that draws the figures.

    Raises:
        InputError: there is no plotly.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        expected = "plotly, which draws its figures: pip install 'subsecond[report]', or pip install plotly"
        raise InputError("report", "", "no plotly", expected) from None
    return str(get_plotlyjs())


def page(chapters: Sequence[Chapter], comparisons: Sequence[Comparison], main: dict[str, Budget], plotting: str) -> str:
    """A report on recordings.

    Args:
        comparisons: of several recordings.
        main: by agent kind the budget that its verdict is about.
        plotting: as of `plot_script`.
    """
    figures: dict[str, Any] = {}
    body = [_title(chapters)]
    if comparisons:
        body.append(_compared(comparisons, main))
    for number, chapter in enumerate(chapters):
        body.append(_chapter(chapter, number, main, figures, is_only=len(chapters) == 1))
    body.append(element("footer", f"Made by subsecond {version('subsecond')}. Times are virtual, of a simulated run."))
    scripts = [plotting, (files(__package__) / "page.js").read_text(encoding="utf-8")]
    style = (files(__package__) / "page.css").read_text(encoding="utf-8")
    head = joined(
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'),
        element("title", f"Subsecond: {', '.join(chapter.name for chapter in chapters)}"),
        element("style", Html(style)),
    )
    data = element("script", embedded(figures), type="application/json", id="figures")
    ending = joined(data, *(element("script", Html(script)) for script in scripts))
    whole = element("html", element("head", head), element("body", element("main", *body), ending), lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def _policy(scripts: Sequence[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    ours = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {ours}"


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


def _chapter(chapter: Chapter, number: int, main: dict[str, Budget], figures: dict[str, Any], *, is_only: bool) -> Html:
    parts = [] if is_only else [element("h2", chapter.name)]
    parts.append(_facts(chapter))
    for comparison in chapter.comparisons:
        parts += _verdicts(comparison, main)
    parts += [element("h3", "Turns in time"), attainment_table(chapter)]

    def figure(name: str, drawn: dict[str, Any], caption: str) -> None:
        key = f"figure-{number}-{name}"
        figures[key] = drawn
        style = f"height:{drawn['height']}px"
        plot = element("div", class_="plot", id=key, role="img", aria_label=caption, style=style)
        parts.append(element("figure", plot, element("figcaption", caption)))

    for place, kind in enumerate(chapter.kinds):
        parts.append(element("h3", f"Latency of {kind} turns over time"))
        figure(f"time-{place}", over_time(chapter, kind), _over_time_words(chapter))
    if chapter.kinds:
        parts.append(element("h3", "Where the time goes"))
        figure("stages", stages(chapter), "Mean of the answered turns; the stages of a turn add up to its latency.")
    for place, kind in enumerate(chapter.kinds):
        parts.append(element("h3", f"Distribution of {kind} turns"))
        words = "Share of the answered turns that took at most so long. Dashed: limits of the budgets."
        figure(f"distribution-{place}", distribution(chapter, kind), words)
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
