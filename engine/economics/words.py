"""What a price study found, in sentences that hold its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from subsecond.engine.economics.break_even import Verdict
from subsecond.engine.economics.document import BreakEvenDoc, FleetDoc, FleetLaneDoc, PriceDoc, SumDoc

__all__ = ["findings", "load_words", "money", "number_words", "sizes_words", "sum_words", "verdict_words"]

#: Turns in time below which a price for one is little more than a guess.
FEW = 30


def number_words(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, never with an exponent: `1,980`, `0.00123`."""
    rounded = float(f"{value:.{digits}g}") if abs(value) < 10 ** (digits - 1) else value
    if not rounded:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    text = f"{rounded:,.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text


def money(usd: float) -> str:
    """An amount for people, three figures or more: `1,234 USD`, `10.3 USD`, `0.66 ct`."""
    if usd == 0 or abs(usd) >= 0.1:
        size = abs(usd)
        return f"{usd:,.0f} USD" if size >= 100 or usd == 0 else f"{usd:.1f} USD" if size >= 10 else f"{usd:.2f} USD"
    cents = 100 * usd
    return f"{cents:.2f} ct" if abs(cents) >= 0.1 else f"{number_words(cents, 2)} ct"


def sum_words(amount: SumDoc | None, names: dict[str, str]) -> str:
    """A sum that may hang on unknown prices: `36 USD + 4 CS-3-h`, `0.6 ct + 2.5 CS-3-s`; a dash if there is none."""
    if amount is None:
        return "-"
    parts = [_time(hours, names.get(device, device)) for device, hours in amount.device_hours.items()]
    if amount.usd or not parts:
        parts.insert(0, money(amount.usd))
    return " + ".join(parts)


def _time(hours: float, device: str) -> str:
    return f"{number_words(hours)} {device}-h" if hours >= 0.1 else f"{number_words(3600 * hours)} {device}-s"


def sizes_words(sizes: dict[str, int]) -> str:
    """Replicas by pool: `2`, `prefill 2, decode 1`."""
    if list(sizes) in (["replicas"], ["decode_replicas"]):
        return str(next(iter(sizes.values())))
    return ", ".join(f"{key.removesuffix('_replicas')} {count}" for key, count in sizes.items())


def load_words(factor: float) -> str:
    """A load for people: `2x`."""
    return f"{number_words(factor, 6)}x"


def verdict_words(found: BreakEvenDoc, names: dict[str, str]) -> str:
    """A break-even in a few words: `< 10.3 USD/CS-3-h`."""
    match Verdict(found.verdict):
        case Verdict.BELOW | Verdict.ABOVE if found.usd_per_device_hour is not None:
            sign = "<" if found.verdict == Verdict.BELOW.value else ">"
            return f"{sign} {money(found.usd_per_device_hour)}/{names.get(found.device or '', '?')}-h"
        case Verdict.BELOW if found.usd_per_hour is not None:
            return f"< {money(found.usd_per_hour)}/h in all"
        case Verdict.NEVER:
            return "not even for nothing" if found.device or found.usd_per_hour is not None else "no turn in time"
        case Verdict.NEITHER:
            return "no turn in time on either"
        case Verdict.UNKNOWN:
            return "prices unknown"
    return found.verdict


def findings(document: PriceDoc) -> list[str]:
    """The sentences, the answer first."""
    found = []
    for name in document.pipelines:
        if name != document.against:
            found += [*_here(document, name), *_over_loads(document, name)]
    found += [*_published(document), *_owning(document), *_fleets(document), *_few(document)]
    return found


def _here(document: PriceDoc, name: str) -> Iterator[str]:
    even = _even(document.here.break_evens, name, document.basis)
    against, names = document.against, document.device_names
    turn = f"a turn in time ({document.basis})"
    match Verdict(even.verdict):
        case Verdict.BELOW | Verdict.ABOVE:
            where = f"{_where(document, even)}{_bought(even)}"
            yield f"At this load {turn} costs less on {name} than on {against} at {where}."
            yield from _put_in(document, even)
        case Verdict.ANY:
            has = document.here.lanes[against].in_time[document.basis]
            why = f"{against} has no {turn[2:]}" if not has else f"{name} takes no more of what has no price"
            yield f"At this load {why}: {name} is cheaper at any price."
        case Verdict.NEVER if document.here.lanes[name].in_time[document.basis]:
            what = names.get(even.device or "", "what has no price")
            costs = f"costs more on {name} than on {against} even if {what} cost nothing"
            yield f"At this load {turn} {costs}{_bought(even)}."
        case Verdict.NEVER:
            yield f"At this load {name} has no {turn[2:]}: nothing makes it cheaper than {against}."
        case Verdict.NEITHER:
            yield f"At this load neither {name} nor {against} has {turn}."
        case Verdict.CHEAPER | Verdict.DEARER:
            mine, other = (document.here.lanes[lane].per_turn_in_time[document.basis] for lane in (name, against))
            costs = f"{sum_words(mine, names)} on {name}, {sum_words(other, names)} on {against}"
            yield f"At this load {turn} costs {costs}."
        case Verdict.UNKNOWN:
            yield f"The prices of {name} and of {against} hang on different machines that have none: no break-even."
            yield f"Hold {name} against one that can be hired: --pipelines {name},gpu."


