"""Recordings and studies that lie in the user's folder and beside what is watched, to be opened on the screens."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from subsecond.engine.errors import InputError
from subsecond.engine.recording.listing import Listed, list_recordings
from subsecond.engine.recording.places import recordings_folder
from subsecond.engine.recording.reader import Recording
from subsecond.tui.screens.base import View
from subsecond.tui.screens.filter import FilterField
from subsecond.tui.screens.open_dialog import OpenDialog
from subsecond.tui.screens.panel import Panel, cut, row
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.studies.opening import FoundStudy, list_studies, open_study
from subsecond.tui.widgets.canvas import Row
from subsecond.tui.widgets.table import Column, LiveTable, TableRow
from subsecond.tui.widgets.text import clean, clock_text, share_text

__all__ = ["RecordingsView"]

PS_PER_S = 10**12

#: By lane, turns within every budget, and all turns.
Shares = list[tuple[int, int]]


class RecordingsView(View):
    """What has been recorded, and the studies that lie beside."""

    TITLE_WORD = "Recordings"
    ABOUT = (
        "The recordings and studies of your folder, and those beside what is watched. Enter shows a recording on the "
        "same screens while a live run goes on: N leads back to it; a study has a screen of its own, escape leaves it. "
        "o opens any file, / filters. The last column is the share of turns within every budget, by pipeline. A "
        "temporary recording goes away with its run."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", tooltip="Show rows that contain these words"),
        Binding("o", "open_file", "Open file", tooltip="Show a recording or a study by its path"),
        Binding("u", "look", "Look again", tooltip="Read the folders again"),
        Binding("escape", "back", "Back", tooltip="Drop the filter, or go back"),
    ]
    DEFAULT_CSS = """
    RecordingsView {
        .about { height: 2; border-top: none; padding: 0 1; }
        LiveTable { height: 1fr; border-top: solid $primary 40%; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._listed: dict[str, Listed] = {}
        self._studies: dict[str, FoundStudy] = {}
        #: Shares by path, with the size and the number of turns that they were counted for.
        self._shares: dict[str, tuple[tuple[int, ...], Shares]] = {}
        self._where = ""
        self._is_read = False

    def panels(self) -> ComposeResult:
        yield Panel(classes="about", empty="Reading the folders…", help=self.ABOUT)
        yield LiveTable(
            [
                Column("name", "recording", 20, grow=True),
                Column("scenario", "scenario", 14, since=130),
                Column("made", "made", 14, descending=True),
                Column("length", "length", 7, right=True, descending=True),
                Column("turns", "turns", 7, right=True, since=110, descending=True),
                Column("size", "size", 8, right=True, since=120, descending=True),
                Column("stays", "stays", 9, since=110),
                Column("state", "state", 10),
                Column("verdict", "within budgets", 23),
            ],
            sort="made",
            empty="Reading the folders…",
        )
        yield FilterField()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.action_look()

    def action_look(self) -> None:
        """Read the folders again."""
        self.run_worker(self._look, group="look", exclusive=True)  # type: ignore[arg-type]  # gives None, as others do

    async def _look(self) -> None:
        """List what there is, then count; both in a thread, since files may be large and disks slow."""
        found, studies, self._where = await asyncio.to_thread(_list, self._folders())
        self._studies = {str(study.path): study for study in studies}
        self._listed = {str(listed.path): listed for listed in found}
        self._is_read = True
        self._update()
        for listed in found:
            key, stamp = str(listed.path), (listed.size_bytes, listed.num_turns)
            if listed.problem or self._shares.get(key, ((), []))[0] == stamp:
                continue
            shares = await asyncio.to_thread(_count, listed.path)
            self._shares[key] = stamp, shares
            self._update()

    def _folders(self) -> list[Path]:
        """Folders besides the user's own."""
        travel = self.dashboard.travel
        places = (travel.recording, travel.home_recording)
        beside = [path.parent for path in places if path is not None and path.is_file()]
        return [*beside, *self.dashboard.places]

    def _update(self) -> None:
        table = self.query_one(LiveTable)
        table.empty = f"No recording in {self._where}. r keeps the one of a live run, o opens a file."
        rows = [_row(key, listed, self._shares.get(key, ((), []))[1]) for key, listed in self._listed.items()]
        table.update([*rows, *(_study_row(key, study) for key, study in self._studies.items())])
        self._show_about()

    def _show_about(self) -> None:
        if not self._is_read:
            return
        key = self.query_one(LiveTable).cursor_key
        listed = self._listed.get(str(key))
        count, studies = len(self._listed), len(self._studies)
        shares = self._shares.get(str(key), ((), []))[1]
        beside = f" and {studies:,} {'study' if studies == 1 else 'studies'}" if studies else ""
        head = f"{count:,} {'recording' if count == 1 else 'recordings'}{beside} in {self._where}"
        study = self._studies.get(str(key))
        about = [row((cut(f"{study.path.name}: {_study_words(study)}", 200), "quiet"))] if study is not None else []
        self.query_one(".about", Panel).show(lambda w, h: [*_about_rows(head, listed, shares, w), *about][:h])

    def paint(self, snapshot: Snapshot) -> None:
        self._show_about()

    def on_live_table_highlighted(self, _event: LiveTable.Highlighted) -> None:
        self._show_about()

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        """Show the recording, or the study."""
        path = Path(str(event.key))
        if str(path) in self._studies:
            self.run_worker(self._open_study(path), group="open", exclusive=True)
        else:
            self.dashboard.show_recording(path)

    async def _open_study(self, path: Path) -> None:
        """Read it in a thread, since it may be large."""
        try:
            opened = await asyncio.to_thread(open_study, path)
        except InputError as error:
            self.notify(str(error), title="Cannot be shown", severity="error", markup=False)
            return
        if self.is_current:
            self.dashboard.show_study(opened)

    def action_filter(self) -> None:
        self.query_one(FilterField).open()

    def action_open_file(self) -> None:
        self.app.push_screen(OpenDialog())

    def action_back(self) -> None:
        """Drop the filter; without one, leave the screen."""
        if not self.query_one(FilterField).drop():
            self.dashboard.go_back()


def _list(folders: Iterable[Path]) -> tuple[list[Listed], list[FoundStudy], str]:
    """Recordings and studies of the user's folder and of others, each once; and where, or why they cannot be read."""
    found: dict[Path, Listed] = {}
    studies: dict[Path, FoundStudy] = {}
    places: list[str] = []
    for folder in {folder.absolute(): folder for folder in (recordings_folder(), *folders)}.values():
        try:
            found.update({listed.path: listed for listed in list_recordings(folder)})
            studies.update({study.path: study for study in list_studies(folder)})
            places.append(str(folder))
        except InputError as error:
            places.append(str(error))
    return list(found.values()), list(studies.values()), ", ".join(places)


def _count(path: Path) -> Shares:
    """Empty if it cannot be read any more."""
    try:
        with Recording.open(path) as recording:
            return recording.within_budgets() if recording.hello().budgets else []
    except InputError:
        return []


def problem_words(listed: Listed) -> str:
    """What is wrong with a file, without its path."""
    words = listed.problem
    for start in (f"{listed.path}: ", "recording: "):
        words = words.removeprefix(start)
    return clean(re.sub(r"^got ['\"](.*)['\"], expected (.*)$", r"\1 (expected \2)", words, flags=re.DOTALL))


def verdict_words(listed: Listed, shares: Shares) -> str:
    """The share of turns within every budget, by pipeline; empty if no turn has ended or there is no budget."""
    return ", ".join(
        f"{lane} {share_text(good / turns)}" for lane, (good, turns) in zip(listed.lanes, shares, strict=False) if turns
    )


def _row(key: str, listed: Listed, shares: Shares) -> TableRow:
    made = time.strftime("%y-%m-%d %H:%M", time.localtime(listed.created_unix_s))
    size = _size_text(listed.size_bytes)
    if listed.problem:
        cells = (listed.path.name, "", made, "", "", size, "", "x no use", problem_words(listed))
        values = (listed.path.name, None, listed.created_unix_s, None, None, listed.size_bytes, None, "x", None)
        return TableRow(key, cells, values, ink="bad")
    seconds = listed.duration_ps / PS_PER_S
    state = "finished" if listed.is_finished else "» written" if listed.is_being_written else "! cut off"
    worst = min((good / turns for good, turns in shares if turns), default=None)
    return TableRow(
        key,
        (
            listed.path.name,
            clean(listed.scenario),
            made,
            clock_text(seconds),
            f"{listed.num_turns:,}",
            size,
            "kept" if listed.is_kept else "temporary",
            state,
            verdict_words(listed, shares) or "-",
        ),
        (
            listed.path.name,
            listed.scenario,
            listed.created_unix_s,
            seconds,
            listed.num_turns,
            listed.size_bytes,
            listed.is_kept,
            state,
            worst,
        ),
    )


def _study_words(study: FoundStudy) -> str:
    return "the folder of a sweep" if study.size_bytes is None else f"what subsecond {study.kind} found"


def _study_row(key: str, study: FoundStudy) -> TableRow:
    made = time.strftime("%y-%m-%d %H:%M", time.localtime(study.changed_unix_s))
    size, name = "" if study.size_bytes is None else _size_text(study.size_bytes), clean(study.path.name)
    cells = (name, study.kind, made, "", "", size, "", f"{study.kind}", _study_words(study))
    values = (name, study.kind, study.changed_unix_s, None, None, study.size_bytes, None, study.kind, None)
    return TableRow(key, cells, values)


def _size_text(size_bytes: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:,.1f} {unit}"
    return f"{size_bytes} B"


def _about_rows(head: str, listed: Listed | None, shares: Shares, width: int) -> list[Row]:
    rows: list[Row] = [row((cut(head, width), "plain"))]
    if listed is not None and listed.problem:
        rows.append(row((cut(f"{listed.path.name}: {problem_words(listed)}", width), "bad")))
    elif listed is not None:
        what = f"{listed.path.name}: {verdict_words(listed, shares) or ' and '.join(listed.lanes)}; {listed.title}"
        rows.append(row((cut(what, width), "quiet")))
    return rows
