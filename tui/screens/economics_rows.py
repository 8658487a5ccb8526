"""What the economics screen's tables and lines say, made of a snapshot and prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from subsecond.engine.catalog import Value
from subsecond.engine.economics.costs import Cost
from subsecond.engine.economics.rates import OWN, Part
from subsecond.engine.economics.services import Bill, Service
from subsecond.engine.economics.told import services_of, value_of
from subsecond.engine.feed import PartInfo
from subsecond.tui.economics import LaneMoney, Pair, busy_share
from subsecond.tui.money import (
    amount_text,
    break_even_words,
    device_name,
    device_words,
    standing_words,
    usd_text,
    way_words,
)
from subsecond.tui.snapshot import Snapshot
from subsecond.tui.widgets.table import Column, TableRow
from subsecond.tui.widgets.text import NOTHING, lane_mark, share_text

__all__ = [
    "FIGURES",
    "MACHINES",
    "TOKENS",
    "basis_words",
    "cost_rows",
    "cost_source",
    "headline",
    "machine_rows",
    "part_source",
    "service_rows",
    "service_source",
    "standing",
    "symbol_words",
]

PS_PER_S = 10**12
#: Costs in the order in which they are shown; others follow.
_ORDER = ("turn_in_time", "turn", "m_output_tokens", "m_tokens", "m_prefill", "m_decode", "hour")
_ROLES = {"prefill and decode": "both"}

MACHINES = [
    Column("lane", "pipeline", 10),
    Column("role", "part", 8),
    Column("machine", "machines", 18, grow=True),
    Column("hour", "USD/h", 9, right=True),
    Column("device", "per device", 10, right=True, since=100),
    Column("way", "hire", 12),
    Column("provenance", "provenance", 10, since=110),
    Column("now", "busy", 6, right=True),
    Column("run", "run", 6, right=True),
]
FIGURES = [
    Column("what", "USD for", 19, grow=True),
    Column("lane", "pipeline", 11),
    Column("now", "now", 20, right=True),
    Column("run", "run", 20, right=True),
    Column("before", "now, as listed", 20, right=True, since=104),
    Column("provenance", "provenance", 10, since=110),
]
TOKENS = [
    Column("provider", "sold by", 12, grow=True),
    Column("input", "read", 6, right=True, since=56),
    Column("cached", "cached", 6, right=True, since=56),
    Column("output", "written", 7, right=True),
    Column("bill", "this load", 9, right=True),
]


def basis_words(snapshot: Snapshot, basis: int) -> str:
    """The budgets that a turn in time has met."""
    own = [[budget.name for _, budget in snapshot.budgets_of(agent)] for agent in range(len(snapshot.hello.agents))]
    if basis == 0 or basis >= len(snapshot.lanes[0].works):
        return "every budget"
    return ", ".join(names[min(basis, len(names)) - 1] for names in own if names)


def symbol_words(symbols: Mapping[str, str], moneys: Sequence[LaneMoney]) -> str:
    """What the letters stand for."""
    names = [next((device_name(m.listed, d) for m in moneys if d in m.listed.unknown), d) for d in symbols]
    return ", ".join(f"{letter}: USD per {name}-hour" for letter, name in zip(symbols.values(), names, strict=True))


# -- machines


def machine_rows(moneys: Sequence[LaneMoney], symbols: Mapping[str, str], window_s: int) -> list[TableRow]:
    """A row per part of a lane; the key is `lane/part`."""
    rows = []
    for money in moneys:
        for place, part in enumerate(money.cost.parts):
            rate, pool = part.rate, part.devices.pool
            unknown = f"{part.devices.count:g} {symbols.get(rate.device, '?')}"
            each = rate.usd_per_device_hour
            cells = (
                f"{lane_mark(money.place)} {money.name}",
                _ROLES.get(part.devices.role, part.devices.role),
                part.shown,
                usd_text(part.usd_per_hour) if part.usd_per_hour is not None else unknown,
                symbols.get(rate.device, "?") if each is None else usd_text(each),
                f"{way_words(rate.way)}{' *' if rate.is_substitute else ''}",
                rate.price.provenance,
                share_text(busy_share(money.lane, pool, window_s)),
                share_text(busy_share(money.lane, pool)),
            )
            rows.append(TableRow(f"{money.place}/{place}", cells))
    return rows


def part_source(money: LaneMoney, part: Part, told: PartInfo) -> Iterator[str]:
    """Where a part's price comes from."""
    rate, per = part.rate, device_words(part)
    if rate.way == OWN:
        yield f"{usd_text(rate.usd_per_device_hour)} USD per {per}-hour (assumed): your own price; listed:"
    listed = next(one for one in money.listed.parts if one.devices == part.devices)
    way = "" if listed.usd_per_hour is None else f", {way_words(listed.rate.way)}"
    yield f"{listed.shown}: {_price(listed.rate.price)}{way}"
    if listed.remark:
        yield listed.remark
    if told.owning is not None:
        low, high = usd_text(told.owning.low), usd_text(told.owning.high)
        yield f"owning one may come to {low} to {high} USD/h: an estimate, with much of it assumed"
        yield f"{told.owning.formula}: " + "; ".join(
            f"{name} {_price(value_of(price))}" for name, price in told.owning.inputs
        )


