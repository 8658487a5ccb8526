"""How times, shares, stages and states are written: words and glyphs that need no colour."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len

from subsecond.engine.turns import TurnState

__all__ = [
    "MARKS",
    "NOTHING",
    "StageLook",
    "StateLook",
    "clean",
    "clock_text",
    "count_text",
    "fit",
    "lane_mark",
    "round_above",
    "share_text",
    "stage_looks",
    "state_look",
    "time_text",
    "width_of",
]

PS_PER_MS = 10**9
#: Stands for a value that there is not.
NOTHING = "-"

#: One letter per pipeline: in legends, on lines, in front of names.
MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def time_text(ps: float | None) -> str:
    """A time in picoseconds in at most seven characters up to 99 hours: `412 ms`, `1.23 s`, `12:05 m`, `3:20 h`."""
    if ps is None:
        return NOTHING
    if ps < 0:
        return "-" + time_text(-ps)
    ms = ps / PS_PER_MS
    if ms == 0:
        return "0 ms"
    if ms < 0.005:
        return "<.01 ms"
    if ms < 9.995:
        return f"{ms:.2f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 600:
        return f"{whole} s"
    if whole < 6000:
        return f"{whole // 60}:{whole % 60:02} m"
    minutes = whole // 60
    return f"{minutes // 60}:{minutes % 60:02} h" if minutes < 60_000 else f"{count_text(minutes // 60)} h"


def share_text(share: float | None, asked: float | None = None) -> str:
    """A share as per cent; only all of it reads 100 %, and only nothing reads 0 %.

    Args:
        asked: share that it is held against; one that misses it does not read as if it reached it.
    """
    if share is None:
        return NOTHING
    if asked is not None and share < asked <= round(share, 2):
        return f"{math.floor(100 * share)} %"
    if 0.99 < share < 1:
        return f"{min(share, 0.9994):.1%}".replace("%", " %") if share < 0.9995 else ">99.9 %"
    if 0 < share <= 0.005:
        return "<1 %"
    return f"{share * 100:.0f} %"


def count_text(count: float) -> str:
    """A count in at most six characters: `950`, `1.2k`, `34k`, `5.6M`."""
    if count < 0:
        return "-" + count_text(-count)
    if count < 1000:
        return f"{count:.0f}" if count == int(count) or count >= 99.5 else f"{count:.1f}"
    for factor, letter in ((1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")):
        scaled = count / factor
        if scaled < 9.95:
            return f"{scaled:.1f}{letter}"
        if scaled < 999.5:
            return f"{scaled:.0f}{letter}"
    return f"{count:.0e}".replace("e+", "e")


def clock_text(seconds: float) -> str:
    """A moment of the run: `0:42`, `12:03`, `2:10:07`."""
    whole = round(abs(seconds))
    sign = "-" if seconds < 0 and whole else ""
    if whole >= 3600:
        return f"{sign}{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{sign}{whole // 60}:{whole % 60:02}"


def round_above(value: float) -> float:
    """The smallest of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten that is not below the value; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((factor * power for factor in (1, 1.5, 2, 3, 4, 5, 6, 8) if factor * power >= value), 10 * power)


def lane_mark(place: int) -> str:
    """The letter of a pipeline by its place in `Hello.lanes`."""
    return MARKS[place % len(MARKS)]


