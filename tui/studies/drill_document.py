"""The document of drills, as `engine/drills/document.py` writes it, checked."""

from __future__ import annotations

from subsecond.engine.errors import InputError

from .documents import Doc, decoded

__all__ = ["DrillDoc", "KindDoc", "LaneDoc", "OneDrillDoc", "StripDoc", "drills_of"]

Ints = tuple[int, int]
Floats = tuple[float | None, float | None]


class LimitDoc(Doc, frozen=True):
    """The budget that turns are held against."""

    name: str
    limit: str
    turn_ms: float | None
    percentile: float


class RecoveryDoc(Doc, frozen=True):
    """How p95 went up and came back."""

    p95_before_ms: float | None
    worst_p95_ms: float | None
    worst_is_failure: bool
    after_s: float | None
    window_s: float


class StripDoc(Doc, frozen=True):
    """Turns by the window in which they began."""

    window_s: float
    begin_s: list[float]
    turns: list[int]
    p95_ms: list[float | None]
    failed: list[bool]
    met: list[float | None]


class KindDoc(Doc, frozen=True):
    """What a fault did to the turns of an agent kind; pairs are [without it, with it]."""

    budget: LimitDoc | None
    turns: Ints
    met: Ints
    missed: Ints
    failed: Ints
    attainment: Floats
    lost: int
    broken: int
    mended: int
    put_off: int
    brought_forward: int
    longest_turn_ms: Floats
    longest_silence_ms: Floats
    recovery: RecoveryDoc
    over_time: tuple[StripDoc, StripDoc]


class FaultDoc(Doc, frozen=True):
    """A fault and when it lasted; `end_s` None: to the end."""

    kind: str
    target: str | int
    value: str | float | None
    begin_s: float
    end_s: float | None


class WorkDoc(Doc, frozen=True):
    """What servers did over again."""

    computed_again_tokens: int
    cold_cache_tokens: int
    repeated_tokens: int
    attempts: Ints
    struck_turns: Ints


class LaneDoc(Doc, frozen=True):
    """A pipeline under a drill."""

    model: str
    reason: str
    faults: list[FaultDoc]
    work: WorkDoc | None
    by_agents: dict[str, KindDoc]


class OneDrillDoc(Doc, frozen=True):
    """A drill."""

    name: str
    title: str
    look_at: str
    durations: str
    seeds: list[int]
    begin_s: float
    stops_s: float
    pipelines: dict[str, LaneDoc]


class PolicyDoc(Doc, frozen=True):
    """The same drills under a policy."""

    policy: str
    drills: list[OneDrillDoc]


class DrillDoc(Doc, frozen=True):
    """The document."""

    scenario: str
    settings: list[str]
    remarks: list[str]
    drills: list[OneDrillDoc]
    policies: list[PolicyDoc]


def drills_of(content: bytes, where: str) -> DrillDoc:
    """The document.

    Raises:
        InputError: it is none of drills, or its parts do not fit together.
    """
    found = decoded(content, DrillDoc, where)
    for drill in (*found.drills, *(drill for policy in found.policies for drill in policy.drills)):
        for name, lane in drill.pipelines.items():
            for kind, own in lane.by_agents.items():
                for strip in own.over_time:
                    sizes = {len(part) for part in (strip.begin_s, strip.turns, strip.p95_ms, strip.failed, strip.met)}
                    if len(sizes) > 1:
                        field = f"{drill.name}.{name}.{kind}.over_time"
                        raise InputError(where, field, f"{min(sizes)} and {max(sizes)} values", "as many of each")
    return found
