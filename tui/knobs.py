"""The parameters of a lane as the feed tells them, put beside the catalog: defaults, what is set, what was turned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from subsecond.engine.catalog import Value, catalog
from subsecond.engine.errors import InputError
from subsecond.engine.feed import LaneInfo, ParameterInfo

if TYPE_CHECKING:
    from subsecond.engine.latency.knobs import Knobs
    from subsecond.engine.latency.parameters import Override

__all__ = [
    "SET",
    "changed_of",
    "default_of",
    "knobs_of",
    "number_of",
    "restart_with",
    "shown",
    "typed_value",
    "with_change",
]

#: Source of a parameter that somebody has set, as the engine writes it.
SET = "set by the user"
#: Ends of the notice that tells of a parameter that was changed while the run went on.
_IS, _NOW = " is ", " from now on"
#: End of the notice that tells of one with which the run began anew.
_ANEW = "; the run starts anew"


def number_of(parameter: ParameterInfo) -> float | None:
    """The number of a parameter's value; None: it is a word."""
    text = parameter.value.removesuffix(parameter.unit).strip().replace(",", "")
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def shown(number: float, unit: str) -> str:
    """A number with its unit, written as the engine writes it."""
    return Value(number, unit, "", "", "").shown


def typed_value(text: str) -> float | str | bool:
    """What somebody typed: a number, true or false, or a word."""
    if text in ("true", "false"):
        return text == "true"
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


@lru_cache(64)
def _pipeline(label: str) -> str | None:
    """The catalog's name of a pipeline, whatever a scenario calls it; None: it has none such."""
    facts = catalog()
    return next((name for name in facts.names("pipelines") if facts.entry("pipelines", name).label == label), None)


def default_of(lane: LaneInfo, parameter: ParameterInfo) -> Value | None:
    """The catalog's value of a parameter; None: the catalog does not know the pipeline."""
    return _defaults(lane.label).get(parameter.key)


@lru_cache(64)
def _defaults(label: str) -> Mapping[str, Value]:
    name = _pipeline(label)
    return {} if name is None else catalog().entry("pipelines", name).values


@lru_cache(8)
def knobs_of(lane: LaneInfo) -> Knobs | None:
    """The lane's pipeline as knobs; None: it is none that the catalog here can build, as facts of its own make it."""
    from subsecond.engine.latency.knobs import Knobs  # loads the latency models, which only a dialog needs

    name = _pipeline(lane.label)
    if name is None:
        return None
    overrides: dict[str, Override] = {}
    for parameter in lane.parameters:
        default = default_of(lane, parameter)
        if default is not None and default.shown != parameter.value:
            number = number_of(parameter)
            overrides[parameter.key] = parameter.value if default.number is None or number is None else number
    try:
        return Knobs(name, overrides)
    except InputError:
        return None


def with_change(lanes: Sequence[LaneInfo], text: str) -> tuple[int, LaneInfo] | None:
    """The place of a lane, and the lane with the change of a parameter that a notice tells of; None: it tells of none.

    A change that lets the run go on is told by a notice alone; `Hello` says how the run began.
    """
    if not text.endswith(_NOW):
        return None
    for place, lane in enumerate(lanes):
        if not text.startswith(f"{lane.name}: "):
            continue
        key, _, given = text.removeprefix(f"{lane.name}: ").removesuffix(_NOW).partition(_IS)
        for at, parameter in enumerate(lane.parameters):
            if parameter.key == key and given:
                new = _changed(parameter, typed_value(given.lower()))
                changed = (*lane.parameters[:at], new, *lane.parameters[at + 1 :])
                return place, msgspec.structs.replace(lane, parameters=changed)
    return None


def restart_with(lanes: Sequence[LaneInfo], text: str) -> tuple[int, str, str] | None:
    """The place of a lane, key and value of the parameter that the run began anew with; None: no notice of that."""
    if not text.endswith(_ANEW):
        return None
    for place, lane in enumerate(lanes):
        if text.startswith(f"{lane.name}: "):
            key, _, _ = text.removeprefix(f"{lane.name}: ").removesuffix(_ANEW).partition(_IS)
            found = next((parameter for parameter in lane.parameters if parameter.key == key), None)
            if found is not None:
                return place, key, found.value
    return None


def changed_of(before: LaneInfo, after: LaneInfo) -> tuple[str, str]:
    """Key and new value of the parameter in which a lane differs from what it was; the last one set if none does."""
    pairs = zip(before.parameters, after.parameters, strict=True)
    changed = [new for old, new in pairs if new != old]
    new = changed[0] if changed else next(p for p in after.parameters if p.source == SET)
    return new.key, new.value


def _changed(parameter: ParameterInfo, given: float | str | bool) -> ParameterInfo:
    is_number = not isinstance(given, str) and math.isfinite(given)
    value = shown(float(given), parameter.unit) if is_number else str(given)
    return msgspec.structs.replace(parameter, value=value, provenance="assumed", source=SET)
