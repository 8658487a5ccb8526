"""A price study: break-evens over loads, with published prices beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from subsecond.engine.economics.document import BreakEvenDoc, PointDoc, PriceDoc, document_from
from subsecond.engine.economics.words import load_words, money, sizes_words, sum_words, verdict_words
from subsecond.engine.findings import counted
from subsecond.tui.widgets.chart import ChartLine
from subsecond.tui.widgets.table import Column, TableRow
from subsecond.tui.widgets.text import NOTHING

from .documents import decoded
from .study import Choice, Chosen, Detail, LinePicture, Table
from .text import finite, share_words

__all__ = ["PriceStudy", "study_of"]

_PICTURES = ("price of an hour", "price of 1e6 tokens written", "in time")


@dataclass(frozen=True, slots=True)
class PriceStudy:
    """What `subsecond price` found."""

    found: PriceDoc
    kind: str = "price"
    about: str = (
        "Below which price one pipeline is cheaper than another for a turn in time, over loads. p chooses the picture: "
        "the price of a device-hour, that of a million tokens written beside published prices, or the share in time. "
        "b chooses what a turn has to keep to count. Enter shows all of a load. Where a price is not public, the study "
        "says at which price the answer flips instead."
    )
    problem: str = ""
    is_large: bool = False

    @property
    def headline(self) -> str:
        found = self.found
        others = ", ".join(name for name in found.pipelines if name != found.against)
        return f"price · {found.scenario} · {others} against {found.against} · {found.way.replace('-', ' ')}"

    @property
    def state(self) -> str:
        return f"{counted(self.found.runs, 'run')} of each load"

    def _basis(self, chosen: Chosen) -> str:
        bases = self._bases
        return bases[min(chosen.get("b", 0), len(bases) - 1)]

    @property
    def _bases(self) -> tuple[str, ...]:
        found = self.found
        return (found.basis, *(basis for basis in found.bases if basis != found.basis))

    def choices(self, chosen: Chosen) -> Sequence[Choice]:
        return [Choice("p", _PICTURES), *([Choice("b", self._bases)] if len(self._bases) > 1 else [])]

    def words(self, chosen: Chosen, key: int | str | None) -> Sequence[str]:
        return self.found.findings

    # -- the picture

    def picture(self, chosen: Chosen, key: int | str | None) -> LinePicture:
        number, basis = min(chosen.get("p", 0), 2), self._basis(chosen)
        lines = self._shares(basis) if number == 2 else self._prices(basis, number == 1)
        points = self.found.points
        mark = next((float(n) for n, _ in enumerate(points) if isinstance(key, str) and key.startswith(f"{n} ")), None)
        known = [y for line in lines for y in line.ys if y is not None]
        return LinePicture(
            title=f"{_PICTURES[number]}, {basis}",
            lines=tuple(lines),
            x_range=(0.0, float(max(1, len(points) - 1))),
            ticks=tuple((float(n), load_words(point.factor)) for n, point in enumerate(points)),
            y_text=share_words if number == 2 else _money_text,
            y_max=1.0 if number == 2 else None,
            mark_x=mark,
            empty="One load makes no line: subsecond price --loads 0.5,1,2." if known else "There is no such price.",
        )

    def _prices(self, basis: str, is_tokens: bool) -> list[ChartLine]:
        """A line per pipeline that is held against the other, and flat ones for what is published."""
        found, lines = self.found, []
        xs = tuple(map(float, range(len(found.points))))
        for number, name in enumerate(found.pipelines):
            evens = [_even(point, name, basis) for point in found.points]
            prices = [None if e is None else e.usd_per_m_output if is_tokens else e.usd_per_device_hour for e in evens]
            if any(price is not None for price in prices):
                lines.append(ChartLine(number, name, xs, tuple(map(finite, prices))))
        if not is_tokens or len(xs) < 2:
            return lines
        number = len(found.pipelines)
        for words, price in _published(found):
            lines.append(ChartLine(number, words, xs, (price,) * len(xs)))
            number += 1
        return lines

    def _shares(self, basis: str) -> list[ChartLine]:
        found = self.found
        xs = tuple(map(float, range(len(found.points))))
        lanes = enumerate(found.pipelines)
        return [ChartLine(n, name, xs, tuple(_share(p, name, basis) for p in found.points)) for n, name in lanes]

    # -- the table

    def table(self, chosen: Chosen) -> Table:
        columns = (
            Column("load", "load", 6, right=True),
            Column("sessions", "sessions", 9),
            Column("lane", "pipeline", 10),
            Column("even", "cheaper as it is", 18, grow=True),
            Column("tokens", "1e6 out", 8, right=True, descending=True),
            Column("share", "in time", 8, right=True, descending=True),
            Column("sizes", "cheapest sizes", 20, since=100),
            Column("cheapest", "cheaper so", 18, since=100),
        )
        basis = self._basis(chosen)
        rows = [
            self._row(number, point, name, basis)
            for number, point in enumerate(self.found.points)
            for name in self.found.pipelines
        ]
        return Table(columns, tuple(rows), "No load was looked at.")

    def _row(self, number: int, point: PointDoc, name: str, basis: str) -> TableRow:
        found, even = self.found, _even(point, name, basis)
        sized = next((e for e in point.cheapest_break_evens if e.pipeline == name), None)
        share = _share(point, name, basis)
        words = "held against" if name == found.against else _verdict(even, found)
        tokens = None if even is None else finite(even.usd_per_m_output)
        cells = (
            load_words(point.factor),
            "+".join(f"{count:,}" for count in point.sessions.values()),
            name,
            words,
            NOTHING if tokens is None else _money_text(tokens),
            share_words(share),
            sizes_words(point.cheapest[name]) if name in point.cheapest else NOTHING,
            NOTHING if name == found.against else _verdict(sized, found),
        )
        hour = None if even is None else even.usd_per_device_hour
        values = (point.factor, sum(point.sessions.values()), name, hour, tokens, share, cells[6], cells[7])
        return TableRow(f"{number} {name}", cells, values)

    def detail(self, chosen: Chosen, key: int | str) -> Detail:
        number, _, name = str(key).partition(" ")
        points = self.found.points
        if not number.isdigit() or int(number) >= len(points) or name not in self.found.pipelines:
            return Detail("", ("There is no such load.",))
        point = points[int(number)]
        return Detail(f"{name} at {load_words(point.factor)} the load", tuple(self._lines(point, name)))

    def _lines(self, point: PointDoc, name: str) -> Iterator[str]:
        found, lane = self.found, point.lanes[name]
        yield f"{lane.turns:,} turns; busy: " + ", ".join(f"{pool} {share_words(v)}" for pool, v in lane.busy.items())
        for part in found.pipelines[name].parts:
            price = NOTHING if part.usd_per_hour is None else f"{part.usd_per_hour:,.2f} USD/h"
            way = f"{part.way.replace('-', ' ')}{f'; {part.remark}' if part.remark else ''}"
            yield f"{part.role}: {part.shown}, {price} ({way}), {part.rate.provenance}"
        for basis in found.bases:
            yield ""
            each = sum_words(lane.per_turn_in_time.get(basis), found.device_names)
            yield f"{basis}: {share_words(_share(point, name, basis))} in time, a turn in time costs {each}"
            even = _even(point, name, basis)
            if even is not None:
                tokens = "" if even.usd_per_m_output is None else f"; {money(even.usd_per_m_output)} for 1e6 written"
                span = (
                    ""
                    if even.low is None or even.high is None
                    else f" ({money(even.low)} to {money(even.high)} by run)"
                )
                yield f"  cheaper than {found.against}: {_verdict(even, found)}{span}{tokens}"
        if found.services:
            yield ""
            yield f"Published prices, for the tokens of {found.services_for}, per 1e6 written and per turn:"
        for service in found.services:
            if service.per_m_output is None:
                yield f"  {service.provider}: {service.output.provenance}"
            else:
                turn = "" if service.per_turn is None else f", {money(service.per_turn)} a turn"
                source = f"{service.output.provenance}, {service.output.source}"
                yield f"  {service.provider}: {money(service.per_m_output)}{turn} ({source})"


def _money_text(usd: float) -> str:
    """On an axis, in USD."""
    if not math.isfinite(usd):
        return NOTHING
    return f"{usd:,.0f} $" if abs(usd) >= 100 else f"{usd:.3g} $"


def _even(point: PointDoc, name: str, basis: str) -> BreakEvenDoc | None:
    return next((even for even in point.break_evens if even.pipeline == name and even.basis == basis), None)


def _verdict(even: BreakEvenDoc | None, found: PriceDoc) -> str:
    return NOTHING if even is None else verdict_words(even, found.device_names)


def _share(point: PointDoc, name: str, basis: str) -> float | None:
    """Of the budget that a basis is, or of all turns."""
    lane = point.lanes[name]
    if basis in lane.attainment:
        return finite(lane.attainment[basis])
    count = lane.in_time.get(basis)
    return count / lane.turns if count is not None and lane.turns > 0 else None


def _published(found: PriceDoc) -> list[tuple[str, float]]:
    """Prices of services, equal ones together, the dearest first."""
    by_price: dict[float, list[str]] = {}
    for service in found.services:
        price = finite(service.per_m_output)
        if price is not None:
            by_price.setdefault(price, []).append(service.provider)
    return [(", ".join(names), price) for price, names in sorted(by_price.items(), reverse=True)]


def study_of(content: bytes, where: str) -> PriceStudy:
    """The study of a document.

    Raises:
        InputError: it is not what it says.
    """
    return PriceStudy(document_from(decoded(content, dict[str, object], where), where))
