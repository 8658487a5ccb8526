"""What the screen of a study shows, whatever the study is about: choices, a picture, a table, words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from subsecond.tui.widgets.chart import ChartLine
from subsecond.tui.widgets.heat import HeatCell
from subsecond.tui.widgets.spans import Span, SpanMark
from subsecond.tui.widgets.table import Column, TableRow

__all__ = [
    "CHOICES",
    "Choice",
    "Chosen",
    "Detail",
    "HeatPicture",
    "LinePicture",
    "Picture",
    "SpanPicture",
    "Study",
    "Table",
    "option",
]

#: Key of a choice -> the place of the option that is chosen.
Chosen = Mapping[str, int]
#: Keys of choices, and what they choose.
CHOICES: dict[str, tuple[str, str]] = {
    "p": ("Picture", "What the picture shows"),
    "x": ("Across", "The setting that the picture has across"),
    "y": ("Down", "The setting that the picture has down; none: lines instead of a map"),
    "m": ("Measure", "What is measured"),
    "l": ("Pipeline", "Which pipeline is shown"),
    "k": ("Agents", "Which kind of agents is shown"),
    "b": ("Basis", "What a turn has to keep to count"),
    "o": ("Policy", "What the pipelines do about a fault"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose: `key` goes on to the next of its options."""

    key: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LinePicture:
    """Lines over numbers; `ticks` are places on the x axis with their labels."""

    title: str
    lines: tuple[ChartLine, ...]
    x_range: tuple[float, float]
    ticks: tuple[tuple[float, str], ...]
    y_text: Callable[[float], str]
    y_max: float | None = None
    budget: float | None = None
    budget_word: str = "budget"
    mark_x: float | None = None
    empty: str = "A line needs two values: another setting across, or more points."


@dataclass(frozen=True, slots=True)
class HeatPicture:
    """A map: `cells` by row and column, `cursor` is the row and column to point at, `keys` the table's rows behind."""

    title: str
    across: str
    down: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: tuple[tuple[HeatCell | None, ...], ...]
    legend: str
    cursor: tuple[int, int] | None = None
    keys: tuple[tuple[int | str | None, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class SpanPicture:
    """Bars from a common start, with intervals."""

    title: str
    spans: tuple[Span, ...]
    axis: tuple[float, float]
    text: Callable[[float], str]
    marks: tuple[SpanMark, ...] = ()
    empty: str = "There is nothing to draw."


Picture = LinePicture | HeatPicture | SpanPicture


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with a key each; `sort` is the column to sort by, None: as given."""

    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    empty: str = "Nothing to show yet."


@dataclass(frozen=True, slots=True)
class Detail:
    """All of a row: lines, and the command that runs it again, empty if there is none."""

    title: str
    lines: tuple[str, ...]
    command: str = ""


class Study(Protocol):
    """A study as far as it is known: nothing of it changes any more."""

    @property
    def kind(self) -> str:
        """Its command, such as `sweep`."""
        ...

    @property
    def about(self) -> str:
        """What the screen shows, for its help."""
        ...

    @property
    def headline(self) -> str:
        """What was asked, in a line."""
        ...

    @property
    def state(self) -> str:
        """How far it is, for the header."""
        ...

    @property
    def problem(self) -> str:
        """What could not be read; empty most of the time."""
        ...

    @property
    def is_large(self) -> bool:
        """Whether its rows take so long to make that a thread has to."""
        ...

    def choices(self, chosen: Chosen) -> Sequence[Choice]:
        """What there is to choose, beside what is chosen."""
        ...

    def words(self, chosen: Chosen, key: int | str | None) -> Sequence[str]:
        """Sentences about the picture and the row under the cursor."""
        ...

    def picture(self, chosen: Chosen, key: int | str | None) -> Picture:
        """What is drawn; `key` is the row under the cursor."""
        ...

    def table(self, chosen: Chosen) -> Table:
        """The rows."""
        ...

    def detail(self, chosen: Chosen, key: int | str) -> Detail:
        """All of a row."""
        ...


def option(choice: Choice, chosen: Chosen) -> int:
    """The place of the option that is chosen, within those that there are."""
    return min(max(chosen.get(choice.key, 0), 0), max(0, len(choice.options) - 1))