def _price(value: Value) -> str:
    note = f"; {value.note}" if value.note else ""
    date = f", {value.date}" if value.date else ""
    said = "no public price (" if value.number is None else f"{value.shown} ({value.provenance}: "
    return f"{said}{value.source}{date}{note})"


# -- costs


def cost_rows(moneys: Sequence[LaneMoney], symbols: Mapping[str, str]) -> list[TableRow]:
    """A row per cost and lane; the key is `cost/lane`."""
    rows: dict[str, list[TableRow]] = {key: [] for key in _ORDER}
    for money in moneys:
        work = money.work
        now, run = money.costs(work.now), money.costs(work.whole)
        listed = money.costs(work.now, as_listed=True)
        for one, whole, before in zip(now, run, listed, strict=True):
            cells = (
                one.words,
                f"{lane_mark(money.place)} {money.name}",
                amount_text(one.amount, symbols),
                amount_text(whole.amount, symbols),
                "" if one.amount == before.amount else amount_text(before.amount, symbols),
                one.provenance,
            )
            rows.setdefault(one.key, []).append(TableRow(f"{one.key}/{money.place}", cells))
    return [row for found in rows.values() for row in found]


def cost_source(money: LaneMoney, key: str, symbols: Mapping[str, str]) -> Iterator[str]:
    """How a cost was found: its formula, and all that went into it."""
    for word, work in (("now", money.work.now), ("run", money.work.whole)):
        cost = next((one for one in money.costs(work) if one.key == key), None)
        if cost is None:
            return
        yield f"{cost.words}, {word}: {amount_text(cost.amount, symbols)} USD ({cost.provenance}) = {cost.formula}"
        yield _inputs(cost)


def _inputs(cost: Cost) -> str:
    return "; ".join(f"{name} {_brief(value)}" for name, value in cost.inputs.items())


def _brief(value: Value) -> str:
    if value.number is None:
        return f"no public price ({value.source})"
    unit = "" if value.unit == "count" else f" {value.unit}"
    return f"{value.number:,.6g}{unit} ({value.provenance}: {value.source})"


# -- prices by the token


def service_rows(snapshot: Snapshot, pair: Pair | None) -> list[TableRow]:
    """Price lists for A's model beside what its load costs there, and what it may cost to beat B."""
    if pair is None:
        return []
    rows = []
    a, b = pair.a.work.now, pair.b.work.now
    limit = pair.break_even(a, b).usd_per_m_output
    if limit is not None:
        words = f"to beat {lane_mark(pair.b.place)} as fast as {lane_mark(pair.a.place)}"
        rows.append(TableRow("limit", (words, "", "", "", usd_text(limit)), ink="strong"))
    for place, service in enumerate(services_of(snapshot.hello, pair.a.lane.info.model)):
        cached = NOTHING if service.cached is None else usd_text(service.cached.number)
        bill = service.bill(a)
        each = None if bill is None else bill.per_m_output
        mark = " " if limit is None or each is None else "<" if each < limit else ">"
        cells = (
            service.provider,
            usd_text(service.input.number),
            cached,
            usd_text(service.output.number),
            f"{usd_text(each)} {mark}",
        )
        rows.append(TableRow(str(place), cells))
    return rows


