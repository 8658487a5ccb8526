"""Both themes are readable, in colour and in the grey that NO_COLOR makes of it."""

from __future__ import annotations

import pytest
from rich.segment import Segment
from textual.color import Color
from textual.filter import Monochrome
from textual.strip import Strip

from subsecond.tui.widgets.canvas import INKS
from subsecond.tui.widgets.theme import DARK, LIGHT, THEMES


def _luminance(color: Color) -> float:
    """WCAG 2.1, relative luminance."""
    parts = [part / 255 for part in color.rgb]
    red, green, blue = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(a: Color, b: Color) -> float:
    """WCAG 2.1, contrast ratio: 4.5 is its level AA for text."""
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("ground", ["background", "surface", "panel"])
@pytest.mark.parametrize("ink", ["foreground", "primary", "secondary", "accent", "warning", "error", "success"])
def test_colours_stand_out_from_every_background(theme, ground, ink):
    assert _contrast(Color.parse(getattr(theme, ink)), Color.parse(getattr(theme, ground))) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("is_grey", [False, True])
def test_every_ink_of_a_widget_is_readable(kit, theme, is_grey):
    async def body(app, pilot):
        app.theme = theme.name
        await pilot.pause()
        widget = app.widget
        for ink in INKS:
            style = widget.get_component_rich_style(f"ink--{ink}")
            strip = Strip([Segment("x", style)])
            if is_grey:
                strip = strip.apply_filter(Monochrome(), widget.background_colors[1])
            (segment,) = strip
            front, back = (Color.from_rich_color(c) for c in (segment.style.color, segment.style.bgcolor))
            assert _contrast(front, back) >= 4.5, ink

    kit.run(kit.make_stage_bars(), body)


def test_one_is_dark_and_one_is_light():
    assert DARK.dark
    assert not LIGHT.dark
    assert len({theme.name for theme in THEMES}) == len(THEMES)
