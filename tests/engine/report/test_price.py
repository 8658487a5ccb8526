"""The chapter of a price study: it holds what was found, and refuses what is no such study."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from support.absurd import refuses_or_takes

from subsecond.agents.study.points import load_base
from subsecond.agents.study.price_document import price_document
from subsecond.agents.study.pricing import Prices, price_study
from subsecond.engine.economics.document import document_from
from subsecond.engine.errors import InputError
from subsecond.engine.report.studies import study_page


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    study = price_study(load_base("playground"), Prices(), loads=[0.5], duration_s=120, warm_up_s=20)
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(price_document(study, most=2)))
    return found


def page(document: dict[str, Any]) -> str:
    return study_page([("price.json", document)], "/* plotly */")


def test_the_page_holds_findings_figures_and_sources(document: dict[str, Any]) -> None:
    html = page(document)
    for finding in document["findings"]:
        assert finding.replace("'", "&#x27;") in html
    assert html.count('class="plot"') == 2
    assert "trn2.48xlarge (16x Trainium2)" in html
    assert "foxl-ai/kiln research summary" in html
    assert '<span class="badge secret">not public</span>' in html
    assert "Amazon Bedrock on Cerebras" in html
    for pipeline in document["pipelines"].values():
        for cost in pipeline["costs"][document["basis"]]:
            assert cost["formula"] in html


def test_absurd_numbers_are_refused_in_a_line(document: dict[str, Any]) -> None:
    assert refuses_or_takes(copy.deepcopy(document), page, "price.json")


def test_names_cannot_break_out_of_the_page(document: dict[str, Any]) -> None:
    text = msgspec.json.encode(document).decode().replace("trn-cs3", "<script>alert(1)</script>%{x}")
    html = page(msgspec.json.decode(text))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_one_load_and_one_pipeline_have_no_curve() -> None:
    base = load_base("coding-fleet", pipelines=["gpu"])
    found = price_document(price_study(base, Prices(), loads=[], duration_s=60, warm_up_s=10), most=1)
    html = page(msgspec.json.decode(msgspec.json.encode(found)))
    assert 'class="plot"' not in html
    assert "p5en.48xlarge" in html


def drop(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.pop(key)


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no pipelines": drop("pipelines"),
    "no points": drop("points"),
    "empty points": lambda d: d["points"].clear(),
    "no own load": lambda d: d["points"].pop(1),
    "a lane less": lambda d: d["points"][0]["lanes"].pop("gpu"),
    "a basis less": lambda d: d["points"][0]["lanes"]["gpu"]["in_time"].pop("agent-step"),
    "an unknown basis": lambda d: d.update(basis="mine"),
    "an unknown pipeline": lambda d: d.update(against="tpu"),
    "an unknown verdict": lambda d: d["points"][0]["break_evens"][0].update(verdict="perhaps"),
    "a break-even less": lambda d: d["points"][1]["break_evens"].pop(),
    "a fleet's lane less": lambda d: d["fleets"][0]["lanes"].pop("gpu"),
    "costs less": lambda d: d["pipelines"]["gpu"]["costs"].pop("agent-step"),
    "a word for a number": lambda d: d["points"][0].update(factor="twice"),
    "another schema": lambda d: d.update(schema="subsecond.price/2"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_document_that_is_not_what_it_says_is_refused(
    document: dict[str, Any], change: Callable[[dict[str, Any]], object]
) -> None:

    broken = copy.deepcopy(document)
    change(broken)
    with pytest.raises(InputError, match=r"price\.json"):
        document_from(broken, "price.json")


def test_keys_from_later_versions_are_left_alone(document: dict[str, Any]) -> None:
    assert page({**document, "more": 1})
