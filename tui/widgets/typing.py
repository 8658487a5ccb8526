"""What a turn feels like: the same reply typed out at each pipeline's pace, a voice turn as speech and silence."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import (
    StageLook,
    clean,
    count_text,
    fit,
    lane_mark,
    stage_looks,
    time_text,
    width_of,
)

__all__ = ["SpeechLane", "SpeechTimeline", "TypedLane", "TypedReplies"]

#: Tokens that are laid out; longer replies stop growing on the screen.
_MOST_TOKENS = 20_000
#: Narrowest reply that stands beside another one.
_BLOCK_CELLS = 30


@dataclass(frozen=True, slots=True)
class TypedLane:
    """The pace of a pipeline.

    Attributes:
        ttft_ps: from sending to the first token; -1: none ever came.
        tpot_ps: between tokens.
        tokens: of the reply; the text is cut there, or said again.
    """

    lane: int
    name: str
    ttft_ps: int
    tpot_ps: int
    tokens: int


class TypedReplies(Canvas):
    """Replies side by side (one below the other where narrow), each with its wait, its pace and when it is done."""

    def __init__(
        self,
        *,
        empty: str = "No reply has ended. Wait for a turn, or press enter on one.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)
        self._lanes: tuple[TypedLane, ...] = ()
        self._text = ""
        self._at_ps = 0

    def update(self, lanes: Sequence[TypedLane], *, text: str, at_ps: int) -> None:
        """Show the replies `at_ps` after they were asked for; a token is a word's piece of at most four letters."""
        self._lanes = tuple(lanes)
        self._text = clean(text)
        self._at_ps = at_ps
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        if not self._lanes:
            return None
        count = len(self._lanes)
        wide = (width + 1) // count - 1
        if count == 1 or wide < _BLOCK_CELLS:
            rows: list[Row] = []
            for place, lane in enumerate(self._lanes):
                room = height // count + (place < height % count)
                rows += [line.row() for line in self._reply(lane, width, room)]
            return rows
        blocks = [self._reply(lane, wide, height) for lane in self._lanes]
        return [
            _beside([part.row() if part is not None else Line(wide).row() for part in parts])
            for parts in zip_longest(*blocks)
        ]

    def _reply(self, lane: TypedLane, width: int, height: int) -> list[Line]:
        if height <= 0:
            return []
        shown = _tokens_at(lane, self._at_ps)
        head = Line(width)
        x = head.put(0, lane_mark(lane.lane), "strong")
        status, ink = _status(lane, shown, self._at_ps)
        room = max(4, width - width_of(status) - 4)
        x = head.put(x + 1, fit(lane.name, min(width_of(clean(lane.name)), room)), "strong")
        head.put(x + 2, status, ink)
        lines = [head]
        if height >= 3:
            pace = Line(width)
            if lane.ttft_ps >= 0:
                text = f"first token {time_text(lane.ttft_ps)}"
                if lane.tpot_ps > 0:
                    text += f", then {count_text(1e12 / lane.tpot_ps)} tokens/s"
                pace.put(0, text, "quiet")
            lines.append(pace)
        return [*lines, *_typed(self._text, lane.tokens, shown, width, height - len(lines))]


def _beside(rows: Sequence[Row]) -> Row:
    joined: list[tuple[str, str]] = []
    for place, row in enumerate(rows):
        if place:
            joined.append(("│", "quiet"))
        joined += row
    return tuple(joined)


