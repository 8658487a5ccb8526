"""What a capacity study found, in sentences and in short."""

from __future__ import annotations

from subsecond.engine.findings import counted
from subsecond.engine.shares import share_words

from .capacity import Capacity, CapacityStudy

__all__ = ["amount_words", "beside_words", "capacity_sentence", "capacity_words"]


def beside_words(study: CapacityStudy) -> str:
    """What other agents did meanwhile; empty if there are none."""
    if not study.beside:
        return ""
    if study.question.others == "scaled":
        return "other agents in proportion"
    parts = [counted(number, f"{kind} session") for kind, number in study.beside.items()]
    return f"{' and '.join(parts)} at work beside them"


def amount_words(study: CapacityStudy, load: int) -> str:
    """A load, without its unit."""
    return f"{study.amount(load):,.3g}" if study.question.by_rate else f"{load:,}"


def capacity_words(study: CapacityStudy, lane: Capacity) -> str:
    """What one pipeline carries, in short; `none ?`: chance may have it."""
    found = lane.boundary
    if not found.load:
        return "none" if found.is_surely_none else "none ?"
    return f"{'> ' if found.missed is None else ''}{amount_words(study, found.load)}"


def _things(study: CapacityStudy, load: int) -> str:
    if study.question.by_rate:
        return f"{amount_words(study, load)} {study.budget.agents} sessions per second"
    return counted(load, f"{study.budget.agents} session")


def capacity_sentence(study: CapacityStudy, lane: Capacity) -> str:
    """What one pipeline carries, and how sure that is."""
    found, name = lane.boundary, study.budget.name
    if found.missed is None:
        return f"{lane.lane} keeps {name} with {_things(study, found.load)}, the most that was asked about."
    if not found.load:
        least = found.trials[0]
        share = share_words(least.attainment.value, least.target)
        sure = "" if found.is_surely_none else ", though that may be chance"
        return f"{lane.lane} does not keep {name} with {_things(study, least.load)}: {share} in time{sure}."
    missed = amount_words(study, found.missed)
    text = f"{lane.lane} keeps {name} with {_things(study, found.load)} and misses it with {missed}"
    return text + _surely(study, lane) + "."


def _surely(study: CapacityStudy, lane: Capacity) -> str:
    found = lane.boundary
    if all(trial.attainment.low is None for trial in found.trials):
        return "; one run of each says nothing about chance"
    kept = (
        f"surely kept up to {amount_words(study, found.surely_kept)}" if found.surely_kept else "not surely kept by any"
    )
    missed = "" if found.surely_missed is None else f", surely missed from {amount_words(study, found.surely_missed)}"
    text = f"; with {100 * study.question.confidence:g} % confidence it is {kept}{missed}"
    again = [load for load in found.exceptions if load > found.load]
    if again:
        loads = ", ".join(amount_words(study, load) for load in again)
        text += f". It is a close thing: of those tried {loads} keep it again"
    return text
