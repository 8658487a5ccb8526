"""`subsecond price`: what pipelines cost at a load, and at which price one becomes cheaper than another."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from subsecond.agents.study.fleets import MOST_REPLICAS
from subsecond.agents.study.points import Base, load_base
from subsecond.agents.study.price_document import price_document
from subsecond.agents.study.pricing import MOST_SESSIONS, RUNS, Prices, facts_of, price_study
from subsecond.engine.economics.document import PriceDoc
from subsecond.engine.economics.rates import WAYS, own_prices
from subsecond.engine.errors import InputError

from .grid import output_console
from .options import names
from .output import check_writable, write_json

__all__ = ["PriceOptions", "price_command"]

#: Runs with different seeds, and replicas, that make no sense to exceed.
_MOST_RUNS, _MOST_REPLICAS = 1000, 1024


@dataclass(frozen=True, slots=True)
class PriceOptions:
    """What the command line says; see `tui.cli.studying.price`."""

    scenario: str
    settings: Sequence[str] = ()
    pipelines: str | None = None
    model: str | None = None
    seed: int | None = None
    way: str = WAYS[0]
    prices: Sequence[str] = ()
    budget: str | None = None
    against: str | None = None
    loads: str | None = None
    sessions: str | None = None
    runs: int = RUNS
    most: int = MOST_REPLICAS
    duration_s: float | None = None
    warm_up_s: float | None = None
    explain: bool = False
    json_out: Path | None = None
    quiet: bool = False


def price_command(options: PriceOptions) -> None:
    """Price a scenario's pipelines and show it.

    Raises:
        InputError: an option or the scenario cannot be used.
    """
    if options.json_out is not None:
        check_writable(options.json_out)
    document = _document(options)
    if options.json_out is not None:
        write_json(options.json_out, document)
    if str(options.json_out) != "-" and not options.quiet:
        from .price_tables import show_prices

        show_prices(document, output_console(), explain=options.explain)


def _document(options: PriceOptions) -> PriceDoc:
    if options.way not in WAYS:
        raise InputError("--way", "", options.way, "one of " + ", ".join(WAYS))
    _check_count("--runs", options.runs, _MOST_RUNS)
    _check_count("--most", options.most, _MOST_REPLICAS)
    base = load_base(
        options.scenario,
        settings=options.settings,
        pipelines=None if options.pipelines is None else names(options.pipelines),
        model=options.model,
        seed=options.seed,
    )
    own = own_prices(_prices(options.prices), facts_of(base.scenario), "--price")
    loads = _loads(options, base)

    def study(tell: Callable[[str], None]) -> PriceDoc:
        tell("every pipeline at every load")
        found = price_study(
            base,
            Prices(options.way, own),
            against=options.against,
            budget=options.budget,
            loads=loads,
            runs=options.runs,
            duration_s=options.duration_s,
            warm_up_s=options.warm_up_s,
        )
        return price_document(found, most=options.most, progress=tell)

    if options.quiet or not sys.stderr.isatty():
        return study(lambda words: None)
    with Console(stderr=True).status("starting") as status:
        return study(status.update)


def _check_count(option: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise InputError(option, "", count, f"a whole number from 1 to {most:,}")


def _prices(given: Sequence[str]) -> dict[str, float]:
    """`DEVICE=USD` as device and number."""
    found: dict[str, float] = {}
    for text in given:
        device, sign, usd = (part.strip() for part in text.partition("="))
        try:
            number = float(usd)
        except ValueError:
            number = math.nan
        if not sign or not device or math.isnan(number):
            raise InputError("--price", "", text, "DEVICE=USD per device-hour, such as wse-3=120")
        if device in found:
            raise InputError("--price", "", text, f"one price for {device}")
        found[device] = number
    return found


def _loads(options: PriceOptions, base: Base) -> list[float] | None:
    """Loads as shares of the scenario's, given as such or in sessions at once."""
    if options.loads is not None and options.sessions is not None:
        raise InputError("--sessions", "", options.sessions, "no --loads beside it")
    if options.loads is not None:
        return _numbers("--loads", options.loads)
    if options.sessions is None:
        return None
    total = sum(agents.sessions for agents in base.scenario.agents)
    if not total:
        raise InputError("--sessions", "", options.sessions, "a scenario with agents to scale")
    counts = _numbers("--sessions", options.sessions)
    for count in counts:
        if not 0 < count <= MOST_SESSIONS:
            expected = f"numbers above 0, up to {MOST_SESSIONS:,}, with commas between them"
            raise InputError("--sessions", "", options.sessions, expected)
    return [count / total for count in counts]


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(option, "", text, "numbers with commas between them, such as 0.5,1,2") from None
