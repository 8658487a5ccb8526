"""What `subsecond drill` is told: drills by name, and faults as NAME@TIME:DURATION[=VALUE][/TARGET]."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from subsecond.engine.catalog.reading import near
from subsecond.engine.core.config import Pipeline
from subsecond.engine.drills.catalog import EACH, Drill, Step, drill_named, own_drill, shipped_drills
from subsecond.engine.drills.striking import strike
from subsecond.engine.errors import InputError
from subsecond.engine.faults import FAULT_KINDS
from subsecond.tui.instants import instant_ps

__all__ = ["check_faults", "drills_of", "read_fault"]

PS_PER_S = 10**12
_FAULT = re.compile(r"(?P<kind>[^@:=/]+)@(?P<at>[^=/]+?)(?:=(?P<value>[^=/]+))?(?:/(?P<target>[^=/]+))?")
_FORM: Final = "NAME@TIME:DURATION[=VALUE][/TARGET] such as decode_down@5m:60s/1 or link_degraded@300s:2m=0.25"


def drills_of(names: Sequence[str], faults: Sequence[str]) -> list[Drill]:
    """The drills that options ask for: each named one, and one of all faults together.

    Args:
        names: of the catalog, with `@TIME` if it shall begin then; "all" for every one.

    Raises:
        InputError: a name or a fault that cannot be understood.
    """
    drills = []
    for text in names:
        name, sign, at = (part.strip() for part in text.partition("@"))
        chosen = list(shipped_drills().values()) if name == "all" else [drill_named(name)]
        begin = _seconds("--drill", text, at, "an instant, as in server-lost@5m") if sign else None
        drills += [msgspec.structs.replace(drill, begin_s=begin) for drill in chosen]
    if faults:
        drills.append(own_drill(", ".join(faults), [read_fault(text) for text in faults]))
    seen = [drill.name for drill in drills]
    for name in dict.fromkeys(seen):
        if seen.count(name) > 1:
            raise InputError("--drill", "", name, "each drill once")
    return drills


def read_fault(text: str) -> Step:
    """One fault.

    Raises:
        InputError: it is not of the form, or its kind, a time or a number is none.
    """
    found = _FAULT.fullmatch(text.strip())
    if found is None:
        raise InputError("--fault", "", text, _FORM)
    kind = found["kind"].strip()
    if kind not in FAULT_KINDS:
        raise InputError("--fault", "", text, "one of " + ", ".join(near(kind, FAULT_KINDS) or FAULT_KINDS))
    at, duration = _times(text, found["at"])
    value = None if found["value"] is None else _number(text, found["value"])
    target = found["target"]
    if target in ("each", EACH):
        return Step(kind, kind, None, at, duration, value, EACH, "all")
    return Step(kind, kind, None, at, duration, value, _whole(text, target), "all")


def check_faults(faults: Sequence[str], pipelines: Mapping[str, Pipeline]) -> None:
    """Say of each fault by itself whether some pipelines can have it.

    Raises:
        InputError: one has a part or a value that cannot be.
    """
    for text in faults:
        step = read_fault(text)
        try:
            strike(Drill(text, (step,)), pipelines, 0.0, "--fault")
        except InputError as error:
            raise InputError("--fault", "", text, error.expected) from None


def _times(text: str, told: str) -> tuple[float, float | None]:
    """When a fault begins and how long it lasts. A clock time holds colons, too: 1:30:60s, 5m:60s, 300s."""
    parts = told.split(":")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            at, duration = (":".join(part) for part in (parts[:cut], parts[cut:]))
            pair = instant_ps(at) / PS_PER_S, instant_ps(duration) / PS_PER_S
        except ValueError:
            continue
        if pair[1] <= 0:
            raise InputError("--fault", "", text, "a duration above 0 s")
        return pair
    return _seconds("--fault", text, told, _FORM), None


def _seconds(option: str, text: str, told: str, expected: str) -> float:
    try:
        return instant_ps(told) / PS_PER_S
    except ValueError:
        raise InputError(option, "", text, expected) from None


def _number(text: str, told: str) -> float:
    try:
        return float(told)
    except ValueError:
        raise InputError("--fault", "", text, "a number behind =") from None


def _whole(text: str, told: str | None) -> int:
    if told is None:
        return 0
    try:
        return int(told)
    except ValueError:
        raise InputError("--fault", "", text, "the number of a server or link behind /, or each") from None
