"""The timeline: every cell stands for an instant, and the hand and the arrows go there."""

from __future__ import annotations

import numpy as np
import pytest
from textual.app import App
from textual.events import MouseDown, MouseMove, MouseUp

from subsecond.tui.widgets.timeline import Timeline, TimelineData

S = 10**12


def shown(data, at_ps, width=60):
    """The bar with the instant, without start and end."""
    timeline = Timeline()
    timeline.update(data, at_ps)
    (row,) = timeline.draw(width, 1)
    return "".join(text for text, _ in row)


@pytest.mark.parametrize("end_ps", [0, 1, S, 90 * S, 3601 * S, 10**18])
@pytest.mark.parametrize("share", [0, 0.3, 1, 7])
def test_the_instant_is_on_the_bar(end_ps, share):
    data = TimelineData(end_ps, np.ones(3, np.int64), [], [])
    text = shown(data, int(end_ps * share))
    assert text.count("┃") == 1
    assert len(text) == 60


def test_marks_stand_where_they_belong():
    late = np.zeros(101, np.int64)
    late[50], late[90] = 8, 1
    text = shown(TimelineData(100 * S, late, [0], [100 * S], [0, 3 * S, 100 * S]), 25 * S, 6 + 101 + 6)
    assert text == " 0:00 F··A" + "·" * 21 + "┃" + "·" * 24 + "█" + "·" * 39 + "▁" + "·" * 9 + "K 1:40 "


class Shell(App):
    """Shows a timeline and remembers where it leads."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def compose(self):
        yield Timeline()

    def on_timeline_seek(self, event):
        self.asked.append(event.at_ps)


def drive(kit, body):
    import asyncio

    async def main():
        app = Shell()
        async with app.run_test(size=(112, 3)) as pilot:
            timeline = app.query_one(Timeline)
            timeline.update(TimelineData(100 * S, np.zeros(1, np.int64), [], []), 50 * S)
            await pilot.pause()
            await body(app, pilot, timeline)

    asyncio.run(main())


def test_a_click_and_a_drag_seek(kit):
    async def body(app, pilot, timeline):
        await pilot.click(Timeline, offset=(6 + 20, 0))
        assert app.asked == [20 * S + 20 * S // 99]
        for kind, x in ((MouseDown, 6), (MouseMove, 6 + 99), (MouseMove, 500), (MouseUp, 500), (MouseMove, 6)):
            timeline.post_message(kind(timeline, x, 0, 0, 0, 1, False, False, False))
        await pilot.pause()
        assert app.asked[1:] == [0, 100 * S]

    drive(kit, body)


def test_the_arrows_seek_and_stop_at_the_ends(kit):
    async def body(app, pilot, timeline):
        timeline.focus()
        await pilot.press("left", "shift+right", "home", "left", "end", "right", "shift+left")
        assert app.asked == [49 * S, 59 * S, 0, 100 * S, 90 * S]

    drive(kit, body)


def test_without_data_nothing_is_asked_for(kit):
    async def body(app, pilot, timeline):
        timeline.update(None, 0)
        timeline.focus()
        await pilot.press("left", "end", "home", "shift+right")
        await pilot.click(Timeline, offset=(20, 0))
        assert app.asked == []

    drive(kit, body)
