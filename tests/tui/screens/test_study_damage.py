"""Files that are no studies, damaged ones, and what strangers wrote in them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.study_screens import document, press, show
from textual.pilot import Pilot

from subsecond.engine.errors import InputError
from subsecond.tui.studies.opening import KINDS, open_study
from subsecond.tui.study_app import StudyApp


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
def test_a_wrong_manifest_is_a_line(
    sweep_folder: Path, path: tuple[object, ...], value: object, command: object
) -> None:
    manifest = json.loads((sweep_folder / "manifest.json").read_text())
    place = manifest
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    (sweep_folder / "manifest.json").write_text(json.dumps(manifest))
    assert_a_line(command, sweep_folder)


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
        above = above[part]  # type: ignore[index]  # a table or a list, as the place says
    kept, above[place[-1]] = above[place[-1]], value  # type: ignore[index]  # as above
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
        above[place[-1]] = kept  # type: ignore[index]  # as above


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
