"""A price study as a document, searches for fleets included."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from subsecond.agents.study.fleets import MOST_REPLICAS, Fleet, cheapest, smallest
from subsecond.agents.study.pricing import LoadPoint, PriceStudy
from subsecond.engine.catalog import Value
from subsecond.engine.economics.amount import Amount, hourly_amount
from subsecond.engine.economics.break_even import BreakEven
from subsecond.engine.economics.costs import Cost
from subsecond.engine.economics.document import (
    SCHEMA,
    BreakEvenDoc,
    BudgetDoc,
    CostDoc,
    FleetDoc,
    FleetLaneDoc,
    InputDoc,
    LaneDoc,
    OwnDoc,
    PartDoc,
    PipelineDoc,
    PointDoc,
    PriceDoc,
    ServiceDoc,
    SumDoc,
)
from subsecond.engine.economics.ownership import FORMULA
from subsecond.engine.economics.priced import Basis, PricedLane, keeping, per_turn_in_time, spread
from subsecond.engine.economics.rates import Part
from subsecond.engine.economics.words import findings

__all__ = ["price_document"]


def price_document(
    study: PriceStudy, *, most: int = MOST_REPLICAS, progress: Callable[[str], None] | None = None
) -> PriceDoc:
    """The document of a study.

    Args:
        most: replicas of a pool that fleets have.
        progress: told what is done next.
    """
    tell = progress or (lambda words: None)
    scenario = study.runs.scenario
    points = []
    for point in study.points:
        tell(f"cheapest fleets at {point.factor:g}x")
        points.append(_point(study, point, most))
    fleets = []
    for basis in study.bases:
        tell(f"fleets that keep {basis.words}")
        fleets.append(_fleets(study, basis, most))
    names = {part.rate.device: _name(part) for lane in study.here.lanes.values() for part in lane.cost.parts}
    document = PriceDoc(
        schema=SCHEMA,
        scenario=scenario.name,
        seed=scenario.seed,
        runs=study.runs.count,
        is_steady=bool(scenario.agents) and all(agents.steady for agents in scenario.agents),
        duration_s=scenario.duration_s,
        warm_up_s=scenario.warm_up_s,
        way=study.runs.prices.way,
        against=study.against,
        basis=study.basis.words,
        bases=[basis.words for basis in study.bases],
        most_replicas=most,
        budgets={b.name: BudgetDoc(b.agents, b.shown, b.percentile, b.source) for b in study.runs.plan.budgets},
        pipelines={name: _pipeline(study, name) for name in study.runs.pipelines},
        device_names=names,
        put_in={d: usd for lane in study.here.lanes.values() for d, usd in lane.cost.put_in.items()},
        points=points,
        fleets=fleets,
        services=_services(study, study.here.lanes[study.mix]),
        services_for=study.mix,
        owned=[
            OwnDoc(device, names.get(device, device), own.low, own.high, FORMULA, _inputs(own.inputs))
            for device, own in study.owned.items()
        ],
        findings=[],
        settings=scenario.tables,
    )
    return _with(document, findings(document))


def _with(document: PriceDoc, words: list[str]) -> PriceDoc:
    document.findings.extend(words)
    return document


def _name(part: Part) -> str:
    """A device for people: what is hired, if that is one device; else its own name."""
    return part.rate.machine if part.rate.each == 1 else part.devices.device


def _pipeline(study: PriceStudy, name: str) -> PipelineDoc:
    built, lane = study.runs.pipelines[name], study.here.lanes[name]
    return PipelineDoc(
        label=built.label,
        model=built.model,
        status=built.status,
        parts=[_part(part) for part in lane.cost.parts],
        hourly=_sum(hourly_amount(lane.cost)),
        costs={basis.words: [_cost(cost) for cost in lane.costs(basis)] for basis in study.bases},
    )


def _part(part: Part) -> PartDoc:
    return PartDoc(
        role=part.devices.role,
        shown=part.shown,
        device=part.rate.device,
        devices=part.devices.count,
        machines=part.machines,
        way=part.rate.way,
        asked=part.rate.asked,
        rate=_input(part.rate.price),
        usd_per_hour=part.usd_per_hour,
        remark=part.remark,
    )


def _point(study: PriceStudy, point: LoadPoint, most: int) -> PointDoc:
    base = point.lanes[study.against]
    evens = [_against(point.lanes[name], base, basis) for basis in study.bases for name in study.others]
    sized: dict[str, Fleet] = {}
    other = cheapest(study.runs, study.against, study.basis, point.factor, most)
    if other is not None:
        sized[study.against] = other
        for name in study.others:
            found = cheapest(study.runs, name, study.basis, point.factor, most, other.lane)
            if found is not None:
                sized[name] = found
    return PointDoc(
        factor=point.factor,
        sessions=point.sessions,
        lanes={name: _lane(study, lane) for name, lane in point.lanes.items()},
        break_evens=evens,
        cheapest={name: fleet.sizes for name, fleet in sized.items()},
        cheapest_break_evens=[
            _against(sized[name].lane, sized[study.against].lane, study.basis) for name in study.others if name in sized
        ],
    )


def _lane(study: PriceStudy, lane: PricedLane) -> LaneDoc:
    works = {basis.words: lane.work(basis) for basis in study.bases}
    sides = {basis.words: lane.side(basis) for basis in study.bases}
    each = {words: side.hourly.over(side.good_per_hour) for words, side in sides.items()}
    return LaneDoc(
        turns=lane.work().turns,
        busy={use.pool: use.busy for use in lane.outcome.pools},
        attainment=_attainment(lane),
        in_time={words: work.in_time for words, work in works.items()},
        in_time_per_hour={words: side.good_per_hour for words, side in sides.items()},
        per_turn_in_time={words: None if amount is None else _sum(amount) for words, amount in each.items()},
    )


def _attainment(lane: PricedLane) -> dict[str, float | None]:
    return {count.budget.name: count.attainment for count in lane.budgets(Basis())}


def _fleets(study: PriceStudy, basis: Basis, most: int) -> FleetDoc:
    fleets = {name: smallest(study.runs, name, basis, most=most) for name in study.runs.pipelines}
    kept = [name for name in study.others if fleets[name].keeps and fleets[study.against].keeps]
    return FleetDoc(
        basis=basis.words,
        lanes={
            name: FleetLaneDoc(fleet.sizes, fleet.keeps, _attainment(fleet.lane), _sum(hourly_amount(fleet.lane.cost)))
            for name, fleet in fleets.items()
        },
        break_evens=[_even(name, basis, keeping(fleets[name].lane, fleets[study.against].lane)) for name in kept],
    )


def _against(a: PricedLane, b: PricedLane, basis: Basis) -> BreakEvenDoc:
    """A against B per turn in time."""
    return _even(a.lane, basis, per_turn_in_time(a, b, basis), spread(a, b, basis))


def _even(name: str, basis: Basis, found: BreakEven, ends: tuple[float, float] | None = None) -> BreakEvenDoc:
    prices = (found.usd_per_device_hour, found.usd_per_hour, found.usd_per_m_output)
    return BreakEvenDoc(name, basis.words, found.verdict.value, found.device, *prices, *(ends or (None, None)))


def _services(study: PriceStudy, lane: PricedLane) -> list[ServiceDoc]:
    found = []
    for service in study.services:
        bill = service.bill(lane.work(Basis(study.basis.kind)))
        cached = None if service.cached is None else _input(service.cached)
        each = (None, None) if bill is None else (bill.per_m_output, bill.per_turn)
        found.append(ServiceDoc(service.provider, _input(service.input), _input(service.output), cached, *each))
    return found


def _cost(cost: Cost) -> CostDoc:
    total = None if cost.amount is None else _sum(cost.amount)
    return CostDoc(cost.key, cost.words, total, cost.provenance, cost.formula, _inputs(cost.inputs))


def _sum(amount: Amount) -> SumDoc:
    return SumDoc(amount.usd, dict(amount.hours))


def _inputs(values: Mapping[str, Value]) -> dict[str, InputDoc]:
    return {name: _input(value) for name, value in values.items()}


def _input(value: Value) -> InputDoc:
    return InputDoc(value.number, value.unit, value.provenance, value.source, value.date, value.note)
