"""What chapters on capacity, gaps and maps have in common: a document read with types, budgets, plain axes."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from subsecond.engine.errors import InputError

from .figures import LANE_COLOURS
from .markup import Html, element

__all__ = [
    "BudgetDoc",
    "Excess",
    "Figure",
    "Share",
    "lane_colour",
    "plain_text",
    "read_as",
    "time_words",
    "verdicts",
]

Figure = dict[str, Any]
#: A share of things, from 0 to 1, and by how much one share exceeds another.
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Excess = Annotated[float, msgspec.Meta(ge=-1, le=1)]
D = TypeVar("D")


class BudgetDoc(msgspec.Struct, frozen=True):
    """The budget of a study. `percentile`: share of turns, in percent, that shall keep it."""

    name: str
    limits: str
    percentile: float
    source: str

    @property
    def words(self) -> str:
        return f"{self.name}: {self.limits} for {self.percentile:g} % of the turns"


def read_as(raw: dict[str, Any], kind: type[D], where: str) -> D:
    """A study's document with its types; keys that it does not know are left alone.

    Raises:
        InputError: a key is missing or of another type.
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise InputError(where, place.strip("`").lstrip("."), message, "what the study's command writes") from None


def verdicts(findings: Sequence[str]) -> list[Html]:
    """What was found, set apart."""
    return [element("p", text, class_="verdict") for text in findings]


def plain_text(text: str) -> str:
    """A text for plotly, which takes some tags and fills in `%{...}`."""
    return html.escape(text).replace("%{", "% {")


def lane_colour(number: int) -> str:
    return LANE_COLOURS[number % len(LANE_COLOURS)]


def time_words(ms: float | None) -> str:
    if ms is None:
        return "-"
    return f"{ms:,.0f} ms" if ms < 1000 else f"{ms / 1000:,.2f} s"