def service_source(snapshot: Snapshot, pair: Pair, key: str) -> Iterator[str]:
    """Where a price by the token comes from, and what the load of A is billed."""
    work = pair.a.work.now
    if key == "limit":
        yield (
            f"For 1e6 tokens written, all in: what {pair.a.name}'s load may cost by the token where it is as often in "
            f"time as {pair.a.name}, to cost as much per turn in time as {pair.b.name} (derived from this load)"
        )
        return
    services = services_of(snapshot.hello, pair.a.lane.info.model)
    service = services[int(key)] if int(key) < len(services) else None
    if service is None:
        return
    yield f"{service.label}: written {_price(service.output)}; read {_price(service.input)}"
    bill = service.bill(work)
    if bill is not None:
        yield _bill_words(service, bill, pair.a.name)
    yield "a price list does not say how soon its owner answers: whether budgets are kept there is not known"


def _bill_words(service: Service, bill: Bill, name: str) -> str:
    cached = "cached ones as read" if service.cached is None else f"cached {usd_text(bill.cached_input)}"
    parts = f"read {usd_text(bill.new_input)}, {cached}, written {usd_text(bill.output)}"
    return (
        f"the load of {name} there, now: {usd_text(bill.work.per_hour(bill.usd))} USD/h, {usd_text(bill.per_turn)} a "
        f"turn, {usd_text(bill.per_m_output)} for 1e6 tokens written, all in ({parts} USD)"
    )


# -- the pair


def headline(pair: Pair | None) -> str:
    """Who is cheaper, where the other would be, and what was before prices of one's own."""
    if pair is None:
        return "One pipeline alone: there is nothing to compare it with."
    here, before = standing(pair), standing(pair.as_listed)
    sentences = [f"At your prices {here}" if here != before else here]
    if here != before:
        sentences.append(f"Before: {before or 'not known, a price is not public'}")
    sentences.append(_break_even(pair, is_brief=bool(here)))
    if not any(work.in_time for work in pair.now) and len(pair.a.lane.works) > 1:
        sentences.append("b asks for other budgets")
    elif pair.device is not None and pair.device in pair.a.cost.unknown:
        name = device_name(pair.a.listed, pair.device)
        sentences.append(f"No price of a {name}-hour is public: enter on its line sets yours")
    return " ".join(f"{_upper(text)}." for text in sentences if text)


def _upper(text: str) -> str:
    """A sentence; one that begins with a key stays as it is."""
    return text if text.startswith("b ") else f"{text[:1].upper()}{text[1:]}"


def _break_even(pair: Pair, *, is_brief: bool) -> str:
    """Where A is cheaper than B; briefly where it has been said which of them is."""
    found = pair.break_even(*pair.now)
    price = found.usd_per_device_hour
    if price is None or pair.device is None:
        return break_even_words(pair, found)
    more = [f"over the run {usd_text(pair.break_even(*pair.whole).usd_per_device_hour)}"]
    listed = pair.as_listed.break_even(*pair.now).usd_per_device_hour
    if listed != price:
        more.append(f"as listed {usd_text(listed)}")
    words = break_even_words(pair, found)
    if is_brief:
        words = f"break-even: {usd_text(price)} USD per {device_name(pair.a.listed, pair.device)}-hour"
    return f"{words} ({', '.join(more)})"


def standing(pair: Pair) -> str:
    """Who is cheaper per turn in time now, at the prices as they are; empty: it is not known."""
    mine, theirs = (money.per_turn_in_time(work) for money, work in zip((pair.a, pair.b), pair.now, strict=True))
    return standing_words(pair.a.name, mine, pair.b.name, theirs)