def _put_in(document: PriceDoc, even: BreakEvenDoc) -> Iterator[str]:
    """What the break-even says of a price that the user put in."""
    price, limit = document.put_in.get(even.device or ""), even.usd_per_device_hour
    if price is None or limit is None:
        return
    is_cheaper = price < limit if even.verdict == Verdict.BELOW.value else price > limit
    other = document.against
    verdict = f"{even.pipeline} {'costs' if is_cheaper else 'does not cost'} less than {other}"
    yield f"At {money(price)} per {document.device_names.get(even.device or '', '?')}-hour, as put in, {verdict}."


def _where(document: PriceDoc, even: BreakEvenDoc) -> str:
    if even.usd_per_device_hour is None or even.device is None:
        return f"less than {money(even.usd_per_hour or 0.0)} an hour for all its machines without a price"
    way = "less" if even.verdict == Verdict.BELOW.value else "more"
    name = document.device_names.get(even.device, even.device)
    count = sum(part.devices for part in document.pipelines[even.pipeline].parts if part.device == even.device)
    more = [f"{money(count * even.usd_per_device_hour)} for its {count}"] if count > 1 else []
    if even.low is not None and even.high is not None:
        more.append(f"{money(even.low)} to {money(even.high)} in single runs")
    price = f"{way} than {money(even.usd_per_device_hour)} per {name}-hour"
    return f"{price} ({'; '.join(more)})" if more else price


def _bought(even: BreakEvenDoc) -> str:
    if even.usd_per_m_output is None or even.usd_per_m_output <= 0:
        return ""
    return f"; bought by the token, at less than {money(even.usd_per_m_output)} per million tokens written, all in"


def _over_loads(document: PriceDoc, name: str) -> Iterator[str]:
    """How the price moves with the load, each pipeline at its cheapest size."""
    prices = []
    for point in document.points:
        for even in point.cheapest_break_evens:
            if even.pipeline == name and even.usd_per_device_hour is not None and even.verdict == Verdict.BELOW.value:
                prices.append((even.usd_per_device_hour, point.factor, even.device or ""))
    if len(prices) < 2:
        return
    low, high = min(prices), max(prices)
    device = document.device_names.get(low[2], low[2])
    yield (
        f"With {name} and {document.against} at their cheapest sizes that price goes from {money(low[0])} "
        f"({load_words(low[1])} the load) to {money(high[0])} per {device}-hour ({load_words(high[1])})."
    )


def _published(document: PriceDoc) -> Iterator[str]:
    """Which published prices this work would cost less at than on the machines that are compared with."""
    if document.services_for == document.against:
        return
    limit = _even(document.here.break_evens, document.services_for, document.basis).usd_per_m_output
    prices = {s.provider: s.per_m_output for s in document.services if s.per_m_output is not None}
    if limit is None or limit <= 0 or not prices:
        return
    below = [f"{name} {money(price)}" for name, price in prices.items() if price < limit]
    above = [f"{name} {money(price)}" for name, price in prices.items() if price >= limit]
    text = f"Published prices come, for this mix and a million tokens written, all in, to {', '.join(below or above)}"
    if below and above:
        text += f", which is below those {money(limit)}, and {', '.join(above)}, which is not"
    else:
        text += f": {'all below' if below else 'none below'} those {money(limit)}"
    yield f"{text}."


def _owning(document: PriceDoc) -> Iterator[str]:
    for own in document.owned:
        evens = [e for p in document.points for e in p.cheapest_break_evens if e.device == own.device]
        prices = [e.usd_per_device_hour for e in evens if e.usd_per_device_hour is not None]
        text = f"Owning a {own.name} is put at {own.low:.0f} to {own.high:.0f} USD an hour, an estimate and no offer"
        if prices and max(prices) < own.low:
            text += "; every break-even here is below that"
        elif prices and min(prices) > own.high:
            text += "; every break-even here is above that"
        yield f"{text}."


def _fleets(document: PriceDoc) -> Iterator[str]:
    for fleet in document.fleets:
        keep = {name: lane for name, lane in fleet.lanes.items() if lane.keeps}
        if fleet.basis == document.basis and keep:
            yield _kept(document, fleet, keep)
    none = [fleet.basis for fleet in document.fleets if not any(lane.keeps for lane in fleet.lanes.values())]
    if none:
        what = f"No pipeline keeps {', or '.join(none)} at this load"
        yield f"{what}, even with {document.most_replicas} replicas of each pool: more machines do not mend it."


def _kept(document: PriceDoc, fleet: FleetDoc, keep: dict[str, FleetLaneDoc]) -> str:
    words = [
        f"{name} ({sizes_words(lane.sizes)}) for {sum_words(lane.hourly, document.device_names)} an hour"
        for name, lane in keep.items()
    ]
    lost = [name for name in fleet.lanes if name not in keep]
    text = f"{fleet.basis} is kept at this load by {', '.join(words)}"
    if lost:
        text += f"; not by {' or '.join(lost)} with up to {document.most_replicas} replicas"
    return f"{text}."


def _few(document: PriceDoc) -> Iterator[str]:
    few = {
        f"{name} ({lane.in_time[basis]} for {basis})"
        for basis in document.bases
        for name, lane in document.here.lanes.items()
        if 0 < lane.in_time[basis] < FEW
    }
    if few:
        yield f"So few turns are in time that a price for one is a guess: {', '.join(sorted(few))}."


def _even(evens: list[BreakEvenDoc], name: str, basis: str) -> BreakEvenDoc:
    return next(even for even in evens if even.pipeline == name and even.basis == basis)
