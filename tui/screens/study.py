"""A study on the dashboard: a picture, its rows, and what they say; a sweep is looked at again while it grows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from subsecond.tui.screens.base import HeaderLine, View
from subsecond.tui.screens.detail_dialog import DetailDialog
from subsecond.tui.screens.filter import FilterField
from subsecond.tui.screens.panel import Panel, wrapped
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.studies.opening import OpenStudy
from subsecond.tui.studies.study import CHOICES, HeatPicture, LinePicture, Picture, Study, Table, option
from subsecond.tui.widgets.canvas import Line, Row
from subsecond.tui.widgets.chart import LineChart
from subsecond.tui.widgets.heat import HeatMap
from subsecond.tui.widgets.spans import SpanBars
from subsecond.tui.widgets.table import LiveTable
from subsecond.tui.widgets.text import clean, fit, width_of

__all__ = ["StudyLines", "StudyView"]

#: Seconds after which a sweep's folder is looked at again.
LOOK_S = 1.0
_LINES_HELP = (
    "The lines in focus: a line per pipeline with its letter at its end; ╌ is the budget, │ the row under the cursor."
)
_ABOUT_HELP = "What was asked, what the picture shows with the keys that change it, and what the study says in words."


class StudyLines(LineChart, can_focus=True):
    """Lines of a study."""

    is_over_time = False
    help_text = _LINES_HELP


class StudyView(View):
    """The screen of a study.

    Args:
        opened: the study; None: the one that the application was started with.
    """

    TITLE_WORD = "Study"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"choose('{key}')", word, tooltip=words) for key, (word, words) in CHOICES.items()),
        Binding("slash", "filter", "Filter", key_display="/", tooltip="Show rows that contain these words"),
        Binding("u", "look", "Look again", show=False, tooltip="Read what has come since"),
        Binding("escape", "back", "Back", tooltip="Drop the filter, or go back"),
    ]
    DEFAULT_CSS = """
    StudyView {
        .about { height: auto; max-height: 9; border-top: none; padding: 0 1; }
        &.-short .about { max-height: 5; }
        #study { height: 1fr; layout: vertical; }
        #pictures { height: 1fr; border-top: solid $primary 40%; padding: 0 1; }
        #pictures:focus-within { border-top: heavy $primary; }
        LiveTable { height: 1fr; border-top: solid $primary 40%; }
        &.-wide #study { layout: horizontal; }
        &.-wide #pictures { width: 1fr; }
        &.-wide LiveTable { width: 1fr; }
    }
    """

    def __init__(self, opened: OpenStudy | None = None) -> None:
        super().__init__()
        self._given = opened
        self._chosen: dict[str, int] = {}
        self._picture: Picture | None = None
        self._is_looking = False
        #: Rows that were asked for last; those of an earlier wish are not shown any more.
        self._wish = 0

    @property
    def opened(self) -> OpenStudy:
        """The study and what it is read from."""
        opened = self._given or self.dashboard.opened
        assert opened is not None  # an application without one has no such screen
        return opened

    @property
    def study(self) -> Study:
        """What is shown."""
        return self.opened.study

    @property
    def ABOUT(self) -> str:  # type: ignore[override] # every study has words of its own
        return self.study.about

    def panels(self) -> ComposeResult:
        yield Panel(classes="about", help=_ABOUT_HELP)
        with Container(id="study"):
            with Container(id="pictures"):
                yield StudyLines("")
                yield HeatMap()
                yield SpanBars()
            yield LiveTable([])
        yield FilterField()

    def crumb(self) -> str:
        return f"{self.study.kind.capitalize()} {clean(self.opened.path.name)}"

    def on_mount(self) -> None:  # Textual calls that of the view, too
        self._show_table()
        if self.opened.is_growing:
            self.action_look()
            if self.dashboard.has_frames:
                self.set_interval(LOOK_S, self.action_look)

    # -- reading

    def action_look(self) -> None:
        """Read what has come since; nothing, if that is being done."""
        if self.opened.is_growing and not self._is_looking:
            self._is_looking = True
            self.run_worker(self._look, group="look")  # type: ignore[arg-type]  # gives None, as others do

    async def _look(self) -> None:
        """Read in a thread, part after part, and show each."""
        try:
            while self.is_attached and await asyncio.to_thread(self.opened.look, lambda: self.is_attached):
                self._show_table()
                self.show(None)
        finally:
            self._is_looking = False

    # -- drawing

    def show(self, snapshot: Snapshot | None) -> None:
        self.show_header(snapshot)
        if not self.has_class("-too-small"):
            self._draw()

    def show_header(self, snapshot: Snapshot | None) -> None:
        app = self.dashboard
        stack = [screen.crumb() for screen in app.screen_stack if isinstance(screen, View)]
        self.query_one(HeaderLine).show(" > ".join(["subsecond", *stack]), "", app.alert, self.study.state)

    def _show_table(self) -> None:
        """Show the rows of what is chosen: at once, or as soon as a thread has made them if they are many."""
        self._wish += 1
        if self.study.is_large:
            self.run_worker(self._make_table(self.study, dict(self._chosen), self._wish), group="table")
        else:
            self._set_table(self.study.table(self._chosen))

    async def _make_table(self, study: Study, chosen: dict[str, int], wish: int) -> None:
        table = await asyncio.to_thread(study.table, chosen)
        if wish == self._wish and self.is_attached:
            self._set_table(table)
            self._draw()

    def _set_table(self, table: Table) -> None:
        widget = self.query_one(LiveTable)
        widget.empty = table.empty
        widget.set_columns(table.columns)
        widget.update(table.rows)

    def _draw(self) -> None:
        study, key = self.study, self.query_one(LiveTable).cursor_key
        picture = self._picture = study.picture(self._chosen, key)
        lines, heat, bars = self.query_one(StudyLines), self.query_one(HeatMap), self.query_one(SpanBars)
        lines.display = isinstance(picture, LinePicture)
        heat.display = isinstance(picture, HeatPicture)
        bars.display = not lines.display and not heat.display
        if isinstance(picture, LinePicture):
            _draw_lines(lines, picture)
        elif isinstance(picture, HeatPicture):
            _draw_heat(heat, picture)
        else:
            bars.empty = picture.empty
            bars.update(
                picture.spans,
                title=picture.title,
                axis=picture.axis,
                text=picture.text,
                marks=picture.marks,
                cursor=key,
            )
        self.query_one(".about", Panel).show(lambda w, h: self._about(w, h))

    def _about(self, width: int, height: int) -> Sequence[Row]:
        study, key = self.study, self.query_one(LiveTable).cursor_key
        rows: list[Row] = [((fit(study.headline, width), "strong"),)]
        rows += _choice_rows(study, self._chosen, width)
        if study.problem:
            rows += [((line, "bad"),) for line in wrapped(f"! {study.problem}", width, 2)]
        for words in study.words(self._chosen, key):
            rows += [((line, "quiet"),) for line in wrapped(words, width, max(1, height - len(rows)))]
        return rows[:height]

    # -- what the user asks for

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "choose":
            return any(choice.key == parameters[0] for choice in self.study.choices(self._chosen))
        if action == "look":
            return self.opened.is_growing
        return super().check_action(action, parameters)

    def action_choose(self, key: str) -> None:
        """Go on to the next option of a choice."""
        choice = next(one for one in self.study.choices(self._chosen) if one.key == key)
        if len(choice.options) < 2:
            self.notify("There is nothing else to choose.", markup=False)
            return
        self._chosen[key] = (option(choice, self._chosen) + 1) % len(choice.options)
        self._show_table()
        self._draw()
        self.refresh_bindings()

    def on_live_table_highlighted(self, _event: LiveTable.Highlighted) -> None:
        self._draw()

    def on_live_table_selected(self, event: LiveTable.Selected) -> None:
        self.app.push_screen(DetailDialog(self.study.detail(self._chosen, event.key)))

    def on_heat_map_moved(self, event: HeatMap.Moved) -> None:
        """Go to the point of a cell, if there is one."""
        picture = self._picture
        if isinstance(picture, HeatPicture) and event.row < len(picture.keys):
            key = picture.keys[event.row][event.column]
            if key is None or not self.query_one(LiveTable).move_cursor(key):
                self.notify("There is no row for this cell.", markup=False)
            self._draw()

    def on_heat_map_opened(self, _event: HeatMap.Opened) -> None:
        self.query_one(LiveTable).action_open()

    def action_filter(self) -> None:
        self.query_one(FilterField).open()

    def action_back(self) -> None:
        """Drop the filter; without one, leave the screen."""
        if not self.query_one(FilterField).drop():
            self.dashboard.go_back()


def _draw_lines(widget: StudyLines, picture: LinePicture) -> None:
    widget.empty = picture.empty
    widget.call(picture.title, picture.y_text)
    widget.update(
        picture.lines,
        x_range=picture.x_range,
        y_max=picture.y_max,
        budget=picture.budget,
        budget_word=picture.budget_word,
        mark_x=picture.mark_x,
        ticks=picture.ticks,
    )


def _draw_heat(widget: HeatMap, picture: HeatPicture) -> None:
    widget.update(
        title=picture.title,
        across=picture.across,
        down=picture.down,
        columns=picture.columns,
        rows=picture.rows,
        cells=picture.cells,
        legend=picture.legend,
        cursor=picture.cursor,
    )


def _choice_rows(study: Study, chosen: dict[str, int], width: int) -> list[Row]:
    """Each choice as `key word: option`, as many lines as that takes."""
    lines, x = [Line(width)], 0
    for choice in study.choices(chosen):
        if not choice.options:
            continue
        words = clean(f"{CHOICES[choice.key][0].lower()}: {choice.options[option(choice, chosen)]}")
        cells = width_of(words) + 2
        if x and x + cells > width:
            lines.append(Line(width))
            x = 0
        x = lines[-1].put(x, choice.key, "strong")
        x = lines[-1].put(x + 1, words, "plain") + 3
    return [line.row() for line in lines] if x else []