@lru_cache(4096)
def clean(text: str) -> str:
    """Text without what would move the cursor or change the width of its neighbours; wide letters stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_clean_letter(letter) for letter in text)


def _clean_letter(letter: str) -> str:
    point = ord(letter)
    # Emoji are joined, coloured and made into flags by their neighbours; terminals disagree on the widths that result.
    if 0x1F1E6 <= point <= 0x1F1FF or 0x1F3FB <= point <= 0x1F3FF:
        return "?"
    category = unicodedata.category(letter)
    if category[0] == "Z" or letter in "\t\n\r\v\f":
        return " "
    if category[0] == "C":
        return "" if category == "Cf" else "?"
    if category[0] == "M" or cell_len(letter) not in (1, 2):
        return ""
    return letter


def width_of(text: str) -> int:
    """Cells that a cleaned text takes."""
    return len(text) if text.isascii() else cell_len(text)


@lru_cache(8192)
def fit(text: str, width: int, right: bool = False) -> str:
    """The text, cleaned, in exactly `width` cells: padded, or cut with an ellipsis."""
    text = clean(text)
    cells = width_of(text)
    if cells > width:
        if width <= 0:
            return ""
        kept: list[str] = []
        room = width - 1
        for letter in text:
            wide = width_of(letter)
            if wide > room:
                break
            kept.append(letter)
            room -= wide
        text = "".join(kept) + "…"
        cells = width - room
    pad = " " * (width - cells)
    return pad + text if right else text + pad


@dataclass(frozen=True, slots=True)
class StageLook:
    """How a stage is shown; no two stages of a run share a glyph.

    Attributes:
        name: as in `Hello.stages`.
        label: in words.
        glyph: one cell, fills its bar.
        ink: a component class of `canvas.Canvas`.
    """

    name: str
    label: str
    glyph: str
    ink: str


_STAGES: dict[str, tuple[str, str, str]] = {
    "audio_in": ("audio in", "<", "audio"),
    "endpointing": ("end of speech", ":", "audio"),
    "speech_to_text": ("speech to text", "s", "audio"),
    "network": ("network", "~", "quiet"),
    "routing": ("routing", "=", "quiet"),
    "prefill_queue": ("wait for prefill", "░", "wait"),
    "prefill": ("prefill", "█", "prefill"),
    "decode_queue": ("wait for decode", "d", "wait"),
    "handoff_queue": ("wait for link", "h", "wait"),
    "handoff": ("handoff", "▓", "handoff"),
    "decode_first": ("first token", "▌", "decode"),
    "decode_rest": ("decode", "▒", "decode"),
    "lost": ("lost work", "x", "bad"),
    "retry": ("retry", "r", "bad"),
    "tools": ("tools", "·", "quiet"),
    "text_to_speech": ("text to speech", "t", "audio"),
    "audio_out": ("audio out", ">", "audio"),
}
_SPARE = "abcefgijklmnopquvwyzACDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def stage_looks(names: Iterable[str]) -> tuple[StageLook, ...]:
    """Looks of a run's stages, in their order; stages that are not known get a letter of their name."""
    return _stage_looks(tuple(names))


@lru_cache(64)
def _stage_looks(names: tuple[str, ...]) -> tuple[StageLook, ...]:
    taken = {_STAGES[name][1] for name in names if name in _STAGES}
    looks = []
    for name in names:
        if name in _STAGES:
            label, glyph, ink = _STAGES[name]
        else:
            label, ink = clean(name).replace("_", " "), "other"
            wished = [letter for letter in name.lower() if letter in _SPARE]
            glyph = next((letter for letter in [*wished, *_SPARE] if letter not in taken), "?")
            taken.add(glyph)
        looks.append(StageLook(name, label, glyph, ink))
    return tuple(looks)


@dataclass(frozen=True, slots=True)
class StateLook:
    """How the state of a turn is shown."""

    word: str
    glyph: str
    ink: str


OPEN = StateLook("open", "…", "quiet")
MET = StateLook("in time", "✓", "good")
LATE = StateLook("late", "!", "bad")
DONE = StateLook("answered", "•", "plain")
FAILED = StateLook("failed", "x", "bad")
CANCELLED = StateLook("cancelled", "-", "quiet")


def state_look(state: int, met: Sequence[int] = ()) -> StateLook:
    """The look of a turn.

    Args:
        state: a `TurnState`.
        met: `TurnEnd.met`: an answered turn that missed any budget is late, one without a budget is just answered.
    """
    if state == TurnState.PENDING:
        return OPEN
    if state == TurnState.FAILED:
        return FAILED
    if state == TurnState.CANCELLED:
        return CANCELLED
    if 0 in met:
        return LATE
    return MET if 1 in met else DONE
