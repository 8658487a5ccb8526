"""What `subsecond price` found, as a document: `--json` writes it, terminal and report show it.

Money is in USD. A sum that hangs on prices nobody publishes is `usd` plus `device_hours[d]` times the price of an hour
of each device d; `usd` alone is then no cost.
"""

from __future__ import annotations

from typing import Final

import msgspec

from subsecond.engine.economics.break_even import Verdict
from subsecond.engine.errors import InputError

__all__ = [
    "SCHEMA",
    "BreakEvenDoc",
    "BudgetDoc",
    "CostDoc",
    "FleetDoc",
    "FleetLaneDoc",
    "InputDoc",
    "LaneDoc",
    "OwnDoc",
    "PartDoc",
    "PipelineDoc",
    "PointDoc",
    "PriceDoc",
    "ServiceDoc",
    "SumDoc",
    "document_from",
]

#: Name and version; the number goes up when a key changes its meaning or goes away.
SCHEMA: Final = "subsecond.price/1"


class _Doc(msgspec.Struct, frozen=True):
    """A part of the document; keys that it does not know are left alone."""


class InputDoc(_Doc, frozen=True):
    """A figure that went into another."""

    number: float | None
    unit: str
    provenance: str
    source: str
    date: str
    note: str


class SumDoc(_Doc, frozen=True):
    """`usd + sum(device_hours[d] * price of an hour of d)`."""

    usd: float
    device_hours: dict[str, float]


class CostDoc(_Doc, frozen=True):
    """A cost with its formula; `sum` is null where there is nothing to divide by."""

    key: str
    words: str
    sum: SumDoc | None
    provenance: str
    formula: str
    inputs: dict[str, InputDoc]


class PartDoc(_Doc, frozen=True):
    """Machines of a pipeline; `rate` is the price of one for an hour, without a number where it is not public."""

    role: str
    shown: str
    device: str
    devices: int
    machines: float
    way: str
    asked: str
    rate: InputDoc
    usd_per_hour: float | None
    remark: str


class PipelineDoc(_Doc, frozen=True):
    """A pipeline as the scenario has it, and its costs there by basis."""

    label: str
    model: str
    status: str
    parts: list[PartDoc]
    hourly: SumDoc
    costs: dict[str, list[CostDoc]]


class LaneDoc(_Doc, frozen=True):
    """A pipeline at a load; by basis: turns in time, per hour, and what one costs."""

    turns: int
    busy: dict[str, float]
    attainment: dict[str, float | None]
    in_time: dict[str, int]
    in_time_per_hour: dict[str, float]
    per_turn_in_time: dict[str, SumDoc | None]


class BreakEvenDoc(_Doc, frozen=True):
    """A break-even of `pipeline` against the one that all are held against; `verdict` as in `break_even.Verdict`.

    `low` and `high` are the least and the largest price of a device-hour over single runs, where each run has one.
    """

    pipeline: str
    basis: str
    verdict: str
    device: str | None
    usd_per_device_hour: float | None
    usd_per_hour: float | None
    usd_per_m_output: float | None
    low: float | None = None
    high: float | None = None


class PointDoc(_Doc, frozen=True):
    """Every pipeline at one load; `cheapest` are the sizes of least cost per turn in time, for the main basis."""

    factor: float
    sessions: dict[str, int]
    lanes: dict[str, LaneDoc]
    break_evens: list[BreakEvenDoc]
    cheapest: dict[str, dict[str, int]]
    cheapest_break_evens: list[BreakEvenDoc]


class FleetLaneDoc(_Doc, frozen=True):
    """The smallest fleet that keeps a basis, or the largest that was tried and does not."""

    sizes: dict[str, int]
    keeps: bool
    attainment: dict[str, float | None]
    hourly: SumDoc


class FleetDoc(_Doc, frozen=True):
    """Fleets that keep a basis at the scenario's load; break-evens compare whole fleets that do."""

    basis: str
    lanes: dict[str, FleetLaneDoc]
    break_evens: list[BreakEvenDoc]


class ServiceDoc(_Doc, frozen=True):
    """A price list in USD per million tokens, and this work's cost there per million tokens written, and per turn."""

    provider: str
    input: InputDoc
    output: InputDoc
    cached: InputDoc | None
    per_m_output: float | None
    per_turn: float | None


class OwnDoc(_Doc, frozen=True):
    """An estimate of owning a machine, per hour: no price, and never part of a cost."""

    device: str
    name: str
    low: float
    high: float
    formula: str
    inputs: dict[str, InputDoc]


class BudgetDoc(_Doc, frozen=True):
    """A budget of the scenario."""

    agents: str
    limit: str
    percentile: float
    source: str


class PriceDoc(_Doc, frozen=True):
    """The document.

    Attributes:
        basis: the one that the curve is about; `bases` are all.
        services_for: whose tokens, and whose turns, the price lists are applied to.
        device_names: for people.
        put_in: device -> price of a device-hour that a user put in where none is public; break-evens leave it out.
    """

    schema: str
    scenario: str
    seed: int
    runs: int
    is_steady: bool
    duration_s: float | None
    warm_up_s: float
    way: str
    against: str
    basis: str
    bases: list[str]
    most_replicas: int
    budgets: dict[str, BudgetDoc]
    pipelines: dict[str, PipelineDoc]
    device_names: dict[str, str]
    put_in: dict[str, float]
    points: list[PointDoc]
    fleets: list[FleetDoc]
    services: list[ServiceDoc]
    services_for: str
    owned: list[OwnDoc]
    findings: list[str]
    settings: dict[str, object]

    @property
    def here(self) -> PointDoc:
        """The point at the scenario's own load."""
        return next(point for point in self.points if point.factor == 1.0)


def document_from(raw: object, where: str) -> PriceDoc:
    """A document that was read, checked.

    Args:
        where: the file, for messages.

    Raises:
        InputError: it is none, or its parts do not fit one another.
    """
    try:
        document = msgspec.convert(raw, PriceDoc)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise InputError(where, place.strip("`."), message, f"what {SCHEMA} has there") from None
    names = document.pipelines.keys()
    evens = [even for point in document.points for even in (*point.break_evens, *point.cheapest_break_evens)]
    evens += [even for fleet in document.fleets for even in fleet.break_evens]
    bases, here = set(document.bases), [point for point in document.points if point.factor == 1.0]
    checks = {
        "schema": document.schema == SCHEMA,
        "pipelines": bool(names) and {document.against, document.services_for} <= names,
        "points": len(here) == 1 and all(point.lanes.keys() == names for point in document.points),
        "bases": document.basis in bases and all(p.costs.keys() >= bases for p in document.pipelines.values()),
        "points.lanes": all(
            lane.in_time.keys() == lane.in_time_per_hour.keys() == lane.per_turn_in_time.keys() == bases
            for point in document.points
            for lane in point.lanes.values()
        ),
        "fleets": all(fleet.lanes.keys() == names and fleet.basis in bases for fleet in document.fleets),
        "break_evens": all(
            even.pipeline in names and even.basis in bases and even.verdict in {verdict.value for verdict in Verdict}
            for even in evens
        ),
        "points.break_evens": bool(here)
        and {(e.pipeline, e.basis) for e in here[0].break_evens}
        >= {(name, basis) for name in names if name != document.against for basis in bases},
    }
    for field, holds in checks.items():
        if not holds:
            raise InputError(where, field, "parts that do not fit the others", f"what {SCHEMA} has there")
    return document
