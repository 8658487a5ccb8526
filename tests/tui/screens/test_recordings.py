"""The recordings: what lies in the folder is listed whatever it is, and is shown while the run at home goes on."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.feeds import playground
from textual.pilot import Pilot
from textual.widgets import Input

from subsecond.engine.feed import Hello
from subsecond.engine.recording import writer
from subsecond.engine.recording.writer import Recorder
from subsecond.tui.app import SubsecondApp
from subsecond.tui.replay import ReplaySource
from subsecond.tui.screens.open_dialog import OpenDialog
from subsecond.tui.source import ListSource
from subsecond.tui.widgets.table import LiveTable

SIZES = ((80, 24), (120, 40), (200, 60))
FOLDER = Path("data/subsecond/recordings")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty user's folder, by a path that is the same everywhere; made at one time in one time zone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    FOLDER.mkdir(parents=True)
    yield FOLDER
    monkeypatch.undo()
    time.tzset()


def fill(kit: SimpleNamespace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list:
    """Recordings of every kind, and files that are none; gives messages of a run that is recorded there too."""
    with monkeypatch.context() as patch:
        patch.setattr(writer.time, "time", lambda: 1_790_000_000.0)
        return _fill(kit, folder)


def _fill(kit: SimpleNamespace, folder: Path) -> list:
    messages = kit.record(folder / "race.subsecond")
    kit.record(folder / "short.subsecond", playground()[:400])
    hello = playground()[0]
    assert isinstance(hello, Hello)
    with Recorder(folder / "killed.subsecond", hello) as recorder:
        for message in playground()[1:300]:
            recorder.put(message)
    connection = sqlite3.connect(folder / "killed.subsecond")
    with connection:  # as a service leaves it that was killed long ago
        connection.execute("DELETE FROM meta WHERE key = 'end_ps'")
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('kept', 0), ('writer_pid', ?)", (1 << 30,))
    connection.close()
    (folder / "cut.subsecond").write_bytes((folder / "race.subsecond").read_bytes()[:5000])
    (folder / "diary.subsecond").write_text("dear diary")
    (folder / "empty.subsecond").touch()
    (folder / "notes.txt").write_text("no recording, and not called one")
    return messages


async def looked(kit: SimpleNamespace, app: SubsecondApp, pilot: Pilot[None]) -> None:
    """Wait until everything is read."""
    await kit.until(app, pilot, lambda: not any(w.group == "look" and not w.is_finished for w in app.workers))


async def opened(kit: SimpleNamespace, app: SubsecondApp, pilot: Pilot[None]) -> LiveTable:
    """Open the screen, and wait until everything is read."""
    await kit.press(app, pilot, "6")
    await looked(kit, app, pilot)
    return app.screen.query_one(LiveTable)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_what_lies_there_is_listed(
    kit: SimpleNamespace, folder: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    messages = fill(kit, folder, monkeypatch)
    for path in folder.iterdir():  # what cannot be read is dated by its file
        os.utime(path, (1_780_000_000, 1_780_000_000))

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await opened(kit, app, pilot)
        text = kit.text_of(app)
        assert "notes.txt" not in text
        await kit.press(app, pilot, "end")
        pictures["recordings"] = text
        pictures["recordings-problem"] = kit.text_of(app)

    pictures: dict[str, str] = {}
    kit.run(body, messages, size)
    for name, text in pictures.items():
        assert max(map(len, text.splitlines())) <= size[0]
        same = re.sub(r"[\d.,]+ [kM]?B", lambda found: "#" * len(found[0]), text)  # sizes are SQLite's
        kit.check_golden(f"{name}-{size[0]}x{size[1]}", same)


def test_one_is_shown_and_left_again(kit: SimpleNamespace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = fill(kit, folder, monkeypatch)

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        table = await opened(kit, app, pilot)
        table.move_cursor(str(folder / "short.subsecond"))
        await kit.press(app, pilot, "enter")
        assert app.current_mode == "race"
        assert isinstance(app.source, ReplaySource)
        assert app.source.path == folder / "short.subsecond"
        await kit.until(app, pilot, lambda: not app.travel.shown.is_jumping)
        assert "N goes back" in kit.text_of(app).splitlines()[0]
        await kit.press(app, pilot, "N")
        assert isinstance(app.source, ListSource)

    kit.run(body, messages)


def test_what_cannot_be_shown_says_why(kit: SimpleNamespace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = fill(kit, folder, monkeypatch)

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        table = await opened(kit, app, pilot)
        (folder / "short.subsecond").unlink()  # while it is listed
        for name in ("short", "cut", "diary", "empty"):
            app.clear_notifications()
            table.move_cursor(str(folder / f"{name}.subsecond"))
            await kit.press(app, pilot, "enter")
            assert isinstance(app.source, ListSource)
            assert len(app._notifications) == 1, name
        await kit.press(app, pilot, "u")
        await looked(kit, app, pilot)
        assert not any(row.key == str(folder / "short.subsecond") for row in table.shown)

    kit.run(body, messages)


def test_filter_and_order(kit: SimpleNamespace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = fill(kit, folder, monkeypatch)

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        table = await opened(kit, app, pilot)
        assert len(table.shown) == 6
        await kit.press(app, pilot, "slash", *"temporary", "enter")
        assert [row.key for row in table.shown] == [str(folder / "killed.subsecond")]
        await kit.press(app, pilot, "escape")
        for column in ("name", "length", "turns", "size", "stays", "state", "verdict"):
            table.sort_by(column)
            assert len(table.shown) == 6
        await kit.press(app, pilot, "escape")
        assert app.current_mode == "race"

    kit.run(body, messages)


def test_nothing_recorded_says_what_to_press(kit: SimpleNamespace, folder: Path) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await opened(kit, app, pilot)
        words = " ".join(kit.text_of(app).split())
        assert "No recording in data/subsecond/recordings" in words
        assert "r keeps" in words

    kit.run(body, [playground()[0]])


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_any_file_is_opened_by_its_path(
    kit: SimpleNamespace, folder: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    kit.record(tmp_path / "else where.subsecond")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await opened(kit, app, pilot)
        await kit.press(app, pilot, "o")
        field = app.screen.query_one(Input)
        for wrong in ("", "nowhere", "data", "~nobody-at-all/x", "\0", "x" * 5000, "[b]", "/dev/null"):
            field.value = wrong
            await kit.press(app, pilot, "enter")
            assert isinstance(app.screen, OpenDialog), wrong
            await pilot.resize_terminal(50, 10)
            await pilot.resize_terminal(*size)
        field.value = "else where.subsecond"
        await kit.press(app, pilot, "enter")
        await kit.until(app, pilot, lambda: app.snapshot is not None and app.snapshot.at_ps == 60 * 10**12)
        assert "A RECORDING" in app.alert or "THE PAST" in app.alert

    kit.run(body, size=size)
