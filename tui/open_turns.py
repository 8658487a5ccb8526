"""Turns under way on a lane at a moment: as gauges tell them, or as a recording without gauges lets one know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from subsecond.engine.feed import Hello, OpenTurn, TurnEnd

__all__ = ["NO_STAGE", "OpenTurns", "seen_from_their_end"]

#: Stage of an open turn of which nobody knows where it stands.
NO_STAGE: Final = -1
#: As many as gauges tell.
_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class OpenTurns:
    """Turns of a lane at a moment.

    Attributes:
        num_open: how many are open, those that are not in `oldest` included.
        oldest: those open longest first.
    """

    lane: int
    at_ps: int
    num_open: int
    oldest: tuple[OpenTurn, ...]


def seen_from_their_end(ends: Iterable[TurnEnd], hello: Hello, at_ps: int) -> list[OpenTurns]:
    """Turns that were open at a moment, by lane, from what they came to.

    A turn of one request passes its stages in order, and the wire once there and once back, so that its stage at the
    moment follows from their lengths. One of several requests passes some of them several times: where it stood is not
    known.

    Args:
        ends: the turns, each open at the moment.
    """
    order = _order(hello.stages)
    lanes: list[list[OpenTurn]] = [[] for _ in hello.lanes]
    for end in ends:
        lanes[end.lane].append(_at(end, order, at_ps))
    for turns in lanes:
        turns.sort(key=lambda turn: (turn.start_ps, turn.turn))
    return [OpenTurns(lane, at_ps, len(turns), tuple(turns[:_MOST])) for lane, turns in enumerate(lanes)]


def _order(stages: Sequence[str]) -> list[tuple[int, bool]]:
    """Places of stages as a turn of one request passes them; True: half of the stage's length."""
    order = []
    for place, stage in enumerate(stages):
        order.append((place, stage == "network"))
        if stage == "decode_rest" and "network" in stages:
            order.append((stages.index("network"), True))
    return order


def _at(end: TurnEnd, order: Sequence[tuple[int, bool]], at_ps: int) -> OpenTurn:
    stage, since_ps, closed = NO_STAGE, end.start_ps, [0] * len(end.stages_ps)
    if end.requests == 1:
        for place, is_half in order:
            length_ps = end.stages_ps[place] // (2 if is_half else 1)
            if length_ps <= 0:
                continue
            stage = place
            if since_ps + length_ps > at_ps:
                break
            closed[place] += length_ps
            since_ps += length_ps
    return OpenTurn(end.turn, end.session, end.index, end.agent, end.start_ps, stage, since_ps, tuple(closed))
