"""Keys and mouse move a slider from step to step, and it tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual.app import App, ComposeResult
from textual.events import MouseDown, MouseMove, MouseUp
from textual.pilot import Pilot

from subsecond.tui.widgets.slider import Slider

STEPS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)


class OneSlider(App[None]):
    """Shows a slider between two margins and remembers what it posts."""

    CSS = "Slider { height: 3; margin: 0 2; padding: 0 1; }"

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value
        self.posted: list[tuple[str, float]] = []

    def compose(self) -> ComposeResult:
        yield Slider()

    def on_mount(self) -> None:
        slider = self.query_one(Slider)
        slider.update(STEPS, self.value, words=lambda ms: f"{ms:g} ms", default=5.0)
        slider.focus()

    def on_slider_changed(self, event: Slider.Changed) -> None:
        self.posted.append(("changed", event.value))

    def on_slider_taken(self, event: Slider.Taken) -> None:
        self.posted.append(("taken", event.value))


Body = Callable[[OneSlider, Pilot[None]], Awaitable[None]]


def run(body: Body, value: float = 5.0) -> OneSlider:
    """Show a slider and do something with it."""

    async def main() -> OneSlider:
        app = OneSlider(value)
        async with app.run_test(size=(60, 6)) as pilot:
            await body(app, pilot)
            await pilot.pause()
        return app

    return asyncio.run(asyncio.wait_for(main(), 60))


def posted(value: float, *keys: str) -> list[tuple[str, float]]:
    """What a slider tells after some keys."""

    async def body(_app: OneSlider, pilot: Pilot[None]) -> None:
        await pilot.press(*keys)

    return run(body, value).posted


@pytest.mark.parametrize(
    ("value", "key", "then"),
    [
        (5.0, "right", 10.0),
        (5.0, "left", 2.0),
        (5.0, "shift+left", 0.0),
        (1.0, "shift+right", 50.0),
        (5.0, "home", 0.0),
        (5.0, "end", 50.0),
        (7.0, "right", 10.0),
        (7.0, "left", 5.0),
        (-3.0, "right", 0.0),
        (99.0, "left", 50.0),
    ],
)
def test_a_key_goes_to_the_step_beside(value: float, key: str, then: float) -> None:
    assert posted(value, key) == [("changed", then)]


@pytest.mark.parametrize(("value", "key"), [(0.0, "left"), (50.0, "right"), (50.0, "end"), (0.0, "home")])
def test_at_an_end_nothing_is_told(value: float, key: str) -> None:
    assert posted(value, key) == []


def test_enter_takes_what_is_chosen() -> None:
    assert posted(7.0, "enter") == [("taken", 7.0)]
    assert posted(7.0, "right", "enter") == [("changed", 10.0), ("taken", 10.0)]


def test_a_slider_of_one_step_and_of_none_stay_where_they_are() -> None:
    async def body(app: OneSlider, pilot: Pilot[None]) -> None:
        for steps in ((), (5.0,)):
            app.query_one(Slider).update(steps, 5.0)
            await pilot.press("left", "right", "home", "end", "shift+right")
            await pilot.click(Slider, offset=(9, 1))

    assert run(body).posted == []


def test_a_click_goes_to_the_nearest_step() -> None:
    async def body(app: OneSlider, pilot: Pilot[None]) -> None:
        slider = app.query_one(Slider)
        width = slider.content_size.width
        for place, step in enumerate(STEPS):
            x = slider.gutter.left + 1 + round(place / (len(STEPS) - 1) * (width - 3))
            await pilot.click(Slider, offset=(x, 1))
            assert slider.value == step
            track = "".join(text for text, _ in slider.rows[1])
            assert track.index("█") == x - slider.gutter.left

    run(body)


def test_a_drag_follows_the_pointer_and_ends_with_the_button() -> None:
    async def body(app: OneSlider, pilot: Pilot[None]) -> None:
        slider = app.query_one(Slider)

        async def mouse(kind: type[MouseDown | MouseMove | MouseUp], x: int) -> None:
            button = 0 if kind is MouseMove else 1
            slider.post_message(kind(slider, x, 1, 0, 0, button, False, False, False))
            await pilot.pause()

        await mouse(MouseMove, 40)
        assert slider.value == 5.0, "the button is up"
        await mouse(MouseDown, 3)
        await mouse(MouseMove, 30)
        middle = slider.value
        await mouse(MouseMove, 500)
        assert (middle, slider.value) == (5.0, 50.0)
        await mouse(MouseMove, -20)
        assert slider.value == 0.0
        await mouse(MouseUp, 3)
        await mouse(MouseMove, 40)
        assert slider.value == 0.0

    run(body)


def test_focus_is_seen_without_colour() -> None:
    async def body(app: OneSlider, pilot: Pilot[None]) -> None:
        slider = app.query_one(Slider)
        assert "█" in "".join(text for text, _ in slider.rows[1])
        app.set_focus(None)
        await pilot.pause()
        assert "▓" in "".join(text for text, _ in slider.rows[1])

    run(body)
