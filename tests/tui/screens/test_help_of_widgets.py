"""Every widget that can be in focus says in the help what it shows."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from textual.pilot import Pilot

from subsecond.tui.app import SubsecondApp
from subsecond.tui.screens.help_words import words_for

VIEWS = sorted(SubsecondApp.MODES)


@pytest.mark.parametrize("view", VIEWS)
def test_every_widget_of_a_view_has_words_of_its_own(kit: SimpleNamespace, view: str) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        app.action_view(view)
        await kit.settle(app, pilot)
        focusable = app.screen.focus_chain
        assert focusable, "nothing of the view can be in focus"
        without = [f"{type(widget).__name__} #{widget.id}" for widget in focusable if len(words_for(widget)) < 20]
        assert without == []

    kit.run(body, size=(200, 60))
