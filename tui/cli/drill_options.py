"""Options of `subsecond drill` that go together, and those that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from subsecond.engine.errors import InputError

__all__ = ["REPLICAS", "LongRun", "check_alone", "refuse", "runs_of"]

#: Runs of a drill, unless somebody says otherwise, and the most.
REPLICAS, _MOST_REPLICAS = 4, 1000


@dataclass(frozen=True, slots=True)
class LongRun:
    """Options about failures by chance; without `weeks` none of the others means anything."""

    weeks: float | None = None
    mtbf: Sequence[str] = ()
    mttr: str | None = None
    direct: bool = False


def refuse(given: Mapping[str, object], expected: str) -> None:
    """Refuse options that would change nothing.

    Args:
        given: option -> what was given; None, False and nothing at all: it was not.

    Raises:
        InputError: one was given.
    """
    for option, value in given.items():
        if value is None or value is False or value in ((), []):
            continue
        shown = "given" if value is True else ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        raise InputError(option, "", shown, expected)


def check_alone(long_run: LongRun) -> None:
    """Refuse options of the long run where there is none.

    Raises:
        InputError: one was given.
    """
    given = {"--mtbf": long_run.mtbf, "--mttr": long_run.mttr, "--direct": long_run.direct}
    refuse(given, "--weeks that it belongs to")


def runs_of(asked: int | None, *, varies: bool) -> int:
    """How many runs there are.

    Args:
        asked: None: nobody said.
        varies: whether another seed gives other sessions.

    Raises:
        InputError: there cannot be so many.
    """
    if asked is not None and not 1 <= asked <= _MOST_REPLICAS:
        raise InputError("--replicas", "", asked, f"a whole number from 1 to {_MOST_REPLICAS}")
    if varies:
        return REPLICAS if asked is None else asked
    if asked not in (None, 1):
        raise InputError("--replicas", "", asked, "1 or nothing: a trace is the same whatever the seed")
    return 1
