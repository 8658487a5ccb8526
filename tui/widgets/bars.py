"""Horizontal bars: where the time of the turns goes, and how full the servers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from subsecond.tui.widgets.canvas import Canvas, Line, Row
from subsecond.tui.widgets.text import (
    NOTHING,
    StageLook,
    clean,
    count_text,
    fit,
    lane_mark,
    share_text,
    stage_looks,
    time_text,
    width_of,
)

__all__ = ["OccupancyBars", "ServerBar", "StageBar", "StageBars"]


@dataclass(frozen=True, slots=True)
class StageBar:
    """Time by stage, in ps by place in `Hello.stages`; empty: no turn. `note` stands behind the total."""

    lane: int
    name: str
    stages_ps: Sequence[float]
    note: str = ""

    @property
    def total_ps(self) -> float:
        """Length of the bar."""
        return sum(max(0.0, float(ps)) for ps in self.stages_ps)


class StageBars(Canvas):
    """One stacked bar per pipeline on a common scale, a budget mark, and a legend of the stages that take time.

    Where there is room, a line below each bar names its longest stages with their times; else one legend serves all.
    """

    def __init__(
        self,
        *,
        empty: str = "Where the time goes shows once a turn has ended.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)
        self._bars: tuple[StageBar, ...] = ()
        self._looks: tuple[StageLook, ...] = ()
        self._budget_ps: float | None = None

    def update(self, bars: Sequence[StageBar], stages: Sequence[str], budget_ps: float | None = None) -> None:
        """Show bars; `stages` are the names of their parts."""
        self._bars = tuple(bars)
        self._looks = stage_looks(stages)
        self._budget_ps = budget_ps
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        if not any(bar.total_ps > 0 for bar in self._bars):
            return None
        names = min(max(width_of(clean(bar.name)) for bar in self._bars), max(0, width // 4 - 2)) + 3
        notes = max(width_of(_total(bar, width)) for bar in self._bars) + 1 if width >= 30 else 0
        columns = width - names - notes
        end = max([*(bar.total_ps for bar in self._bars), (self._budget_ps or 0) * 1.1])
        has_details = height >= 2 * len(self._bars)
        rows = []
        for bar in self._bars:
            line = Line(width)
            line.put(0, lane_mark(bar.lane), "strong")
            line.put(2, fit(bar.name, names - 3))
            self._bar(line, bar, names, columns, end)
            if notes:
                line.put_right(_total(bar, width))
            rows.append(line.row())
            if has_details:
                rows.append(self._details(bar, width, names))
        if not has_details:
            rows.append(self._legend(width))
        return rows[:height]

    def _bar(self, line: Line, bar: StageBar, start: int, columns: int, end: float) -> None:
        if columns <= 0:
            return
        scale, total = columns / end, 0.0
        x = 0
        for look, ps in zip(self._looks, bar.stages_ps, strict=False):
            total += max(0.0, float(ps))
            next_x = min(columns, round(total * scale))
            if next_x > x:
                line.put(start + x, look.glyph * (next_x - x), look.ink)
                x = next_x
        if self._budget_ps is not None:
            line.mark(start + min(columns - 1, int(self._budget_ps * scale)), "│", "budget")

    def _details(self, bar: StageBar, width: int, start: int) -> Row:
        line = Line(width)
        x, total = start, bar.total_ps
        parts = sorted(zip(self._looks, bar.stages_ps, strict=False), key=lambda part: -part[1])
        for look, ps in parts:
            text = f"{look.label} {time_text(ps)} {share_text(ps / total)}" if total else ""
            if ps <= 0 or x + 2 + width_of(text) > width:
                break
            x = line.put(x, look.glyph, look.ink)
            x = line.put(x + 1, text, "quiet") + 2
        return line.row()

    def _legend(self, width: int) -> Row:
        """The stages in their order; those that take least are left out where there is no room for all."""
        longest = {
            place: max((bar.stages_ps[place] for bar in self._bars if place < len(bar.stages_ps)), default=0.0)
            for place in range(len(self._looks))
        }
        shown, room = set(), width + 2
        for place in sorted(longest, key=lambda place: -longest[place]):
            room -= width_of(self._looks[place].glyph + self._looks[place].label) + 3
            if longest[place] <= 0 or room < 0:
                break
            shown.add(place)
        line, x = Line(width), 0
        for place in sorted(shown):
            x = line.put(x, self._looks[place].glyph, self._looks[place].ink)
            x = line.put(x + 1, self._looks[place].label, "quiet") + 2
        return line.row()


def _total(bar: StageBar, width: int) -> str:
    total = time_text(bar.total_ps) if bar.stages_ps else "no turn"
    return f"{total:>7}  {clean(bar.note) if width >= 60 else ''}".rstrip()


@dataclass(frozen=True, slots=True)
class ServerBar:
    """A server at a moment: fields of `feed.ServerInfo` and `feed.ServerGauge`; `lane` is its pipeline's place.

    Attributes:
        busy: share of the last second in which it computed; None: not known.
        link: share of the rate of the link into it that was in use in the last second; None: not known, or no link.
        flows: transfers under way into it.
        hits, hits_in_run: share of its prompts' tokens that the prefix cache had, over the last minute and over the
            run; None: it reads no prompts.
    """

    lane: int
    name: str
    role: str
    up: bool
    used_tokens: int
    retained_tokens: int
    capacity_tokens: int
    batch: int
    max_seqs: int
    queued: int
    busy: float | None = None
    link: float | None = None
    flows: int = 0
    hits: float | None = None
    hits_in_run: float | None = None


class OccupancyBars(Canvas):
    """One line per server: KV memory used, retained for prefixes and free; batch, queue, use of machine and link."""

    def __init__(
        self,
        *,
        empty: str = "Servers show with the first gauges.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=empty, id=id, classes=classes)
        self._servers: tuple[ServerBar, ...] = ()

    def update(self, servers: Sequence[ServerBar]) -> None:
        """Show servers in this order."""
        self._servers = tuple(servers)
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Row] | None:
        if not self._servers:
            return None
        head = Line(width)
        x = head.put(0, "KV  ", "strong")
        for glyph, word, ink in _KV:
            x = head.put(x, glyph, ink)
            x = head.put(x + 1, word, "quiet") + 2
        titles = _columns(width, _TITLES)
        if x + width_of(titles) <= width:
            head.put_right(titles, "quiet")
        lines = [head.row()] if height > 2 else []
        room = height - len(lines)
        shown = self._servers if len(self._servers) <= room else self._servers[: max(0, room - 1)]
        names = min(max(width_of(clean(server.name)) for server in self._servers), max(6, width // 6))
        lines += [_server(server, width, names) for server in shown]
        if len(shown) < len(self._servers):
            more = Line(width)
            hidden = self._servers[len(shown) :]
            down = sum(not server.up for server in hidden)
            more.put(0, f"and {len(hidden)} more servers" + (f", {down} of them down" if down else ""), "quiet")
            lines.append(more.row())
        return lines


_KV = (("█", "used", "prefill"), ("▒", "retained", "handoff"), ("·", "free", "quiet"))


def _server(server: ServerBar, width: int, names: int) -> Row:
    line = Line(width)
    line.put(0, lane_mark(server.lane), "strong")
    start = line.put(2, fit(server.name, names)) + 1
    numbers = _numbers(server, width)
    columns = width - start - width_of(numbers) - 1
    capacity = server.capacity_tokens
    if columns >= 4 and capacity > 0:
        used = min(columns, -(-max(0, server.used_tokens) * columns // capacity))
        both = max(0, server.used_tokens) + max(0, server.retained_tokens)
        kept = max(used, min(columns, round(both * columns / capacity)))
        for (glyph, _, ink), low, high in zip(_KV, (0, used, kept), (used, kept, columns), strict=True):
            line.put(start + low, glyph * (high - low), ink)
    if not server.up:
        line.put(start, " DOWN ", "cursor")
    line.put_right(numbers, "bad" if server.queued and not server.up else "plain")
    return line.row()


def _numbers(server: ServerBar, width: int) -> str:
    capacity = server.capacity_tokens
    share = share_text(server.used_tokens / capacity) if capacity > 0 else "-"
    batch = count_text(server.batch) + (f"/{count_text(server.max_seqs)}" if server.max_seqs > 0 else "")
    return _columns(
        width,
        {
            "used": share,
            "of": count_text(capacity),
            "batch": batch,
            "queue": count_text(server.queued),
            "busy": share_text(server.busy),
            "link": share_text(server.link),
            "flows": NOTHING if server.link is None and not server.flows else count_text(server.flows),
            "hits": share_text(server.hits),
            "in run": share_text(server.hits_in_run),
        },
    )


#: Columns with their cells, and the width of the whole from which each is there.
_WIDTHS = {
    "used": (7, 0),
    "of": (6, 96),
    "batch": (9, 40),
    "queue": (6, 0),
    "busy": (7, 64),
    "link": (7, 76),
    "flows": (6, 96),
    "hits": (7, 76),
    "in run": (7, 96),
}
_TITLES = {name: name for name in _WIDTHS}


def _columns(width: int, cells: dict[str, str]) -> str:
    """Numbers that the width has room for, in columns."""
    return " ".join(f"{cells[name]:>{wide}}" for name, (wide, since) in _WIDTHS.items() if width >= since)
