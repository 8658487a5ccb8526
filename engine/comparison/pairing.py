"""Which lanes of several recordings are held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from subsecond.engine.errors import InputError

from .sides import Side

__all__ = ["pairs_of"]


def pairs_of(sides: Sequence[Sequence[Side]], told: Sequence[tuple[str, str]] = ()) -> list[tuple[Side, Side]]:
    """Pairs of lanes: every two of one recording, or those of the first recording with those of the others.

    Args:
        sides: of each recording, at least one; an only one is held against itself, lane against lane.
        told: names of lanes, of the first recording and of the others; empty: lanes of the same name, or the only ones.

    Raises:
        InputError: no two lanes belong together, or there is no such lane.
    """
    if len(sides) == 1:
        return _within(sides[0], told)
    return [pair for others in sides[1:] for pair in _between(sides[0], others, told)]


def _within(sides: Sequence[Side], told: Sequence[tuple[str, str]]) -> list[tuple[Side, Side]]:
    if told:
        return [(_find(sides, a), _find(sides, b)) for a, b in told]
    if len(sides) < 2:
        raise InputError(sides[0].source, "", "one lane", "another recording to compare it with")
    return list(combinations(sides, 2))


def _between(sides: Sequence[Side], others: Sequence[Side], told: Sequence[tuple[str, str]]) -> list[tuple[Side, Side]]:
    if told:
        return [(_find(sides, a), _find(others, b)) for a, b in told]
    named = {side.lane: side for side in others}
    found = [(side, named[side.lane]) for side in sides if side.lane in named]
    if not found and len(sides) == len(others) == 1:
        return [(sides[0], others[0])]
    if not found:
        expected = f"--lane X=Y with X of {_names(sides)} and Y of {_names(others)}"
        raise InputError(others[0].source, "", f"no lane named as in {sides[0].source}", expected)
    return found


def _find(sides: Sequence[Side], name: str) -> Side:
    for side in sides:
        if side.lane == name:
            return side
    raise InputError("--lane", "", name, f"a lane of {sides[0].source}: {_names(sides)}")


def _names(sides: Sequence[Side]) -> str:
    return ", ".join(side.lane for side in sides)
