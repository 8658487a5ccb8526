"""Pictures of a screen, saved from inside the dashboard."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from subsecond.tui.app import SubsecondApp
from subsecond.tui.screens.picture_dialog import PictureDialog

SIZES = ((80, 24), (120, 40), (200, 60))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_screen_is_saved_as_text_and_as_svg(kit: SimpleNamespace, folder: Path, size: tuple[int, int]) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "3")
        text = kit.text_of(app)
        await kit.press(app, pilot, "e", "enter")
        assert not isinstance(app.screen, PictureDialog)
        assert [str(folder) in n.message for n in app._notifications] == [True]
        assert (folder / "subsecond-sessions-0060s.txt").read_text() == text
        app.clear_notifications()
        await kit.press(app, pilot, "E", "enter")
        assert (folder / "subsecond-sessions-0060s.svg").read_text().startswith("<svg")
        await kit.press(app, pilot, "e", "enter")
        assert (folder / "subsecond-sessions-0060s-2.txt").exists()

    kit.run(body, size=size)


def test_what_cannot_be_written_says_why_and_may_be_mended(kit: SimpleNamespace, folder: Path) -> None:
    (folder / "locked").mkdir(mode=0o500)
    (folder / "sub").mkdir()

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "e")
        field = app.screen.query_one(Input)
        wrongs = {
            "": "not a folder",
            "sub": "not a folder",
            "nowhere/a.txt": "folder that exists",
            "a.png": ".txt or .svg",
            "\0.txt": "can be written",
            "x" * 300 + ".txt": "can be written",
        }
        if os.geteuid():  # everything is open to root
            wrongs["locked/a.txt"] = "Permission denied"
        for wrong, words in wrongs.items():
            field.value = wrong
            await kit.press(app, pilot, "enter")
            assert isinstance(app.screen, PictureDialog), wrong
            assert words in " ".join(kit.text_of(app).replace("│", " ").split()), wrong
        field.value = "sub/a.txt"
        await kit.press(app, pilot, "enter")
        assert (folder / "sub" / "a.txt").exists()

    kit.run(body)


def test_a_file_that_is_there_is_replaced_on_the_second_word_only(kit: SimpleNamespace, folder: Path) -> None:
    (folder / "mine.txt").write_text("mine")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "e")
        app.screen.query_one(Input).value = "mine.txt"
        await kit.press(app, pilot, "enter")
        assert (folder / "mine.txt").read_text() == "mine"
        assert "enter once more" in kit.text_of(app)
        await kit.press(app, pilot, "enter")
        assert (folder / "mine.txt").read_text().startswith(" subsecond > Race")

    kit.run(body)
