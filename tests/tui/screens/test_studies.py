"""Studies on the dashboard: pictures of each kind, choices, rows, damaged files, a sweep that grows as it is seen."""

from __future__ import annotations

import asyncio
import gzip
import json
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.sweeps import QUICK, many_tasks, perform, small_sweep
from textual.pilot import Pilot
from textual.widgets import Input

from subsecond.agents.sweep.threads import Threads
from subsecond.engine.errors import InputError
from subsecond.engine.sweep.folder import task_path
from subsecond.tui.screens import study as study_screen
from subsecond.tui.screens.detail_dialog import DetailDialog
from subsecond.tui.screens.help_words import words_for
from subsecond.tui.screens.open_dialog import OpenDialog
from subsecond.tui.screens.study import StudyView
from subsecond.tui.studies.opening import KINDS, OpenStudy, open_study
from subsecond.tui.studies.study import CHOICES, HeatPicture
from subsecond.tui.study_app import StudyApp
from subsecond.tui.widgets.heat import HeatMap
from subsecond.tui.widgets.table import LiveTable

SIZES = ((80, 24), (120, 40), (200, 60))
DOCUMENTS = Path(__file__).parents[2] / "support" / "studies"
Body = Callable[[StudyApp, Pilot[None]], Awaitable[None]]


def document(folder: Path, kind: str) -> Path:
    """A document that the study's command wrote, small."""
    path = folder / f"{kind}.json"
    path.write_bytes(gzip.decompress((DOCUMENTS / f"{kind}.json.gz").read_bytes()))
    return path


def show(opened: OpenStudy | Path, body: Body, size: tuple[int, int] = (120, 40)) -> None:
    """The dashboard of a study, driven by keys."""

    async def main() -> None:
        app = StudyApp(opened if isinstance(opened, OpenStudy) else open_study(opened), fps=None)
        async with app.run_test(size=size) as pilot:
            await read(app, pilot)
            await body(app, pilot)

    asyncio.run(asyncio.wait_for(main(), 120))


async def read(app: StudyApp, pilot: Pilot[None]) -> None:
    """Wait for all threads that read or make rows, and draw."""
    await pilot.pause()
    for worker in [worker for worker in app.workers if worker.group in ("look", "table", "open")]:
        await worker.wait()
    app.redraw()
    await pilot.pause()


async def press(app: StudyApp, pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await read(app, pilot)


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


# -- a folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a sweep of twelve tasks, of which four failed."""
    many_tasks(monkeypatch)
    path = tmp_path / "small.sweep"
    perform(small_sweep(tmp_path, QUICK), path, Threads(1))
    return path


def shown_of(opened: OpenStudy) -> list[object]:
    while opened.look():
        pass
    study = opened.study
    chosen = {"y": 0, "m": 2}
    every = [study.table(chosen), study.state, study.choices(chosen)]
    return [*every, *(study.detail(chosen, row.key) for row in study.table(chosen).rows)]


def test_folder_and_document_show_the_same(folder: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    out = folder.with_suffix(".json")
    command("sweep", folder, "--quiet", "--json", out)
    assert shown_of(open_study(folder)) == shown_of(open_study(out))


def test_the_command_of_a_point_runs_it_again(folder: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    opened = open_study(folder)
    while opened.look():
        pass
    row = opened.study.table({}).rows[1]
    words = shlex.split(opened.study.detail({}, row.key).command)
    assert words[:3] == ["subsecond", "run", "playground"]
    code, out, err = command(*words[1:], "--json", "-")
    assert (code, err) == (0, "")
    lane = json.loads(out)["pipelines"]["gpu"]
    first = next(iter(opened.study.seen.points[1].lanes["gpu"].groups.values()))  # type: ignore[attr-defined]
    assert lane["by_agents"]["coding"]["turns"] <= first.turns  # of one replica, of both
    assert lane["by_agents"]["coding"]["budgets"].keys() == first.budgets.keys()


def test_a_sweep_that_grows_is_shown_as_far_as_it_is(kit: SimpleNamespace, folder: Path) -> None:
    tasks = [task_path(folder, task) for task in range(12)]
    later = {path: path.read_bytes() for path in tasks[2:]}
    for path in later:
        path.unlink()

    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        assert "2 of 12 runs" in kit.text_of(app)
        table = app.screen.query_one(LiveTable)
        await press(app, pilot, "down")
        key = table.cursor_key
        done = 2
        for path, content in later.items():
            path.write_bytes(content)
            await press(app, pilot, "u")
            done += 1
            assert (f"{done} of 12 runs" if done < 12 else "12 runs") in kit.text_of(app)
            assert table.cursor_key == key or done <= 3
        assert len(table.shown) == 6
        assert "4 failed" in kit.text_of(app)
        assert not app.check_action("look", ()) or app.screen.check_action("look", ()) is False

    show(folder, body)


def test_the_folder_is_looked_at_again_by_itself(
    kit: SimpleNamespace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_screen, "LOOK_S", 0.01)
    last = task_path(folder, 11)
    content = last.read_bytes()
    last.unlink()

    async def main() -> None:
        app = StudyApp(open_study(folder), fps=10)
        async with app.run_test(size=(120, 40)) as pilot:
            await kit.until(app, pilot, lambda: " 11 of 12 runs" in kit.text_of(app))
            last.write_bytes(content)
            await kit.until(app, pilot, lambda: " 12 runs" in kit.text_of(app))

    asyncio.run(asyncio.wait_for(main(), 120))


def test_nothing_of_a_sweep_is_there_yet(kit: SimpleNamespace, folder: Path) -> None:
    for task in range(12):
        task_path(folder, task).unlink()

    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        assert "0 of 12 runs" in kit.text_of(app)
        await press(app, pilot, "enter", "m", "x", "y", "l", "k", "end", "tab", "enter", "up")

    show(folder, body)


def test_damaged_tasks_are_told_in_a_line_and_the_others_shown(kit: SimpleNamespace, folder: Path) -> None:
    task_path(folder, 3).write_bytes(b"no table")
    task_path(folder, 5).write_bytes(task_path(folder, 4).read_bytes())  # that of another task

    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        text = kit.text_of(app)
        assert "10 of 12 runs" in text
        assert "task-00003.parquet" in text
        assert "and 1 more" in " ".join(text.split())

    show(folder, body, (200, 60))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("points", 0), [1]),
        (("axes", 1, "key"), "coding.sessions"),
        (("tasks", 0, 0), [99, 0]),
        (("seeds",), "x"),
        (("schema",), "subsecond.sweep/9"),
        (("points",), None),
    ],
)
def test_a_wrong_manifest_is_a_line(folder: Path, path: tuple[object, ...], value: object, command: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    place = manifest
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert_a_line(command, folder)


# -- files that are none


def assert_a_line(command: object, path: Path) -> None:
    assert callable(command)
    code, out, err = command("replay", path)
    assert (code, out) == (2, "")
    assert err.startswith("subsecond: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"schema": "subsecond.gap/1"}',
        b'{"schema": "subsecond.gap/7"}',
        b'{"schema": "subsecond.run/1"}',
        b'{"schema": "gap"}',
        b"[" * 100_000,
        b'{"schema": "subsecond.gap/1", "title": "\xff"}',
    ],
)
def test_what_is_no_study_is_a_line(tmp_path: Path, command: object, content: bytes) -> None:
    path = tmp_path / "wrong.json"
    path.write_bytes(content)
    assert_a_line(command, path)


