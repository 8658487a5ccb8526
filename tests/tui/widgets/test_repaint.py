"""Painting what changed shows the same as painting everything; what did not change is not painted."""

from __future__ import annotations

import random

import numpy as np
import pytest
from support.widget_names import WIDGETS

from subsecond.engine.turns import TurnState

MS = 10**9


def _random_update(kit, name, widget, rng):
    """Give a widget other data of the size that a run has."""
    if name == "table":
        rows = list(kit.table_rows(rng.choice((0, 3, 60, 61)), seed=rng.randrange(5)))
        rng.shuffle(rows)
        widget.update(rows)
        rng.choice(
            (
                lambda: widget.action_move(rng.randrange(-3, 9)),
                lambda: widget.action_invert(),
                lambda: widget.filter(rng.choice(("", "late", "nothing like it"))),
                lambda: widget.action_page(1),
                lambda: widget.sort_by(rng.choice(("session", "last", None))),
            )
        )()
    elif name.startswith("chart"):
        xs = [float(x) for x in range(60)]
        lines = [
            kit.ChartLine(lane, "x", xs, [rng.random() * 1e12 for _ in xs], name == "chart-before" and lane == 1)
            for lane in range(rng.randrange(3))
        ]
        widget.update(lines, x_range=(0, 60), budget=rng.choice((None, 5e11)))
    elif name == "stage_bars":
        bars = [kit.StageBar(0, "a", [rng.choice((0, rng.random() * 1e12)) for _ in kit.STAGES]) for _ in range(2)]
        widget.update(bars, kit.STAGES, rng.choice((None, 1e12)))
    elif name == "histogram":
        values = np.array([rng.randrange(10**12) for _ in range(rng.randrange(50))], np.int64)
        widget.update([kit.Latencies(0, "a", values)], budget_ps=rng.choice((None, 10**12)))
    elif name == "occupancy":
        widget.update([
            kit.ServerBar(0, f"s{place}", "gpu", rng.random() < 0.8, rng.randrange(90), 5, 100, 1, 2, rng.randrange(3))
            for place in range(rng.randrange(30))
        ])  # fmt: skip
    elif name == "slider":
        steps = [float(step) for step in range(rng.choice((0, 1, 2, 50)))]
        value = rng.random() * 60
        widget.update(steps, value, words=lambda at: f"{at:.3g} ms", default=rng.choice((None, 7.0)))
        rng.choice((lambda: widget.action_move(rng.randrange(-6, 7)), lambda: widget.action_end(-1), widget.focus))()
    elif name == "lanes":
        lane = kit.LaneTurns(0, "a", 5000 * MS, kit.open_turns(rng.randrange(20)), 20, rng.choice(("", "down")))
        widget.update([lane, lane], stages=kit.STAGES, agents=("coding", "voice"), budgets_ps=(1000 * MS, None))
    elif name == "waterfall":
        lane = kit.WaterfallLane(0, "a", [rng.choice((0, 10**11)) for _ in kit.STAGES], None, TurnState.ANSWERED)
        widget.update([lane] * rng.randrange(3), stages=kit.STAGES, budget_ps=rng.choice((None, 10**11)))
    elif name == "replies":
        lanes = [kit.TypedLane(0, "a", 10**11, rng.randrange(10**10), rng.randrange(200)) for _ in range(2)]
        widget.update(lanes, text=kit.TEXT, at_ps=rng.randrange(2 * 10**12))
    elif name == "snippets":
        made = [kit.Snippet(f"c{place}", ("x" * 90,) * rng.randrange(30)) for place in range(rng.randrange(9))]
        widget.update(rng.choice((made, list(widget._snippets))), title="", empty="none")
        rng.choice((lambda: widget.action_choose(1), lambda: widget.action_scroll_lines(rng.choice((-1, 1)))))()
    elif name == "timeline":
        late = np.array([rng.randrange(4) for _ in range(rng.randrange(1, 90))], np.int64)
        data = kit.TimelineData(rng.randrange(10**14), late, [rng.randrange(10**14)], [])
        widget.update(rng.choice((data, data, None)), rng.randrange(10**14))
    elif name == "heat":
        size = rng.randrange(6), rng.randrange(1, 30)
        cells = [[rng.choice((None, kit.HeatCell(rng.random(), "x"))) for _ in range(size[1])] for _ in range(size[0])]
        names = [[str(place) for place in range(count)] for count in size]
        at = None if not size[0] else (rng.randrange(size[0]), rng.randrange(size[1]))
        widget.update(title="t", across="a", down="d", columns=names[1], rows=names[0], cells=cells, cursor=at)
        rng.choice((widget.focus, lambda: widget.screen.set_focus(None)))()
    elif name == "spans":
        spans = [kit.Span(place, "a", 0.5, rng.choice((None, rng.random())), "n") for place in range(rng.randrange(40))]
        axis = rng.choice(((0.0, 1.0), (0.0, 0.0)))
        widget.update(spans, title="t", axis=axis, text=str, cursor=rng.randrange(40))
    else:
        lanes = [kit.SpeechLane(0, "a", kit.VOICE, rng.randrange(10**12)) for _ in range(rng.randrange(3))]
        widget.update(lanes, stages=kit.STAGES, budget_ps=8 * 10**11, at_ps=rng.choice((None, rng.randrange(10**12))))


