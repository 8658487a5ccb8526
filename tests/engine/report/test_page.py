"""A report: one page that asks for nothing outside, in which no name can be more than a text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest
from support.recordings import MS, S, hello, turn

from subsecond.agents.plan import plan_run
from subsecond.engine.commands import SetKnob
from subsecond.engine.comparison.compare import compare
from subsecond.engine.comparison.sides import budgets_in
from subsecond.engine.errors import InputError
from subsecond.engine.feed import Annotation, FaultNote, Hello, OutsideAgent, ParameterInfo
from subsecond.engine.metrics import quantiles_ps
from subsecond.engine.recording.from_run import write_run
from subsecond.engine.recording.writer import Recorder
from subsecond.engine.report.chapter import Chapter, chapter_of, series_of, worst_of
from subsecond.engine.report.figures import distribution, over_time, stages
from subsecond.engine.report.markup import Html, element, embedded
from subsecond.engine.report.page import page
from subsecond.engine.report.shell import plot_script
from subsecond.engine.run import run_plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario

BAD = (
    "</script></style></title>\"'><script>document.documentElement.dataset.hacked=1</script>"
    "<img src=x onerror=alert(1)>"
)


class Parsed(HTMLParser):
    """Elements, attributes and text of a page; what scripts hold is kept apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._in = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag in ("script", "style"):
            self._in = tag
            self.scripts += [""] if tag == "script" else []

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        elif not self._in:
            self.text += data

    @property
    def figures(self) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = json.loads(self.scripts[0])
        return found


def report(*chapters: Chapter, plotting: str = "const Plotly = null;") -> str:
    main = {budget.agents: budget for budget in reversed(chapters[0].budgets)}
    first = chapters[0]
    found = [compare(a, b, first.budgets) for c in chapters[1:] for a, b in zip(first.sides, c.sides, strict=True)]
    return page(chapters, found, main, plotting)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables, path = load_tables("playground")
    apply_settings(tables, ["duration_s=120", "coding.sessions=20", "voice.sessions=20"])
    tables["faults"] = [{"kind": "gpu_down", "at_s": 30, "duration_s": 5}]
    file = tmp_path_factory.mktemp("recordings") / "race.subsecond"
    write_run(file, run_plan(plan_run(parse_scenario(tables, path))))
    return file


