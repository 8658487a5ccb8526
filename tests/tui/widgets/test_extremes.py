"""Data that no sane run gives: huge, negative, empty, not finite, in strange letters; at every size."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from subsecond.engine.feed import OpenTurn
from subsecond.tui.widgets.bars import OccupancyBars, ServerBar, StageBar, StageBars
from subsecond.tui.widgets.chart import ChartLine, LineChart
from subsecond.tui.widgets.histogram import Histogram, Latencies
from subsecond.tui.widgets.lanes import LaneTurns, LiveLanes
from subsecond.tui.widgets.slider import Slider
from subsecond.tui.widgets.typing import SpeechLane, SpeechTimeline, TypedLane, TypedReplies
from subsecond.tui.widgets.waterfall import Waterfall, WaterfallLane

STAGES = ("network", "prefill", "decode_rest", "日本", "tools")
HUGE = 1 << 60
names = st.text(max_size=12)
times = st.one_of(st.integers(0, 10**13), st.integers(-HUGE, HUGE))
budgets = st.one_of(st.none(), st.integers(1, HUGE))
lanes_at = st.integers(0, 40)
stage_times = st.one_of(st.just(()), st.tuples(*[times] * len(STAGES)))
counts = st.integers(0, HUGE)
sizes = st.tuples(st.integers(1, 130), st.integers(1, 30))
quick = settings(max_examples=60, deadline=None)


def _check(widget, size):
    """Rows fit, and nothing that is no number is on the screen."""
    width, height = size
    rows = widget.draw(width, height)
    if rows is None:
        return
    assert len(rows) <= height
    for row in rows:
        text = "".join(run for run, _ in row)
        assert cell_len(text) <= width
        assert "\n" not in text
    widget.draw(width, 400)


@quick
@given(
    st.lists(
        st.tuples(lanes_at, names, st.lists(st.tuples(st.floats(), st.none() | st.floats()), max_size=20)), max_size=4
    ),
    st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    st.none() | st.floats(1e-3, 1e300),
    st.none() | st.floats(0, 1e300),
    st.none() | st.floats(-1e7, 1e7),
    sizes,
)
def test_chart(lines, x_range, y_max, budget, mark, size):
    chart = LineChart("p95")
    chart.update(
        [ChartLine(lane, name, [x for x, _ in points], [y for _, y in points]) for lane, name, points in lines],
        x_range=x_range,
        y_max=y_max,
        budget=budget,
        mark_x=mark,
    )
    _check(chart, size)


@quick
@given(st.lists(st.tuples(lanes_at, names, stage_times, names), max_size=5), budgets, sizes)
def test_stage_bars(bars, budget, size):
    widget = StageBars()
    widget.update([StageBar(*bar) for bar in bars], STAGES, budget)
    _check(widget, size)


@quick
@given(st.lists(st.tuples(lanes_at, names, st.lists(times, max_size=30)), max_size=4), budgets, budgets, sizes)
def test_histogram(lanes, budget, limit, size):
    widget = Histogram()
    sets = [Latencies(lane, name, np.array(values, np.int64)) for lane, name, values in lanes]
    widget.update(sets, budget_ps=budget, limit_ps=limit)
    _check(widget, size)


@quick
@given(
    st.lists(
        st.builds(
            ServerBar,
            lanes_at,
            names,
            names,
            st.booleans(),
            counts,
            counts,
            counts,
            counts,
            counts,
            counts,
            st.none() | st.floats(0, 1),
            st.none() | st.floats(0, 1),
            counts,
            st.none() | st.floats(0, 1),
            st.none() | st.floats(0, 1),
        ),
        max_size=40,
    ),
    sizes,
)
def test_occupancy(servers, size):
    widget = OccupancyBars()
    widget.update(servers)
    _check(widget, size)


@quick
@given(
    st.lists(st.floats(-1e300, 1e300), max_size=30, unique=True),
    st.floats(-1e300, 1e300),
    st.none() | st.floats(-1e300, 1e300),
    names,
    st.integers(-40, 40),
    sizes,
)
def test_slider(steps, value, default, words, move, size):
    widget = Slider()
    widget.update(sorted(steps), value, words=lambda at: f"{at:g} {words}", default=default)
    _check(widget, size)


@quick
@given(
    st.lists(
        st.builds(
            LaneTurns,
            lanes_at,
            names,
            times,
            st.lists(
                st.builds(
                    OpenTurn, counts, counts, counts, st.integers(-1, 3), times, st.integers(-1, 9), times, stage_times
                ),
                max_size=8,
            ),
            counts,
            names,
        ),
        max_size=4,
    ),
    st.lists(names, max_size=3),
    st.lists(budgets, max_size=3),
    sizes,
)
def test_lanes(lanes, agents, limits, size):
    widget = LiveLanes()
    widget.update(lanes, stages=STAGES, agents=agents, budgets_ps=limits)
    _check(widget, size)


@example([WaterfallLane(0, "", (0, 0, -HUGE, 0, 10**11), 2, 0, [], [])], None, (13, 1))
@quick
@given(
    st.lists(
        st.builds(
            WaterfallLane,
            lanes_at,
            names,
            stage_times,
            st.none() | st.integers(0, len(STAGES) - 1),
            st.integers(0, 3),
            st.lists(st.integers(-1, 1), max_size=3),
            st.lists(names, max_size=7),
        ),
        max_size=4,
    ),
    budgets,
    sizes,
)
def test_waterfall(lanes, budget, size):
    widget = Waterfall()
    widget.update(lanes, stages=STAGES, budget_ps=budget)
    _check(widget, size)


@quick
@given(
    st.lists(st.builds(TypedLane, lanes_at, names, times, times, st.integers(-5, 3000)), max_size=4),
    names,
    times,
    sizes,
)
def test_replies(lanes, text, at_ps, size):
    widget = TypedReplies()
    widget.update(lanes, text=text, at_ps=at_ps)
    _check(widget, size)


@quick
@given(
    st.lists(st.builds(SpeechLane, lanes_at, names, stage_times, times), max_size=4),
    budgets,
    st.none() | times,
    times,
    sizes,
)
def test_speech(lanes, budget, at_ps, spoken_ps, size):
    widget = SpeechTimeline()
    widget.update(lanes, stages=STAGES, budget_ps=budget, at_ps=at_ps, spoken_ps=spoken_ps)
    _check(widget, size)


def test_the_legend_has_the_value_at_the_end_of_a_line_not_an_old_one() -> None:
    chart = LineChart("p95")
    lines = [ChartLine(0, "gone", range(4), [1e12, 2e12, None, None]), ChartLine(1, "there", range(4), [3e12] * 4)]
    chart.update(lines, x_range=(0, 4))
    rows = chart.draw(80, 8)
    assert rows is not None
    legend = "".join(text for text, _ in rows[0])
    assert "A gone -" in legend
    assert "B there 3.00 s" in legend
