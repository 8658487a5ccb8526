"""The folder of a sweep on the dashboard: as far as it is, while it grows, with what failed."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.study_screens import press, show
from textual.pilot import Pilot

from subsecond.engine.sweep.folder import task_path
from subsecond.tui.screens import study as study_screen
from subsecond.tui.studies.opening import OpenStudy, open_study
from subsecond.tui.study_app import StudyApp
from subsecond.tui.widgets.table import LiveTable


def shown_of(opened: OpenStudy) -> list[object]:
    while opened.look():
        pass
    study = opened.study
    chosen = {"y": 0, "m": 2}
    every = [study.table(chosen), study.state, study.choices(chosen)]
    return [*every, *(study.detail(chosen, row.key) for row in study.table(chosen).rows)]


def test_folder_and_document_show_the_same(sweep_folder: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    out = sweep_folder.with_suffix(".json")
    command("sweep", sweep_folder, "--quiet", "--json", out)
    assert shown_of(open_study(sweep_folder)) == shown_of(open_study(out))


def test_the_command_of_a_point_runs_it_again(sweep_folder: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    opened = open_study(sweep_folder)
    while opened.look():
        pass
    row = opened.study.table({}).rows[1]
    words = shlex.split(opened.study.detail({}, row.key).command)
    assert words[:3] == ["subsecond", "run", "playground"]
    code, out, err = command(*words[1:], "--json", "-")
    assert (code, err) == (0, "")
    lane = json.loads(out)["pipelines"]["gpu"]
    first = next(iter(opened.study.seen.points[1].lanes["gpu"].groups.values()))  # type: ignore[attr-defined]  # of a sweep alone
    assert lane["by_agents"]["coding"]["turns"] <= first.turns  # of one replica, of both
    assert lane["by_agents"]["coding"]["budgets"].keys() == first.budgets.keys()


def test_a_sweep_that_grows_is_shown_as_far_as_it_is(kit: SimpleNamespace, sweep_folder: Path) -> None:
    tasks = [task_path(sweep_folder, task) for task in range(12)]
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

    show(sweep_folder, body)


def test_the_folder_is_looked_at_again_by_itself(
    kit: SimpleNamespace, sweep_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_screen, "LOOK_S", 0.01)
    last = task_path(sweep_folder, 11)
    content = last.read_bytes()
    last.unlink()

    async def main() -> None:
        app = StudyApp(open_study(sweep_folder), fps=10)
        async with app.run_test(size=(120, 40)) as pilot:
            await kit.until(app, pilot, lambda: " 11 of 12 runs" in kit.text_of(app))
            last.write_bytes(content)
            await kit.until(app, pilot, lambda: " 12 runs" in kit.text_of(app))

    asyncio.run(asyncio.wait_for(main(), 120))


def test_nothing_of_a_sweep_is_there_yet(kit: SimpleNamespace, sweep_folder: Path) -> None:
    for task in range(12):
        task_path(sweep_folder, task).unlink()

    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        assert "0 of 12 runs" in kit.text_of(app)
        await press(app, pilot, "enter", "m", "x", "y", "l", "k", "end", "tab", "enter", "up")

    show(sweep_folder, body)


def test_damaged_tasks_are_told_in_a_line_and_the_others_shown(kit: SimpleNamespace, sweep_folder: Path) -> None:
    task_path(sweep_folder, 3).write_bytes(b"no table")
    task_path(sweep_folder, 5).write_bytes(task_path(sweep_folder, 4).read_bytes())  # that of another task

    async def body(app: StudyApp, pilot: Pilot[None]) -> None:
        text = kit.text_of(app)
        assert "10 of 12 runs" in text
        assert "task-00003.parquet" in text
        assert "and 1 more" in " ".join(text.split())

    show(sweep_folder, body, (200, 60))
