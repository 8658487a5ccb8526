"""Drills that ship, and drills that a user puts together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

from subsecond.engine.catalog.reading import near, read_toml
from subsecond.engine.errors import InputError

__all__ = ["EACH", "Drill", "Step", "drill_named", "own_drill", "shipped_drills"]

_SHIPPED = Path(__file__).with_name("catalog.toml")
#: Target of a step that strikes the servers one after the other.
EACH: Final = "each in turn"


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault of a drill, in the way that each design has it.

    Attributes:
        disaggregated, colocated: kind of the fault (`engine/faults.py`) on pipelines with prefill and decode apart, and
            on those whose servers do both; None: it strikes none of them.
        pipeline: strike this one alone; None: every one that has the part.
        after_s: from the beginning of the drill, or with `then` from the end of the step before.
        duration_s: None: it is never mended.
        target: number of the part, counted from 0 in its own pool, or `EACH`.
        pool: whose servers a target of kind `slow` counts; "decode" of a colocated pipeline are those that it has.
        pause_s: between two servers of `EACH`.
    """

    disaggregated: str | None = None
    colocated: str | None = None
    pipeline: str | None = None
    after_s: float = 0.0
    duration_s: float | None = None
    value: float | None = None
    target: int | Literal["each in turn"] = 0
    pool: Literal["entry", "decode", "all"] = "entry"
    pause_s: float = 0.0
    then: bool = False


class Drill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that breaks on purpose.

    Attributes:
        title: what happens.
        look: what to look at.
        source: what its durations and values go by.
        begin_s: when it begins; None: as the study decides.
    """

    title: str
    steps: tuple[Step, ...]
    look: str = ""
    source: str = "assumed"
    name: str = ""
    begin_s: float | None = None


@cache
def shipped_drills() -> dict[str, Drill]:
    """The drills that ship, by name, in the order of the catalog."""
    tables = read_toml(_SHIPPED)
    drills = {name: msgspec.convert(table, Drill, strict=False) for name, table in tables.items()}
    return {name: msgspec.structs.replace(drill, name=name) for name, drill in drills.items()}


def drill_named(name: str) -> Drill:
    """A drill that ships.

    Raises:
        InputError: there is none of that name.
    """
    drills = shipped_drills()
    if name not in drills:
        expected = "one of " + ", ".join(near(name, drills) or drills)
        raise InputError("--drill", "", name, expected)
    return drills[name]


def own_drill(title: str, steps: Sequence[Step], name: str = "own", source: str = "as asked for") -> Drill:
    """A drill of a user's own faults, whose `after_s` count from the start of the run."""
    first = min((step.after_s for step in steps), default=0.0)
    moved = [msgspec.structs.replace(step, after_s=step.after_s - first) for step in steps]
    return Drill(title=title, steps=tuple(moved), source=source, name=name, begin_s=first)