def _tokens_at(lane: TypedLane, at_ps: int) -> int:
    """Tokens that have come: the first at `ttft_ps`, one more every `tpot_ps`."""
    if lane.ttft_ps < 0 or at_ps < lane.ttft_ps:
        return 0
    if lane.tpot_ps <= 0:
        return max(0, lane.tokens)
    return max(0, min(lane.tokens, 1 + (at_ps - lane.ttft_ps) // lane.tpot_ps))


def _status(lane: TypedLane, shown: int, at_ps: int) -> tuple[str, str]:
    if lane.ttft_ps < 0 or lane.tokens <= 0:
        return "x no reply", "bad"
    if shown >= lane.tokens:
        return f"✓ done after {time_text(lane.ttft_ps + max(0, lane.tpot_ps) * (lane.tokens - 1))}", "good"
    if shown == 0:
        return f"… waiting {time_text(max(0, at_ps))}", "wait"
    return f"▌ token {count_text(shown)} of {count_text(lane.tokens)}", "decode"


@lru_cache(64)
def _layout(text: str, tokens: int, width: int) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Lines of a reply: how many tokens stand before, and its own; a word is broken only if it is wider than a line."""
    pieces = re.findall(r"\s*\S{1,4}", text) or ["…"]
    words = _word_widths(pieces)
    lines: list[tuple[int, tuple[str, ...]]] = []
    line: list[str] = []
    room, before = width, 0
    for place in range(min(tokens, _MOST_TOKENS)):
        piece = pieces[place % len(pieces)]
        if place and place % len(pieces) == 0:
            piece = " " + piece.lstrip()
        wanted = width_of(piece)
        if piece[0] == " " and words[place % len(pieces)] < width:
            wanted = words[place % len(pieces)]
        if wanted > room and line:
            lines.append((before, tuple(line)))
            before, line, room = place, [], width
        if not line:
            piece = piece.lstrip()
        line.append(piece)
        room -= width_of(piece)
    lines.append((before, tuple(line)))
    return tuple(lines)


def _word_widths(pieces: Sequence[str]) -> list[int]:
    """By piece: cells from it to the end of its word."""
    widths, after = [0] * len(pieces), 0
    for place in range(len(pieces) - 1, -1, -1):
        widths[place] = width_of(pieces[place]) + after
        after = 0 if pieces[place][0] == " " else widths[place]
    return widths


def _typed(text: str, tokens: int, shown: int, width: int, height: int) -> list[Line]:
    if height <= 0 or width <= 0 or shown <= 0:
        return []
    layout = _layout(text, tokens, width)
    last = max(1, bisect_left(layout, (min(shown, _MOST_TOKENS),)))
    lines = []
    for before, pieces in layout[max(0, last - height) : last]:
        line = Line(width)
        x = line.put(0, "".join(pieces[: shown - before]))
        if shown < tokens and before < shown <= before + len(pieces):
            line.mark(min(x, width - 1), "▌", "decode")
        lines.append(line)
    return lines


@dataclass(frozen=True, slots=True)
class SpeechLane:
    """A voice turn: after the user's last word, silence for the sum of the stages, then the reply for `reply_ps`."""

    lane: int
    name: str
    stages_ps: Sequence[int]
    reply_ps: int


class SpeechTimeline(Canvas):
    """Speech and silence per pipeline on one axis, 0 where the user ends; the stages fill the silence."""

    def __init__(
        self,
        *,
        empty: str = "No voice turn has ended. Wait for one, or press enter on one.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)
        self._lanes: tuple[SpeechLane, ...] = ()
        self._looks: tuple[StageLook, ...] = ()
        self._budget_ps: int | None = None
        self._at_ps: int | None = None
        self._spoken_ps = 0

    def update(
        self,
        lanes: Sequence[SpeechLane],
        *,
        stages: Sequence[str],
        budget_ps: int | None,
        at_ps: int | None = None,
        spoken_ps: int = 10**12,
    ) -> None:
        """Show a turn.

        Args:
            at_ps: play it up to here, 0 where the user ends, from `-spoken_ps` on; None: all of it.
            spoken_ps: how much of the user's speech is shown.
        """
        self._lanes = tuple(lanes)
        self._looks = stage_looks(stages)
        self._budget_ps = budget_ps
        self._at_ps = at_ps
        self._spoken_ps = max(0, spoken_ps)
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        if not self._lanes:
            return None
        ends = [sum(lane.stages_ps) + max(0, lane.reply_ps) for lane in self._lanes]
        end = max([1, *ends, int((self._budget_ps or 0) * 1.1)])
        names = 14 if width >= 44 else 2
        axis = _Axis(names, max(0, width - names), self._spoken_ps, end)
        each = 3 if height >= 3 * len(self._lanes) + 1 else 2 if height >= 2 * len(self._lanes) else 1
        rows = []
        for lane in self._lanes:
            rows += self._lane(lane, axis, width, each)
        if height > len(rows):
            rows.append(self._scale(axis, width))
        return rows[:height]

    def _lane(self, lane: SpeechLane, axis: _Axis, width: int, each: int) -> list[Row]:
        at = axis.end_ps if self._at_ps is None else self._at_ps
        silence = sum(lane.stages_ps)
        speech = Line(width)
        speech.put(0, lane_mark(lane.lane), "strong")
        if axis.start > 2:
            speech.put(2, fit(lane.name, axis.start - 3))
        axis.bar(speech, -self._spoken_ps, min(0, at), "«", "audio")
        axis.bar(speech, silence, min(silence + lane.reply_ps, at), "»", "decode")
        stages = speech if each == 1 else Line(width)
        before = 0
        for look, ps in zip(self._looks, lane.stages_ps, strict=False):
            if ps > 0:
                axis.bar(stages, before, min(before + ps, at), look.glyph, look.ink)
                before += ps
        is_late = self._budget_ps is not None and silence > self._budget_ps
        text = f"{time_text(min(silence, max(0, at)))} silence" + (
            " !" if is_late and at > (self._budget_ps or 0) else ""
        )
        low, high = axis.cell(0), axis.cell(min(silence, max(0, at)))
        ink = "bad" if text.endswith("!") else "quiet"
        below = Line(width)
        if each >= 2 and high - low >= width_of(text):
            speech.put(low + (high - low - width_of(text)) // 2, text, ink)
        else:
            below.put(min(low, width - width_of(text)), text, ink)
        if self._budget_ps is not None:
            mark = axis.cell(self._budget_ps)
            for line in (speech, stages):
                if line.is_blank(mark):
                    line.mark(mark, "│", "budget")
        lines = [speech] if each == 1 else [speech, stages]
        return [line.row() for line in ([*lines, below] if each == 3 else lines)]

    def _scale(self, axis: _Axis, width: int) -> Row:
        line = Line(width)
        if axis.cell(0) > axis.start + 6:
            line.put(axis.start, "« user", "audio")
        if width >= 60:
            line.put_right("» agent", "decode")
        if self._budget_ps is not None:
            line.put(axis.cell(self._budget_ps), f"│budget {time_text(self._budget_ps)}", "budget")
        line.put(axis.cell(0), "0", "quiet")
        return line.row()


@dataclass(frozen=True, slots=True)
class _Axis:
    """Times of a row: from `-before_ps` at cell `start` to `end_ps` behind the last of `columns` cells."""

    start: int
    columns: int
    before_ps: int
    end_ps: int

    def cell(self, ps: int) -> int:
        share = (ps + self.before_ps) / (self.before_ps + self.end_ps)
        return self.start + min(self.columns, max(0, int(share * self.columns)))

    def bar(self, line: Line, low_ps: int, high_ps: int, glyph: str, ink: str) -> None:
        """Fill the cells of a time that is not empty; at least one."""
        if high_ps > low_ps and self.columns > 0:
            low = self.cell(low_ps)
            line.put(low, glyph * max(1, self.cell(high_ps) - low), ink)