def hostile(folder: Path) -> Path:
    """A recording in which everything that can have a name has a bad one."""
    first = hello()
    lanes = tuple(
        msgspec.structs.replace(
            lane,
            name=f"{BAD}{n}"[-40:] + str(n),
            label=BAD,
            model=BAD,
            status=BAD,
            parameters=(ParameterInfo(BAD, BAD, BAD, BAD, BAD), ParameterInfo("k", "1", "", "not public", BAD)),
        )
        for n, lane in enumerate(first.lanes)
    )
    budgets = tuple(msgspec.structs.replace(budget, name=BAD + budget.name, source=BAD) for budget in first.budgets)
    bad: Hello = msgspec.structs.replace(
        first, title=BAD, scenario=BAD, lanes=lanes, budgets=budgets, stages=("network", BAD, "decode_first", "tools")
    )
    with Recorder(folder / "bad", bad) as recorder:
        for number in range(60):
            recorder.put(turn(number, lane=number % 2, latency_ps=(100 + number) * MS))
        recorder.put(FaultNote(S // 10, 0, BAD, 0, None, None))
        recorder.put(SetKnob(BAD, BAD, BAD), S // 5)
        recorder.put(Annotation(S // 4, BAD))
        agent = OutsideAgent(0, BAD, BAD, BAD, 0, 0, True, 0, (1,), 3, 1, 0, BAD, 10, 20, 1, BAD, None)
        recorder.put(agent)
    return folder / "bad"


def test_the_page_holds_what_it_shows_and_asks_for_nothing(recorded: Path) -> None:
    text = report(chapter_of(recorded, "race"), plotting=plot_script())
    parsed = Parsed(text)
    outside = [(name, value) for name, value in parsed.attributes if re.search(r"(?i)https?:|//|url\(", value)]
    assert outside == []
    loading = {name: value for name, value in parsed.attributes if name in ("src", "href", "srcset", "action")}
    assert loading == {"href": "data:,"}
    assert "@import" not in text.partition("<body>")[0]
    (policy,) = [value for name, value in parsed.attributes if name == "content" and "default-src" in value]
    assert policy.startswith("default-src 'none'")
    assert "unsafe-inline'; script-src 'sha256-" in policy
    assert len(parsed.scripts) == 3
    assert len(text) < 6_000_000


def test_the_page_says_what_was_found(recorded: Path) -> None:
    chapter = chapter_of(recorded, "race")
    text = Parsed(report(chapter)).text
    for words in (
        "coding: gpu is ",
        "agent-step, <= 1000 ms for 95 %",
        "not kept",
        "Latency of voice turns over time",
        "The longest turns",
        "most: ",
        "not public and stand for what nobody outside knows",
        f"digest {chapter.metadata.digest}",
        *(parameter.key for lane in chapter.hello.lanes for parameter in lane.parameters),
        *(parameter.source for lane in chapter.hello.lanes for parameter in lane.parameters),
    ):
        assert words in text


def test_several_recordings_are_compared(recorded: Path) -> None:
    chapter = chapter_of(recorded, "race")
    text = Parsed(report(chapter, chapter)).text
    assert "2 recordings compared" in text
    assert text.count("Nothing differs.") == 2


def test_names_in_a_recording_are_text_and_nothing_else(tmp_path: Path) -> None:
    chapter = chapter_of(hostile(tmp_path), BAD)
    text = report(chapter, chapter)
    parsed = Parsed(text)
    assert len(parsed.scripts) == 3
    assert not {"img", "iframe", "object", "a"} & set(parsed.tags)
    assert [name for name, _ in parsed.attributes if name.startswith("on")] == []
    assert BAD in parsed.text
    drawn = json.dumps(parsed.figures)
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "&lt;" in drawn


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("kind", ["usual", "hostile"])
def test_a_browser_opens_it_without_a_complaint(kind: str, recorded: Path, tmp_path: Path) -> None:
    path = recorded if kind == "usual" else hostile(tmp_path)
    chapter = chapter_of(path, path.name)
    (tmp_path / "report.html").write_text(report(chapter, chapter, plotting=plot_script()), encoding="utf-8")
    arguments = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=10000"),
    )
    command = ["chromium", *arguments, "--dump-dom", f"file://{tmp_path / 'report.html'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    figures = Parsed((tmp_path / "report.html").read_text(encoding="utf-8")).figures
    assert f'data-drawn="{len(figures)}"' in done.stdout
    assert done.stdout.count('class="main-svg"') >= len(figures)
    assert "data-hacked" not in done.stdout


def test_without_plotly_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(InputError, match=r"pip install 'subsecond\[report\]'"):
        plot_script()


def test_figures_stay_small_and_are_those_of_the_turns(recorded: Path) -> None:
    chapter = chapter_of(recorded, "race")
    for figure in (over_time(chapter, "coding"), distribution(chapter, "voice"), stages(chapter)):
        assert figure["data"]
        assert len(json.dumps(figure)) < 60_000
    side = chapter.sides[0].of_kind("coding")
    latency = side.latency_ps[side.answered]
    series = series_of(side, chapter.end_ps)
    whole = series_of(side, 10 * S)  # every turn that began in the first ten seconds stands in one of its points
    assert len(series.at_s) <= 120
    assert max(value for value in series.p50_ms if value is not None) <= latency.max() / 1e9
    assert len(whole.at_s) <= 12
    steps = distribution(chapter, "coding")["data"][0]
    assert steps["y"] == sorted(steps["y"])
    assert steps["y"][-1] == 100
    at = np.searchsorted(steps["y"], 95.0)
    assert steps["x"][at] == pytest.approx(quantiles_ps(latency)["p95"] / 1e9, rel=0.05)


def test_a_point_over_time_is_the_quantile_of_its_turns(recorded: Path) -> None:
    side = chapter_of(recorded, "race").sides[1].of_kind("voice")
    end_ps = 120 * S
    series = series_of(side, end_ps)
    width = round(2 * series.at_s[0] * S)
    for place, value in enumerate(series.p95_ms):
        inside = side.answered & (side.start_ps // width == place)
        latency = side.latency_ps[inside]
        assert (value is None) == (len(latency) < 5)
        if value is not None:
            assert value == quantiles_ps(latency)["p95"] / 1e9


def test_the_longest_turns_are_the_longest(recorded: Path) -> None:
    chapter = chapter_of(recorded, "race")
    side = chapter.sides[0]
    worst = worst_of(side, "coding", chapter.hello.stages)
    own = side.of_kind("coding")
    assert worst[0].latency_ps == own.latency_ps[own.state == 1].max()
    assert [w.latency_ps for w in worst] == sorted((w.latency_ps for w in worst), reverse=True)
    assert sum(worst[0].stages_ps.values()) == worst[0].latency_ps


def test_a_recording_without_turns_has_a_report(tmp_path: Path) -> None:
    Recorder(tmp_path / "empty", hello()).close()
    chapter = chapter_of(tmp_path / "empty", "empty")
    assert "No turn has ended." in Parsed(report(chapter)).text
    assert budgets_in(chapter.hello) == chapter.budgets


def test_elements_escape_their_children_and_attributes() -> None:
    assert element("p", "a<b", Html("<i></i>"), class_='"x"') == '<p class="&quot;x&quot;">a&lt;b<i></i></p>'
    assert "</script>" not in embedded({"a": "</script>"})
    assert json.loads(embedded({"a": "</script>&"})) == {"a": "</script>&"}
