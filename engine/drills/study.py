"""A study of drills: what was asked, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .outcome import DrillOutcome

__all__ = ["DrillStudy", "PolicyOutcome"]


@dataclass(frozen=True, slots=True, eq=False)
class PolicyOutcome:
    """The drills under one policy.

    Attributes:
        policy: retry, reprefill, fallback or fail, for work that is lost anywhere.
        outcomes: of the lanes that can have it.
        left_out: lane -> why it cannot.
    """

    policy: str
    outcomes: tuple[DrillOutcome, ...]
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class DrillStudy:
    """Drills on one scenario.

    Attributes:
        settings: changes that the scenario was given.
        is_steady: whether the load is constant.
        policies: the same drills under each policy; empty: not asked for.
        remarks: what else a reader should know.
    """

    scenario: str
    settings: tuple[str, ...]
    is_steady: bool
    outcomes: tuple[DrillOutcome, ...]
    policies: tuple[PolicyOutcome, ...] = ()
    remarks: tuple[str, ...] = ()
