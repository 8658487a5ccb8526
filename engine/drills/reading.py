"""Documents of drills and of the long run as they are read again, checked; `docs/drills.md` describes them."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from subsecond.engine.errors import InputError

from .availability import Cost

__all__ = [
    "AvailabilityDoc",
    "BudgetDoc",
    "FailingDoc",
    "FaultDoc",
    "HeldDoc",
    "KindDoc",
    "LaneDoc",
    "LongRunDoc",
    "RecoveryDoc",
    "RunDoc",
    "StripDoc",
    "StudyDoc",
    "availability_from",
    "study_from",
]

D = TypeVar("D")
Pair = tuple[float, float]


class FaultDoc(msgspec.Struct, frozen=True):
    """One fault that struck a lane; `end_s` is None where nothing mended it."""

    kind: str
    target: int
    value: float | None
    begin_s: float
    end_s: float | None


class StripDoc(msgspec.Struct, frozen=True):
    """Windows one after the other; in each the turns, their p95 and the share in budget."""

    window_s: float
    begin_s: list[float]
    turns: list[int]
    p95_ms: list[float | None]
    failed: list[bool]
    met: list[float | None]

    def __post_init__(self) -> None:
        lengths = {len(column) for column in (self.begin_s, self.turns, self.p95_ms, self.failed, self.met)}
        if len(lengths) != 1:
            raise ValueError("columns of one length")


class BudgetDoc(msgspec.Struct, frozen=True):
    """A budget."""

    name: str
    limit: str
    percentile: float
    turn_ms: float | None = None
    source: str = ""


class RecoveryDoc(msgspec.Struct, frozen=True):
    """When turns were served as before again."""

    p95_before_ms: float | None
    worst_p95_ms: float | None
    worst_is_failure: bool
    after_s: float | None
    window_s: float


class BegunDoc(msgspec.Struct, frozen=True):
    """Turns over budget because of a fault, by when they began: before it, while it lasted, after it was mended."""

    before: int
    during: int
    after: int


class KindDoc(msgspec.Struct, frozen=True):
    """Turns of one agent kind; pairs are without the fault and with it."""

    budget: BudgetDoc | None
    turns: tuple[int, int]
    met: tuple[int, int]
    missed: tuple[int, int]
    failed: tuple[int, int]
    attainment: tuple[float | None, float | None]
    lost: int
    broken: int
    broken_by_start: BegunDoc
    mended: int
    put_off: int
    brought_forward: int
    longest_turn_ms: Pair
    longest_silence_ms: Pair
    recovery: RecoveryDoc
    over_time: tuple[StripDoc, StripDoc]


class WorkDoc(msgspec.Struct, frozen=True):
    """What the servers did over again."""

    computed_again_tokens: int
    cold_cache_tokens: int
    repeated_tokens: int
    spared_tokens: int
    attempts: tuple[int, int]
    struck_turns: tuple[int, int]
    handed_over_tokens: tuple[int, int]


class LaneDoc(msgspec.Struct, frozen=True):
    """One lane; without faults it was left alone for a reason."""

    model: str
    reason: str
    faults: list[FaultDoc]
    work: WorkDoc | None
    by_agents: dict[str, KindDoc]


class HeldDoc(msgspec.Struct, frozen=True):
    """A drill as it was held."""

    name: str
    title: str
    look_at: str
    durations: str
    seeds: list[int]
    begin_s: float
    counts_from_s: float
    stops_s: float
    pipelines: dict[str, LaneDoc]


class PolicyDoc(msgspec.Struct, frozen=True):
    """The drills under one policy."""

    policy: str
    left_out: dict[str, str]
    drills: list[HeldDoc]


class StudyDoc(msgspec.Struct, frozen=True):
    """A study of drills."""

    schema: str
    scenario: str
    settings: list[str]
    constant_load: bool
    remarks: list[str]
    drills: list[HeldDoc]
    policies: list[PolicyDoc]

    def __post_init__(self) -> None:
        if any(len(found.drills) not in (0, len(self.drills)) for found in self.policies):
            raise ValueError("each policy with every drill, or none")


class PartDoc(msgspec.Struct, frozen=True):
    """Servers that fail."""

    pool: str
    device: str
    each: float
    servers: int
    mtbf_h: float
    mttr_s: float
    provenance: str
    source: str
    incidents_per_year: float


class LongRunDoc(msgspec.Struct, frozen=True):
    """The long run of one agent kind on one lane."""

    share: float | None
    of_asked: float | None
    error: float
    lost: float
    nines: float | None
    incidents: float
    any_incident: float
    below_s: float
    overlap: float


class VariedDoc(LongRunDoc, frozen=True):
    """The same if an mtbf that is not public were so many times longer."""

    pool: str = ""
    mtbf_factor: float = 1.0


class CalmDoc(msgspec.Struct, frozen=True):
    """Turns without failures."""

    met_per_s: float
    judged_per_s: float
    below: float
    attainment: float | None


class CountsDoc(msgspec.Struct, frozen=True):
    """Turns of one kind in weeks that were simulated."""

    met: int
    judged: int
    below_s: float
    span_s: float


class RunDoc(msgspec.Struct, frozen=True):
    """One agent kind in the long run; `simulated`: without failures and with them, None if no week was."""

    budget: BudgetDoc
    without_failures: CalmDoc
    incident_costs: list[Cost]
    long_run: LongRunDoc
    sensitivity: list[VariedDoc]
    simulated: tuple[CountsDoc, CountsDoc] | None = None


class FailingDoc(msgspec.Struct, frozen=True):
    """One lane in the long run."""

    parts: list[PartDoc]
    by_agents: dict[str, RunDoc]
    simulated_incidents: int | None = None
    simulated_down_s: float | None = None

    def __post_init__(self) -> None:
        if any(len(found.incident_costs) != len(self.parts) for found in self.by_agents.values()):
            raise ValueError("a cost for each part")


class AvailabilityDoc(msgspec.Struct, frozen=True):
    """A study of the long run."""

    schema: str
    scenario: str
    weeks: Annotated[float, msgspec.Meta(gt=0)]
    repair_s: float
    pipelines: dict[str, FailingDoc]


def study_from(raw: object, where: str) -> StudyDoc:
    """A study of drills.

    Args:
        where: the file, for messages.

    Raises:
        InputError: it is none.
    """
    return _read(raw, where, StudyDoc, "subsecond.drill/1")


def availability_from(raw: object, where: str) -> AvailabilityDoc:
    """A study of the long run; as `study_from`."""
    return _read(raw, where, AvailabilityDoc, "subsecond.availability/1")


def _read(raw: object, where: str, kind: type[D], schema: str) -> D:
    try:
        document: Any = msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise InputError(where, place.strip("`."), message, f"what {schema} has there") from None
    if document.schema != schema:
        raise InputError(where, "schema", document.schema, schema)
    found: D = document
    return found
