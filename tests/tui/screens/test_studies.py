"""Studies on the dashboard: pictures of each kind, choices, rows, and the way to them and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.study_screens import document, press, read, show
from textual.pilot import Pilot
from textual.widgets import Input

from subsecond.tui.screens.detail_dialog import DetailDialog
from subsecond.tui.screens.help_words import words_for
from subsecond.tui.screens.open_dialog import OpenDialog
from subsecond.tui.screens.study import StudyView
from subsecond.tui.studies.opening import KINDS, open_study
from subsecond.tui.studies.study import CHOICES, HeatPicture
from subsecond.tui.study_app import StudyApp
from subsecond.tui.widgets.heat import HeatMap
from subsecond.tui.widgets.table import LiveTable

SIZES = ((80, 24), (120, 40), (200, 60))


#: Kind -> name of a picture -> keys that lead to it from the picture before.
WAYS = {
    "availability": {"lost": (), "row": ("enter",)},
    "sweep": {
        "map": (),
        "p95": ("m",),
        "lines": ("y", "down", "down"),
        "point": ("enter",),
        "failed": ("escape", "end"),
    },
    "capacity": {"bars": (), "in-time": ("p",), "trials": ("enter",)},
    "gap": {"tornado": (), "other": ("l", "down", "down"), "change": ("enter",)},
    "map": {"who": (), "ratio": ("m", "down"), "share": ("m",), "cell": ("enter",)},
    "price": {"hour": (), "tokens": ("p", "down"), "load": ("enter",)},
    "drill": {"p95": (), "in-budget": ("p", "down"), "policy": ("o",), "row": ("enter",)},
}


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_pictures(kit: SimpleNamespace, tmp_path: Path, kind: str, size: tuple[int, int]) -> None:
    pictures = {}

    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        for name, keys in WAYS[kind].items():
            await press(app, pilot, *keys)
            pictures[name] = kit.text_of(app)

    show(document(tmp_path, kind), body, size)
    assert len(set(pictures.values())) == len(pictures)
    for name, text in pictures.items():
        assert max(map(len, text.splitlines())) <= size[0]
        kit.check_golden(f"study-{kind}-{name}-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_choice_of_every_row_can_be_seen(tmp_path: Path, kind: str) -> None:
    """Choices one after the other, through all their options, at the first and the last row."""
    study, chosen = open_study(document(tmp_path, kind)).study, dict[str, int]()
    assert study.kind == kind
    for key in CHOICES:
        choice = next((one for one in study.choices(chosen) if one.key == key), None)
        for place in range(len(choice.options) if choice else 0):
            chosen[key] = place
            table = study.table(chosen)
            assert table.rows
            for row in (table.rows[0], table.rows[-1]):
                assert len(row.cells) == len(row.values) == len(table.columns)
                assert study.picture(chosen, row.key) is not None
                assert study.detail(chosen, row.key).lines
            study.words(chosen, None)
            study.picture(chosen, "no such row")
        chosen[key] = 0
    chosen.update(dict.fromkeys(CHOICES, 99))  # what another study may have left
    assert study.picture(chosen, None) is not None
    assert study.table(chosen).rows
    assert study.headline
    assert study.state
    assert not study.problem


@pytest.mark.parametrize("kind", KINDS)
def test_widgets_and_the_screen_have_help(tmp_path: Path, kind: str) -> None:
    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        seen = set()
        for key in ("", "p", "m", "y", "y"):
            if key:
                await press(app, pilot, key)
            seen |= {type(widget).__name__ for widget in app.screen.focus_chain}
            assert [widget for widget in app.screen.focus_chain if len(words_for(widget)) < 20] == []
        assert {"Panel", "LiveTable"} < seen
        await press(app, pilot, "question_mark")
        assert app.screen_stack[0].ABOUT.split()[0] in str(app.screen.query_one("Static").render())

    show(document(tmp_path, kind), body)


SMALL = {
    "capacity": (
        *("--agents", "voice", "--others", "none", "--replicas", 3, "--max", 64),
        *("--precision", 0.5, "--duration", 300, "--warm-up", 60),
    ),
    "gap": ("--pipelines", "gpu", "--replicas", 1, "--steps", 1, "--set", "duration_s=60"),
    "map": ("--contexts", "0.5,1", "--sessions", "8,16", "--replicas", 1, "--duration", 300, "--warm-up", 60),
    "price": ("coding-fleet", "--loads", "1,2", "--duration", 60, "--warm-up", 10),
    "drill": ("--drill", "server-lost", "--policies", "--replicas", 1),
    "availability": ("--weeks", "0.05", "--replicas", 1),
}


@pytest.mark.parametrize("kind", SMALL)
def test_what_the_commands_write_opens(tmp_path: Path, kind: str, command: Callable[..., tuple[int, str, str]]) -> None:
    """The documents of today, beside those that are kept for the pictures."""
    out = tmp_path / "out.json"
    code, _, err = command("drill" if kind == "availability" else kind, *SMALL[kind], "--json", out)
    assert (code, err) == (0, "")
    study = open_study(out).study
    rows = study.table({}).rows
    assert rows
    assert study.detail({}, rows[0].key).lines
    assert study.picture({}, rows[0].key) is not None


def test_keys_about_a_run_say_that_there_is_none(kit: SimpleNamespace, tmp_path: Path) -> None:
    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        for key in ("1", "2", "3", "4", "5", "7", "8"):
            app.clear_notifications()
            await press(app, pilot, key)
            assert [n.message for n in app._notifications] == ["This is a study: there is no run. 6 lists recordings."]
            assert app.current_mode == "study"
        await press(app, pilot, "6")
        assert " no run" in kit.text_of(app).splitlines()[0]
        await press(app, pilot, "escape", "space", "f", "l", "w", "N", "S", "plus", "escape")
        assert app.current_mode == "study"
        assert "Pause" not in kit.keys_of(app)

    show(document(tmp_path, "gap"), body)


def test_a_recording_beside_the_study_and_back(kit: SimpleNamespace, tmp_path: Path) -> None:
    kit.record(tmp_path / "race.subsecond")

    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        await press(app, pilot, "6")
        await kit.until(app, pilot, lambda: len(app.screen.query_one(LiveTable).shown) == 2)
        table = app.screen.query_one(LiveTable)
        table.move_cursor(str(tmp_path / "race.subsecond"))
        await press(app, pilot, "enter")
        assert app.current_mode == "race"
        await kit.until(app, pilot, lambda: app.snapshot is not None)
        await press(app, pilot, "0")
        assert app.current_mode == "study"
        await press(app, pilot, "1", "N")
        assert app.current_mode == "study"

    show(document(tmp_path, "gap"), body)


def test_studies_are_listed_beside_recordings_and_opened_above_a_run(
    kit: SimpleNamespace, tmp_path: Path, sweep_folder: Path
) -> None:
    document(tmp_path, "price")
    (tmp_path / "other.json").write_text('{"schema": "someone.else/1"}')
    (tmp_path / "broken.json").write_text('{"schema": "subsecond.gap/1", ')
    kit.record(tmp_path / "race.subsecond")

    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        app.places.append(tmp_path)
        await kit.press(app, pilot, "6")
        table = app.screen.query_one(LiveTable)
        await kit.until(app, pilot, lambda: len(table.shown) == 4)
        assert {Path(str(row.key)).name for row in table.shown} == {
            "price.json", "broken.json", "small.sweep", "race.subsecond"
        }  # fmt: skip
        for name in ("price.json", "small.sweep"):
            table.move_cursor(str(tmp_path / name))
            await kit.press(app, pilot, "enter")
            await kit.until(app, pilot, lambda: isinstance(app.screen, StudyView))
            assert f"Recordings > {name.split('.')[0].capitalize() if name[0] == 'p' else 'Sweep'}" in kit.text_of(app)
            await kit.press(app, pilot, "escape")
            assert app.current_mode == "recordings"
            assert not isinstance(app.screen, StudyView)
        table.move_cursor(str(tmp_path / "broken.json"))
        await kit.press(app, pilot, "enter")
        await kit.until(app, pilot, lambda: len(app._notifications) == 1)
        assert not isinstance(app.screen, StudyView)

    kit.run(body)


def test_a_study_is_opened_by_its_path(kit: SimpleNamespace, tmp_path: Path) -> None:
    path, broken = document(tmp_path, "drill"), tmp_path / "broken.json"
    broken.write_text("{")

    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "6", "o")
        field = app.screen.query_one(Input)
        for wrong in (broken, tmp_path / "nowhere.json"):
            field.value = str(wrong)
            await kit.press(app, pilot, "enter")
            await kit.until(app, pilot, lambda: "expected" in kit.text_of(app))
            assert isinstance(app.screen, OpenDialog)
            field.value = ""
            await kit.press(app, pilot, "enter")
        field.value = str(path)
        await kit.press(app, pilot, "enter")
        await kit.until(app, pilot, lambda: isinstance(app.screen, StudyView))

    kit.run(body)


def test_the_map_and_the_table_point_at_the_same_point(tmp_path: Path) -> None:
    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        heat, table = app.screen.query_one(HeatMap), app.screen.query_one(LiveTable)
        heat.focus()
        await press(app, pilot, "right", "down")
        view = app.screen
        assert isinstance(view, StudyView)
        picture = view._picture
        assert isinstance(picture, HeatPicture)
        assert picture.cursor == (1, 1)
        assert picture.keys[1][1] == table.cursor_key == 3
        await press(app, pilot, "up", "up", "left", "left")  # the edge is the edge
        assert table.cursor_key == 0
        await press(app, pilot, "enter")
        assert isinstance(app.screen, DetailDialog)

    show(document(tmp_path, "sweep"), body)


def test_the_command_is_copied(tmp_path: Path) -> None:
    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        await press(app, pilot, "enter", "c")
        assert app.clipboard.startswith("subsecond run playground --set ")
        await press(app, pilot, "enter")
        assert isinstance(app.screen, StudyView)

    show(document(tmp_path, "sweep"), body)


@pytest.mark.parametrize("kind", KINDS)
def test_too_small_and_any_size(kit: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        for size in ((40, 10), (60, 16), (61, 50), (300, 17), (99, 24), (160, 30)):
            await pilot.resize_terminal(*size)
            await read(app, pilot)
            assert max(map(len, kit.text_of(app).splitlines())) <= size[0]
            assert ("subsecond needs" in kit.text_of(app)) == (size[0] < 60 or size[1] < 16)

    show(document(tmp_path, kind), body)
