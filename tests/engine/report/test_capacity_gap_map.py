"""Chapters on capacity, gaps and maps: they hold what was found, and refuse what is no such study."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import plotly.graph_objects as plotly
import pytest
from support.absurd import refuses_or_takes

from subsecond.agents.study.capacity import Question, capacity_study
from subsecond.agents.study.capacity_document import capacity_document
from subsecond.agents.study.changes import load_changes
from subsecond.agents.study.gap import GapQuestion, gap_study
from subsecond.agents.study.gap_document import gap_document
from subsecond.agents.study.map import MapQuestion, flip_map
from subsecond.agents.study.map_document import map_document
from subsecond.agents.study.points import Base, load_base
from subsecond.engine.errors import InputError
from subsecond.engine.report import capacity, gap, map
from subsecond.engine.report.shell import Figures
from subsecond.engine.report.studies import study_page

Document = dict[str, Any]


def small() -> Base:
    return load_base("playground", settings=["duration_s=120", "coding.sessions=8", "voice.sessions=4"])


def made(document: Document) -> Document:
    found: Document = msgspec.json.decode(msgspec.json.encode(document))
    return found


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    times = {"duration_s": 240.0, "warm_up_s": 40.0, "replicas": 2}
    asked = Question(kind="coding", percentile=80, most=8, **times)  # type: ignore[arg-type]  # of each kind one
    cells = MapQuestion(contexts=(0.2, 1.0), sessions=(8, 40), **times)  # type: ignore[arg-type]  # of each kind one
    return {
        "capacity": made(capacity_document([capacity_study(small(), asked)])),
        "gap": made(gap_document(gap_study(small(), load_changes(), GapQuestion(replicas=1)))),
        "map": made(map_document(flip_map(small(), cells))),
    }


def page(document: Document) -> str:
    return study_page([("study.json", document)], "/* plotly */")


@pytest.mark.parametrize(("study", "plots"), [("capacity", 1), ("gap", 2), ("map", 1)])
def test_the_page_holds_findings_and_figures(documents: dict[str, Document], study: str, plots: int) -> None:
    document = documents[study]
    html = page(document)
    parts = document.get("kinds") or (document["lanes"] if study == "gap" else [document])
    findings = [text for part in parts for text in part["findings"]]
    assert findings
    for text in findings:
        assert text.replace("'", "&#x27;") in html
    assert html.count('class="plot"') == plots
    assert document["title"] in html


def test_every_change_stands_on_the_page_with_its_source(documents: dict[str, Document]) -> None:
    html = page(documents["gap"])
    for change in load_changes():
        if {"gpu", "trn-cs3"} & set(change.pipelines):
            assert change.stands_for.replace("'", "&#x27;") in html
            assert change.source.replace("'", "&#x27;") in html


def test_the_table_of_a_capacity_study_has_the_rate_of_the_budget_asked_for(documents: dict[str, Document]) -> None:
    document = copy.deepcopy(documents["capacity"])
    for lane in document["kinds"][0]["lanes"]:
        for trial in lane["trials"]:
            trial["in_time_per_s"] = 4321.5
    assert page(document).count(">4321.50</td>") == 2


@pytest.mark.parametrize("study", ["capacity", "gap", "map"])
def test_absurd_numbers_are_refused_in_a_line(documents: dict[str, Document], study: str) -> None:
    assert refuses_or_takes(copy.deepcopy(documents[study]), page, "study.json")


@pytest.mark.parametrize("module", [capacity, gap, map])
def test_plotly_takes_the_figures(documents: dict[str, Document], module: Any) -> None:
    figures = Figures()
    module.chapter(documents[module.__name__.rpartition(".")[2]], figures, "study.json")
    assert figures.drawn
    for figure in figures.drawn.values():
        plotly.Figure(data=figure["data"], layout=figure["layout"])


@pytest.mark.parametrize("study", ["capacity", "gap", "map"])
def test_names_cannot_break_out_of_the_page(documents: dict[str, Document], study: str) -> None:
    hostile = msgspec.json.encode(documents[study]).decode().replace("trn-cs3", "<script>alert(1)</script>%{x}")
    html = page(msgspec.json.decode(hostile))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def drop(*path: str | int) -> Callable[[Document], object]:
    """Leaves out a key."""

    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


@pytest.mark.parametrize(
    ("study", "change", "expected"),
    [
        ("capacity", drop("kinds", 0, "lanes"), "lanes"),
        ("capacity", lambda d: d["kinds"][0].update(lanes=[]), "lanes"),
        ("capacity", lambda d: d["kinds"][0]["lanes"][0].update(trials=[]), "trials"),
        ("capacity", lambda d: d["kinds"][0]["lanes"][0]["trials"][0].update(load="many"), "load"),
        ("gap", drop("budget", "percentile"), "percentile"),
        ("gap", lambda d: d["lanes"][0].update(singles=7), "singles"),
        ("map", drop("cells", 0, 0), "rows of 2 cells"),
        ("map", lambda d: d["cells"][0][0].update(who="nobody"), "got 'nobody', expected one of neither"),
        ("map", lambda d: d.update(lanes=["a"]), "lanes"),
    ],
)
def test_what_is_no_such_study_is_refused(
    documents: dict[str, Document], study: str, change: Callable[[Document], object], expected: str
) -> None:
    document = copy.deepcopy(documents[study])
    change(document)
    with pytest.raises(InputError, match=expected) as caught:
        page(document)
    assert "study.json" in str(caught.value)
