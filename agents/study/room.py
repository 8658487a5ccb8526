"""How many more sessions of a kind would keep its budget at the load of a live run: a search in a process of its own.

`python -m subsecond.agents.study.room` reads questions from standard input, a JSON object in each line, and writes an
answer to each in the same way. It runs at the lowest priority and ends when its standard input does, so that whoever
started it never leaves it behind. What is searched for, and how, says `capacity`.
"""

from __future__ import annotations

import copy
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any, Final

import msgspec

from subsecond.agents.study.capacity import Question, capacity_study
from subsecond.agents.study.points import Base
from subsecond.agents.study.room_messages import LaneRoom, RoomAnswer, RoomQuestion
from subsecond.engine.errors import InputError

__all__ = ["MOST_SESSIONS", "answer_of", "main"]

#: Sessions of all kinds beyond which a search would take minutes, and as many as are looked for.
MOST_SESSIONS: Final = 10_000
MOST: Final = 4096
#: Coarser than a study: a number that moves with the load is needed soon.
_REPLICAS, _PRECISION = 4, 0.02
#: Least priority.
_NICE: Final = 19
#: Keys of a scenario that say how long it is and what comes from elsewhere or breaks.
_LEFT_OUT = ("duration_s", "warm_up_s", "turns", "faults")


def answer_of(question: RoomQuestion) -> RoomAnswer:
    """Search; takes seconds, or minutes where there are thousands of sessions."""
    try:
        base = _base(question)
        asked = Question(kind=question.kind, replicas=_REPLICAS, precision=_PRECISION, most=MOST)
        study = capacity_study(base, asked, threads=1)
    except InputError as error:
        return RoomAnswer(error=str(error))
    lanes = (LaneRoom(c.lane, c.boundary.load, c.boundary.missed is None) for c in study.lanes)
    return RoomAnswer(study.budget.name, study.budget.percentile, tuple(lanes))


def _base(question: RoomQuestion) -> Base:
    """The scenario with as many sessions of each kind as are at work, nothing broken.

    Raises:
        InputError: it cannot be varied so.
    """
    where, tables = f"scenario {question.name}", copy.deepcopy(question.tables)
    if tables.get("traces"):
        raise InputError(where, "traces", "a trace", "agents alone: the sessions of a trace cannot be kept at work")
    total = sum(question.sessions.values())
    if total > MOST_SESSIONS:
        raise InputError(where, "sessions", total, f"at most {MOST_SESSIONS:,} for a search beside the run")
    agents = tables.get("agents")
    if not isinstance(agents, list) or not all(isinstance(table, dict) for table in agents):
        raise InputError(where, "agents", "nothing", "agents, whose number can be varied")
    for key in _LEFT_OUT:
        tables.pop(key, None)
    tables["agents"] = [table for one in agents if (table := _at_work(one, question)) is not None]
    tables["budgets"] = _budgets_of(tables)
    return Base(tables, Path(f"{question.name}.toml"))


def _at_work(table: dict[str, Any], question: RoomQuestion) -> dict[str, Any] | None:
    """Agents of a kind, as many as are at work; None: nobody is, and they are not the kind that is asked about."""
    count = question.sessions.get(table.get("kind", ""), 0)
    if count < 1 and table.get("kind") != question.kind:
        return None
    kept = {key: value for key, value in table.items() if key != "arrival_rate_per_s"}
    return {**kept, "sessions": max(1, count)}


def _budgets_of(tables: dict[str, Any]) -> object:
    """The budgets of the kinds that are left; what is none is left to whoever checks the scenario."""
    budgets, kinds = tables.get("budgets", {}), {table.get("kind") for table in tables["agents"]}
    if not isinstance(budgets, dict):
        return budgets
    return {
        name: one for name, one in budgets.items() if (one.get("agents") if isinstance(one, dict) else name) in kinds
    }


def main() -> None:
    """Answer questions until there are no more."""
    os.nice(_NICE)
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin.buffer:
            asked.put(line)
        os._exit(0)  # nobody is there to read an answer that is being worked on

    threading.Thread(target=listen, daemon=True).start()
    while True:
        question = msgspec.json.decode(asked.get(), type=RoomQuestion)
        sys.stdout.buffer.write(msgspec.json.encode(answer_of(question)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
