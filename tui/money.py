"""How sums of money are written, and what a break-even says in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from subsecond.engine.economics.amount import Amount
from subsecond.engine.economics.break_even import BreakEven, Verdict
from subsecond.engine.economics.rates import HourlyCost, Part
from subsecond.tui.economics import LaneMoney, Pair
from subsecond.tui.widgets.text import NOTHING, share_text

__all__ = ["amount_text", "break_even_words", "device_words", "standing_words", "symbols_of", "usd_text", "way_words"]

#: Letters for prices that are not known, in the order of the devices.
_LETTERS = "XYZVW"
#: Decimals of the smallest sums.
_MOST_DECIMALS = 7


def usd_text(usd: float | None) -> str:
    """A sum in USD with three figures, or two of a tenth of a cent: `1,234`, `63.30`, `0.0412`, `0.00044`."""
    if usd is None:
        return NOTHING
    size = abs(usd)
    if size == 0:
        return "0"
    if size >= 999.5:
        return f"{usd:,.0f}" if size < 1e9 else f"{usd:.2e}"
    figures = 2 if size >= 1e-3 else 1  # after the first
    decimals = 2 if size >= 1 else min(_MOST_DECIMALS, figures - math.floor(math.log10(size)))
    return f"{usd:.{decimals}f}"


def symbols_of(moneys: Iterable[LaneMoney]) -> dict[str, str]:
    """Device -> the letter that stands for its price per device-hour, of devices without one."""
    devices = dict.fromkeys(device for money in moneys for device in (*money.cost.unknown, *money.listed.unknown))
    return {device: _LETTERS[place % len(_LETTERS)] for place, device in enumerate(devices)}


def amount_text(amount: Amount | None, symbols: Mapping[str, str]) -> str:
    """A sum, what hangs on unknown prices with their letters: `0.0412 + 0.0046 X`."""
    if amount is None:
        return NOTHING
    known = [usd_text(amount.usd)] if amount.usd or not amount.hours else []
    return " + ".join([*known, *(f"{usd_text(hours)} {symbols.get(d, '?')}" for d, hours in amount.hours.items())])


def device_words(part: Part) -> str:
    """One device of a part, for people: the machine where it carries one, else the catalog's name."""
    return part.rate.machine if part.rate.each == 1 else part.rate.device


def device_name(cost: HourlyCost, device: str) -> str:
    """The same by its name in the catalog."""
    return next((device_words(part) for part in cost.parts if part.rate.device == device), device)


def way_words(way: str) -> str:
    """A way of hire for a narrow column."""
    return {"capacity-block": "cap. block", "on-demand": "on demand", "own": "yours"}.get(way, way)


def break_even_words(pair: Pair, found: BreakEven) -> str:
    """Where A is cheaper per turn in time than B."""
    a, b = pair.a.name, pair.b.name
    price = found.usd_per_device_hour
    if price is not None and pair.device is not None:
        name = device_name(pair.a.listed, pair.device)
        return f"per turn in time {a} is cheaper than {b} {found.verdict.value} {usd_text(price)} USD per {name}-hour"
    match found.verdict:
        case Verdict.NEITHER:
            return f"no turn was in time on {a} or {b}"
        case Verdict.ANY:
            return f"per turn in time {a} is cheaper than {b} at any price"
        case Verdict.NEVER:
            return f"per turn in time {a} is not cheaper than {b}, not even for nothing"
        case Verdict.CHEAPER | Verdict.DEARER:
            word = "cheaper" if found.verdict is Verdict.CHEAPER else "not cheaper"
            return f"per turn in time {a} is {word} than {b}"
        case _ if found.usd_per_hour is not None:
            return f"what has no price in {a} may cost {usd_text(found.usd_per_hour)} USD an hour in all to beat {b}"
        case _:
            return f"more than one price of {a} and {b} is not known"


def standing_words(a: str, mine: float | None, b: str, theirs: float | None) -> str:
    """Which of two costs less per turn in time, and by how much; empty: it is not known."""
    if mine is None or theirs is None:
        return ""
    sums = f"{a} {usd_text(mine)}, {b} {usd_text(theirs)} USD"
    if mine == theirs:
        return f"a turn in time costs as much on {a} as on {b}: {sums}"
    low, high, name, other = (mine, theirs, a, b) if mine < theirs else (theirs, mine, b, a)
    return f"a turn in time is {share_text(1 - low / high)} cheaper on {name} than on {other}: {sums}"
