"""Every screen and dialog at three sizes, as text, from the recorded minute."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from textual.pilot import Pilot

from subsecond.tui.app import SubsecondApp

SIZES = ((80, 24), (120, 40), (200, 60))
#: Name of the picture -> keys that lead to it from the picture before.
WAY = {
    "race": (),
    "race-voice": ("k",),
    "turn": ("k", "2"),
    "sessions": ("3",),
    "session": ("enter",),
    "session-turn": ("enter",),
    "pipelines": ("escape", "escape", "4"),
    "fault": ("x",),
    "load": ("escape", "l"),
    "load-arrivals": ("a", "up", "up"),
    "knob": ("escape", "down", "enter"),
    "knob-turned": ("right", "right"),
    "knob-word": ("escape", *["down"] * 9, "enter"),
    "parameters-filter": ("escape", "slash", *"wafers", "enter"),
    "feel": ("escape", "5"),
    "feel-voice": ("k",),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_screens(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    pictures = {}

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for name, keys in WAY.items():
            await kit.press(app, pilot, *keys)
            if name.startswith("feel"):
                app.monotonic.now_s += 0.9
                await kit.settle(app, pilot)
            pictures[name] = kit.text_of(app)

    kit.run(body, size=size)
    for name, text in pictures.items():
        lines = text.splitlines()
        assert len(lines) <= size[1]
        assert max(map(len, lines)) <= size[0]
        kit.check_golden(f"{name}-{size[0]}x{size[1]}", text)
