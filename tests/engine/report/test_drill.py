"""The chapters of drills and of the long run: they hold what was found, and refuse what is no such study."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import msgspec
import pytest

from subsecond.agents.study.availability import Question, long_run
from subsecond.agents.study.availability_document import document_of as long_run_document
from subsecond.agents.study.drill_policies import run_policies
from subsecond.agents.study.drilling import run_drills, set_stage
from subsecond.agents.study.points import Point, load_base, plan_point
from subsecond.engine.drills.catalog import drill_named
from subsecond.engine.drills.document import document_of
from subsecond.engine.drills.study import DrillStudy
from subsecond.engine.errors import InputError
from subsecond.engine.report.studies import study_page

Document = dict[str, Any]


def plain(document: Document) -> Document:
    found: Document = msgspec.json.decode(msgspec.json.encode(document))
    return found


@pytest.fixture(scope="module")
def drills() -> Document:
    base = load_base("playground", settings=["coding.sessions=4", "voice.sessions=4"])
    asked = [drill_named(name) for name in ("server-lost", "link-quarter")]
    stage = set_stage(base, asked)
    outcomes, policies = run_drills(stage, asked, [1]), run_policies(stage, asked, [1])
    return plain(document_of(DrillStudy("playground", (), True, tuple(outcomes), tuple(policies), ("A remark.",))))


@pytest.fixture(scope="module")
def weeks() -> Document:
    base = load_base("playground", settings=["coding.sessions=4", "voice.sessions=4"])
    question = Question(4.0, {}, 300.0, 1)
    main = {budget.agents: budget for budget in plan_point(base, Point()).budgets}
    return plain(long_run_document("playground", question, long_run(base, question, main)))


@pytest.fixture(scope="module")
def simulated() -> Document:
    """Weeks that were simulated, too."""
    base = load_base("playground", pipelines=["gpu"], settings=["coding.sessions=2", "voice.sessions=2"])
    question = Question(0.02, {"gpu": 0.5}, 600.0, 2, direct=True)
    main = {budget.agents: budget for budget in plan_point(base, Point()).budgets}
    return plain(long_run_document("playground", question, long_run(base, question, main)))


def words_of(html: str) -> str:
    """What a reader sees of a page, without scripts and marks."""
    return " ".join(unescape(re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]+>", " ", html, flags=re.S)).split())


def page(document: Document) -> str:
    return study_page([("study.json", document)], "/* plotly */")


def test_the_page_holds_what_drills_did(drills: Document) -> None:
    html = page(drills)
    assert html.count('class="plot"') == 4  # two drills, two kinds of agents
    for words in (
        "server-lost: The server that writes the answers is lost for a minute",
        "gpu is left alone: it has no link between prefill and decode.",
        "link-quarter: policies side by side",
        "A remark.",
        "never away",
    ):
        assert words in html
    words = words_of(html)
    for lane in drills["drills"][0]["pipelines"].values():
        for name, kind in lane["by_agents"].items():
            assert f"{kind['turns'][0]:,}" in html
            budget, began, recovery = kind["budget"], kind["broken_by_start"], kind["recovery"]
            assert f"{name}: {budget['name']}, {budget['limit']} for {budget['percentile']:g} % of the turns." in words
            assert f"Source: {budget['source']}." in words
            row = f"{began['before']} {began['during']} {began['after']} {seconds(recovery['p95_before_ms'])} "
            assert row + seconds(recovery["worst_p95_ms"]) in words
            assert f"{recovery['after_s']:,.0f} s" in words
    assert "trn-cs3: decode_down of part 0 from 300 s to 360 s." in words
    assert "fallback: without gpu, it has nothing to fall back to." in words
    policies = {found["policy"]: found["drills"][0]["pipelines"] for found in drills["policies"] if found["drills"]}
    assert f"{policies['fail']['gpu']['work']['computed_again_tokens']:,}" in words


def seconds(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms < 1000 else f"{ms / 1000:,.2f} s"


def test_the_page_holds_the_long_run(weeks: Document) -> None:
    html = page(weeks)
    assert "In the long run: playground" in html
    assert "nothing is published about wse-3" in html
    assert '<span class="badge secret">not public</span>' in html
    for lane in weeks["pipelines"].values():
        for found in lane["by_agents"].values():
            assert f"{100 * found['long_run']['share']:.3f} %" in html
    assert "simulated turn by turn" not in html


def test_the_page_says_of_the_long_run_what_the_terminal_says(weeks: Document) -> None:
    words = words_of(page(weeks))
    assert "Repair takes 5 min." in words
    assert "Repair takes 10 min: an assumption" in words_of(page({**weeks, "repair_s": 600.0}))
    assert "Minutes below a week: those in which" in words
    for name, lane in weeks["pipelines"].items():
        for kind, found in lane["by_agents"].items():
            run = found["long_run"]
            assert f"{name}: {run['incidents']:.2g} incidents to be expected in 4 weeks" in words
            assert f"and {100 * run['overlap']:.2g} % meet another one." in words
            assert f"{name}, {kind}: an incident costs {found['incident_costs'][0]['met']:.3g}" in words
            below = f"{found['without_failures']['below'] * 10_080:,.0f} {run['below_s'] / 60 / 4:+.1f}"
            assert below in words
            assert f"Budget of {kind}: {found['budget']['name']}" in words


def test_simulated_weeks_are_on_the_page(simulated: Document) -> None:
    words = words_of(page(simulated))
    lane = simulated["pipelines"]["gpu"]
    assert "The same weeks simulated turn by turn" in words
    assert lane["simulated_incidents"] > 0
    for kind, found in lane["by_agents"].items():
        calm, struck = found["simulated"]
        told = f"gpu {kind} {lane['simulated_incidents']} {lane['simulated_down_s']:,.0f} s"
        assert f"{told} {calm['judged']:,} {calm['met']:,} {struck['met']:,}" in words


@pytest.mark.parametrize("which", ["drills", "weeks"])
def test_names_cannot_break_out_of_the_page(which: str, request: pytest.FixtureRequest) -> None:
    document = request.getfixturevalue(which)
    text = msgspec.json.encode(document).decode().replace("trn-cs3", "<script>alert(1)</script>%{x}")
    html = page(msgspec.json.decode(text))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def kind_of(document: Document) -> Document:
    found: Document = document["drills"][0]["pipelines"]["gpu"]["by_agents"]["voice"]
    return found


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("drills"),
        lambda d: d["drills"][0].update(seeds="one"),
        lambda d: kind_of(d).pop("recovery"),
        lambda d: kind_of(d)["over_time"].pop(),
        lambda d: kind_of(d)["over_time"][0]["p95_ms"].pop(),
        lambda d: d["policies"][0]["drills"].pop(),
    ],
)
def test_what_is_no_study_of_drills_is_refused(drills: Document, spoil: Callable[[Document], object]) -> None:
    broken = copy.deepcopy(drills)
    spoil(broken)
    with pytest.raises(InputError, match=r"study\.json: .*expected what subsecond\.drill/1 has there"):
        page(broken)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lane: lane["parts"][0].pop("source"),
        lambda lane: lane["by_agents"]["voice"]["incident_costs"].pop(),
        lambda lane: lane["by_agents"]["voice"].update(simulated=[1, 2]),
    ],
)
def test_what_is_no_long_run_is_refused(weeks: Document, spoil: Callable[[Document], object]) -> None:
    broken = copy.deepcopy(weeks)
    spoil(broken["pipelines"]["gpu"])
    with pytest.raises(InputError, match=r"expected what subsecond\.availability/1 has there"):
        page(broken)
