"""The chapter of a sweep: figures by the number of axes, failed points, and what is no such document."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.absurd import refuses_or_takes
from support.sweeps import QUICK, swept

from subsecond.agents.sweep.threads import Threads
from subsecond.engine.errors import InputError
from subsecond.engine.report.studies import is_study, read_study, study_page
from subsecond.engine.sweep.document import document_from, document_of
from subsecond.engine.sweep.reader import read_sweep

HEAD = 'scenario = "playground"\n[set]\nduration_s = 20\n"voice.sessions" = 3\n'
DESIGNS = {
    "no axis": (HEAD + '"coding.sessions" = 3\n', 0),
    "one axis": (HEAD + '[grid]\n"coding.sessions" = [3, 2]\n', 4),
    "one axis of words": (HEAD + '[grid]\n"gpu.kv_dtype" = ["fp8", "bf16"]\n', 4),
    "a grid": (QUICK, 4),
    "a random design": (HEAD + '[random]\npoints = 3\n"coding.sessions" = [2, 3]\n"gpu.replicas" = [1, 2]\n', 4),
}


def page(document: dict[str, Any]) -> str:
    return study_page([("sweep.json", document)], "/* plotly */")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read_study(swept(tmp_path_factory.mktemp("sweep"), Threads(1)))


@pytest.mark.parametrize(("text", "figures"), DESIGNS.values(), ids=DESIGNS.keys())
def test_figures_suit_the_design(tmp_path: Path, text: str, figures: int) -> None:
    folder = swept(tmp_path, Threads(1), text)
    assert is_study(folder)
    html = page(read_study(folder))
    assert html.count('class="plot"') == figures
    drawn = json.loads(html.partition('id="figures">')[2].partition("</script>")[0])
    assert all(trace["type"] in ("scatter", "heatmap") for figure in drawn.values() for trace in figure["data"])


def test_the_page_holds_every_failed_point(document: dict[str, Any]) -> None:
    html = page(document)
    assert "4 of 12 runs failed" in html
    assert html.count("coding workload: sessions: got") == 4
    assert "coding.sessions = 0, gpu.replicas = 2" in html
    assert document["digest"] in html


def test_a_heat_map_has_the_first_axis_down_and_gaps_where_points_failed(document: dict[str, Any]) -> None:
    html = page(document)
    drawn = json.loads(html.partition('id="figures">')[2].partition("</script>")[0])
    (trace,) = drawn["figure-2"]["data"]  # of voice agents, whose turns begin at once
    assert trace["y"] == ["2", "3", "0"]
    assert trace["x"] == ["1", "2"]
    assert trace["z"][2] == [None, None]
    assert all(0 <= share <= 1 for row in trace["z"][:2] for share in row)


def test_a_document_comes_back_as_it_was(tmp_path: Path) -> None:
    made = document_of(read_sweep(swept(tmp_path, Threads(1))))
    assert document_from(msgspec.json.decode(msgspec.json.encode(made)), "sweep.json") == made


def test_absurd_numbers_are_refused_in_a_line(document: dict[str, Any]) -> None:
    assert refuses_or_takes(copy.deepcopy(document), page, "sweep.json")


def test_names_cannot_break_out_of_the_page(document: dict[str, Any]) -> None:
    text = msgspec.json.encode(document).decode().replace("trn-cs3", "<script>alert(1)</script>%{x}")
    html = page(msgspec.json.decode(text))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no points": lambda d: d.pop("points"),
    "a setting less": lambda d: d["points"][0]["settings"].pop("gpu.replicas"),
    "an unknown lane": lambda d: d["points"][0]["pipelines"].update(tpu=d["points"][0]["pipelines"]["gpu"]),
    "an unknown kind": lambda d: d["points"][0]["pipelines"]["gpu"]["by_agents"].update(
        chess=d["points"][0]["pipelines"]["gpu"]["by_agents"]["voice"]
    ),
    "an unknown budget": lambda d: d["budgets"].pop("agent-step"),
    "no p95": lambda d: d["points"][0]["pipelines"]["gpu"]["by_agents"]["voice"]["latency_ms"].pop("p95"),
    "a word for a number": lambda d: d["runs"].update(all="many"),
    "another schema": lambda d: d.update(schema="subsecond.sweep/2"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_document_that_is_not_what_it_says_is_refused(
    document: dict[str, Any], change: Callable[[dict[str, Any]], object]
) -> None:
    broken = copy.deepcopy(document)
    change(broken)
    with pytest.raises(InputError, match=r"sweep\.json"):
        document_from(broken, "sweep.json")
