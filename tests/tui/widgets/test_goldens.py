"""What every widget paints, at several sizes, against plain-text files; sizes down to nothing; empty states."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from support.widget_names import WIDGETS

SIZES = ((120, 20), (80, 16), (48, 10), (20, 3))


@pytest.mark.parametrize("name", WIDGETS)
def test_paints_as_its_golden(kit, name):
    async def body(app, pilot):
        pictures = []
        for width, height in SIZES:
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            strips = kit.strips_of(app.widget)
            assert len(strips) == height
            assert {cell_len(strip.text) for strip in strips} == {width}
            pictures.append(f"--- {width}x{height}\n{kit.text_of(app.widget)}")
        kit.check_golden(name, "".join(pictures))

    kit.run(kit.MAKERS[name](), body, size=SIZES[0])


@pytest.mark.parametrize("name", WIDGETS)
def test_empty_widget_says_what_to_wait_for(kit, name):
    async def body(app, pilot):
        words = " ".join(kit.text_of(app.widget).split())
        assert app.widget.empty in words
        await pilot.resize_terminal(20, 3)
        await pilot.pause()
        assert kit.text_of(app.widget).strip()

    kit.run(kit.EMPTY[name](), body, size=(60, 10))


@pytest.mark.parametrize("name", WIDGETS)
def test_any_size_from_one_cell_on(kit, name):
    async def body(app, pilot):
        for size in ((1, 1), (2, 1), (3, 2), (7, 3), (12, 1), (13, 5), (29, 2), (30, 4), (31, 30), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert [cell_len(strip.text) for strip in kit.strips_of(app.widget)] == [size[0]] * size[1]

    kit.run(kit.MAKERS[name](), body)