@pytest.mark.parametrize(
    "name",
    WIDGETS,
)
def test_partial_repaint_equals_full_repaint(kit, name):
    async def body(app, pilot):
        rng = random.Random(7)
        app.widget.styles.border = ("round", "red")
        for step in range(25):
            _random_update(kit, name, app.widget, rng)
            if step % 8 == 5:
                await pilot.resize_terminal(*rng.choice(((70, 12), (41, 9), (25, 5))))
            await pilot.pause()
            partial = [list(strip) for strip in kit.strips_of(app.widget)]
            app.widget._set_dirty()
            assert partial == [list(strip) for strip in kit.strips_of(app.widget)]

    kit.run(kit.MAKERS[name](), body, size=(70, 12))


def _refreshed(widget, monkeypatch):
    """Collects the regions that a widget asks to be painted."""
    regions = []
    original = widget.refresh

    def refresh(*args, **kwargs):
        regions.extend(args or ["all"])
        return original(*args, **kwargs)

    monkeypatch.setattr(widget, "refresh", refresh)
    return regions


def test_table_paints_only_the_row_that_changed(kit, monkeypatch):
    async def body(app, pilot):
        table = app.widget
        rows = list(table.shown)
        regions = _refreshed(table, monkeypatch)
        table.update(rows)
        assert regions == []
        second = rows[1]
        table.update([rows[0], kit.TableRow(second.key, (*second.cells[:3], "new"), second.values), *rows[2:]])
        assert [(region.y, region.height) for region in regions] == [(2, 1)]
        regions.clear()
        last = rows[-1]
        table.update([*rows[:-1], kit.TableRow(last.key, ("x", *last.cells[1:]), last.values)])
        assert [region.y for region in regions] == [2]

    kit.run(kit.MAKERS["table"](), body, size=(70, 12))


def test_canvas_paints_only_rows_that_changed(kit, monkeypatch):
    async def body(app, pilot):
        lanes, regions = app.widget, _refreshed(app.widget, monkeypatch)
        turns = kit.open_turns(6)

        def show(turns):
            lane = kit.LaneTurns(0, "a", 5000 * MS, turns, 6)
            lanes.update([lane], stages=kit.STAGES, agents=("coding", "voice"), budgets_ps=(10**12, 10**12))

        show(turns)
        regions.clear()
        show(turns)
        assert regions == []
        other = kit.OpenTurn(77, *[getattr(turns[5], key) for key in turns[5].__struct_fields__[1:]])
        show((*turns[:5], other))
        assert [region.y for region in regions] == [2]

    kit.run(kit.MAKERS["lanes"](), body, size=(60, 12))


@pytest.mark.parametrize("name", ["table", "lanes"])
def test_update_while_hidden_shows_when_it_is_shown(kit, name):
    async def body(app, pilot):
        rng = random.Random(3)
        app.widget.display = False
        await pilot.pause()
        _random_update(kit, name, app.widget, rng)
        await pilot.pause()
        app.widget.display = True
        await pilot.pause()
        shown = kit.text_of(app.widget)
        app.widget._drawn_for = None
        app.widget._set_dirty()
        assert shown == kit.text_of(app.widget)

    kit.run(kit.MAKERS[name](), body, size=(60, 12))


def test_theme_change_paints_again_in_its_colours(kit):
    async def body(app, pilot):
        before = [list(strip) for strip in kit.strips_of(app.widget)]
        app.theme = "subsecond-light"
        await pilot.pause()
        after = [list(strip) for strip in kit.strips_of(app.widget)]
        assert [[s.text for s in row] for row in before] == [[s.text for s in row] for row in after]
        assert before != after

    for name in ("table", "stage_bars"):
        kit.run(kit.MAKERS[name](), body)


def test_auto_height_follows_the_data(kit):
    async def body(app, pilot):
        waterfall = app.widget
        waterfall.styles.height = "auto"
        await pilot.pause()
        assert waterfall.size.height == len(waterfall.draw(80, 400))
        waterfall.update([], stages=kit.STAGES, budget_ps=None)
        await pilot.pause()
        assert waterfall.size.height == 3
        assert "enter" in kit.text_of(waterfall)

    kit.run(kit.MAKERS["waterfall"](), body, size=(80, 60))