@pytest.mark.parametrize("kind", KINDS)
def test_documents_with_parts_that_are_wrong_or_missing(tmp_path: Path, kind: str) -> None:
    """Whatever one part is replaced by, a document either opens and can be shown, or is told in a line."""
    whole = json.loads(document(tmp_path, kind).read_text())
    lines: list[str] = []
    for number, place in enumerate(_places(whole)):
        values = (None, -1, "x\x1b[31m", [], {}, 1e308)
        _try(tmp_path / "other.json", whole, place, values[number % len(values)], lines)
    assert lines
    assert [line for line in lines if len(line.splitlines()) != 1] == []


def _places(whole: object, above: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Paths to parts; of lists and of alike tables the first two."""
    if isinstance(whole, dict):
        items = list(whole.items())[:40]
    elif isinstance(whole, list):
        items = list(enumerate(whole[:2]))
    else:
        return []
    found = []
    for key, value in items:
        found.append((*above, key))
        if key not in ("settings", "tables", "latency_histogram_ms", "fates", "inputs", "policies"):
            found += _places(value, (*above, key))
    return found


def _try(path: Path, whole: object, place: tuple[object, ...], value: object, lines: list[str]) -> None:
    """Write the document with another part, and look at all of it if it opens; if not, keep what is said."""
    above = whole
    for part in place[:-1]:
        above = above[part]  # type: ignore[index]
    kept, above[place[-1]] = above[place[-1]], value  # type: ignore[index]
    try:
        path.write_text(json.dumps(whole))
        try:
            study = open_study(path).study
        except InputError as error:
            lines.append(str(error))
            return
        for chosen in ({}, {"p": 1, "m": 1, "y": 1}, {"l": 1, "k": 1, "m": 3}):
            rows = study.table(chosen).rows
            for row in rows[:2]:
                study.picture(chosen, row.key)
                study.detail(chosen, row.key)
                study.words(chosen, row.key)
            study.picture(chosen, None)
        assert study.headline
        assert study.state
    finally:
        above[place[-1]] = kept  # type: ignore[index]


# -- getting around


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
    kit: SimpleNamespace, tmp_path: Path, folder: Path
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


def test_what_strangers_wrote_steers_no_terminal(kit: SimpleNamespace, tmp_path: Path) -> None:
    path = document(tmp_path, "sweep")
    whole = json.loads(path.read_text())
    whole["title"] = whole["name"] = "[bold]\x1b]0;evil\x07\n\u202e"
    whole["scenario"] = "; rm -rf ~ #"
    for failure in whole["failed"]:
        failure["error"] = "\x1b[2J[red]no"
    path.write_text(json.dumps(whole))

    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        await press(app, pilot, "end")
        assert not {"\x1b", "\x07", "\u202e"} & set(kit.text_of(app))
        assert "[red]no" in kit.text_of(app)
        await press(app, pilot, "enter", "c")
        assert not {"\x1b", "\x07", "\u202e"} & set(kit.text_of(app))
        assert shlex.split(app.clipboard)[2] == "; rm -rf ~ #.toml"

    show(path, body)


@pytest.mark.parametrize("kind", KINDS)
def test_too_small_and_any_size(kit: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        for size in ((40, 10), (60, 16), (61, 50), (300, 17), (99, 24), (160, 30)):
            await pilot.resize_terminal(*size)
            await read(app, pilot)
            assert max(map(len, kit.text_of(app).splitlines())) <= size[0]
            assert ("subsecond needs" in kit.text_of(app)) == (size[0] < 60 or size[1] < 16)

    show(document(tmp_path, kind), body)
