"""With NO_COLOR and in 16 colours the same is told: every picture has its glyphs, states their words."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support.widget_names import WIDGETS

from subsecond.engine.turns import TurnState
from subsecond.tui.widgets.chart import PATTERNS, ChartLine, LineChart

MS = 10**9


@pytest.mark.parametrize(
    "name",
    WIDGETS,
)
def test_no_color_paints_the_same_text_in_grey(kit, name, monkeypatch):
    pictures = []

    async def body(app, pilot):
        pictures.append(kit.text_of(app.widget))
        filters = [one for one in app._filters if one.enabled]
        for strip in kit.strips_of(app.widget):
            for one in filters:
                strip = strip.apply_filter(one, app.widget.background_colors[1])
            for segment in strip:
                colour = segment.style.color if segment.style else None
                if is_grey and colour is not None and colour.triplet is not None:
                    assert len(set(colour.triplet)) == 1

    is_grey = False
    kit.run(kit.MAKERS[name](), body, size=(90, 16))
    monkeypatch.setenv("NO_COLOR", "1")
    is_grey = True
    kit.run(kit.MAKERS[name](), body, size=(90, 16))
    assert pictures[0] == pictures[1]


def test_lines_of_pipelines_have_patterns_of_their_own():
    drawn = set()
    xs = [float(x) for x in range(40)]
    for lane in range(len(PATTERNS)):
        chart = LineChart("p95")
        chart.update([ChartLine(lane, "", xs, [0.5] * 40)], x_range=(0, 40), y_max=1)
        text = "\n".join("".join(run for run, _ in row) for row in chart.draw(60, 10)[1:])
        drawn.add(re.sub("[A-Z]", "", text))
        assert "ABCD"[lane] in text
    assert len(drawn) == len(PATTERNS)


def _text(widget, width=80, height=30):
    return ["".join(run for run, _ in row) for row in widget.draw(width, height)]


def test_late_turn_is_marked_by_a_glyph(kit):
    lines = _text(kit.make_lanes(), 70)
    late = [line for line in lines if re.search(r"(\d s|[89]\d\d ms) !$", line.rstrip())]
    assert len(late) == 9
    assert any("! 9 late" in line for line in lines)


def test_server_that_is_down_says_so(kit):
    lines = _text(kit.make_occupancy())
    assert [line for line in lines if "DOWN" in line] == [line for line in lines if "decode-0" in line]


def test_cursor_is_a_glyph_too(kit):
    async def body(app, pilot):
        lines = kit.text_of(app.widget).splitlines()
        assert [line for line in lines if line.startswith("▸")] == [lines[1]]

    kit.run(kit.make_table(), body)


def test_budget_mark_stands_where_the_budget_is(kit):
    waterfall = kit.make_waterfall()
    lines = _text(waterfall, 100)
    marks = {line.index("│") for line in lines if "│" in line}
    assert len(marks) == 1
    assert "│budget 1.00 s" in lines[-1]


def test_verdict_names_the_stage_that_has_to_shrink(kit):
    lines = _text(kit.make_waterfall())
    assert "To meet the budget: decode in 117 ms instead of 640 ms." in [line.strip() for line in lines]


def test_verdict_when_no_stage_alone_would_do(kit):
    times = kit.stages(prefill=700, decode_rest=700, tools=900)
    lane = kit.WaterfallLane(0, "a", times, None, TurnState.ANSWERED, (0,))
    widget = kit.Waterfall()
    widget.update([lane], stages=kit.STAGES, budget_ps=1000 * MS)
    text = " ".join(_text(widget, 120))
    assert "No stage alone would meet the budget: 1.30 s over, take it from tools and prefill." in text


def test_bars_are_as_long_as_their_times(kit):
    bars = kit.StageBars()
    times = kit.stages(prefill=250, decode_rest=500)
    bars.update([kit.StageBar(0, "a", times)], kit.STAGES, 1000 * MS)
    line = _text(bars, 124, 2)[0]
    assert 1.9 < line.count("▒") / line.count("█") < 2.1


def test_histogram_counts_every_turn(kit):
    histogram = kit.Histogram()
    values = np.array([100, 100, 100, 100, 300, 900, 5000], np.int64) * MS
    histogram.update([kit.Latencies(0, "a", values)], budget_ps=500 * MS)
    lines = _text(histogram, 41, 4)
    assert lines[0].startswith("A a  p50 100 ms  p95 5.00 s  late 29 %")
    drawn = {x: line[x] for line in lines[1:3] for x in range(41) if line[x] not in " │"}
    assert drawn == {4: "█", 12: "▄", 36: "▄", 40: "▄"}


def test_reply_is_typed_at_its_pace(kit):
    replies = kit.TypedReplies()
    lane = kit.TypedLane(0, "a", 100 * MS, 10 * MS, 4)
    texts = []
    for at in (0, 99, 100, 109, 110, 130):
        replies.update([lane], text="one two tree four", at_ps=at * MS)
        texts.append(" ".join(line.strip() for line in _text(replies, 60, 9)[2:]).replace("▌", ""))
    assert texts == ["", "", "one", "one", "one two", "one two tree four"]


def test_speech_leaves_silence_as_long_as_the_stages(kit):
    timeline = kit.SpeechTimeline()
    lane = kit.SpeechLane(0, "a", kit.stages(endpointing=500, prefill=500), 1000 * MS)
    timeline.update([lane], stages=kit.STAGES, budget_ps=None, spoken_ps=1000 * MS)
    speech, silence = _text(timeline, 74, 4)[:2]
    assert speech.count("«") == speech.count("»") == silence.count(":") + silence.count("█") == 20
    assert "1.00 s silence" in speech
