"""Writes a finished run in virtual time as a recording: every turn that has begun, and the scenario's faults."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.budgets import Budget
from subsecond.engine.commands import SetKnob
from subsecond.engine.errors import InputError
from subsecond.engine.faults import spells_of
from subsecond.engine.feed import FaultNote, Hello, Message
from subsecond.engine.hello import hello_of
from subsecond.engine.run import Plan, Run
from subsecond.engine.script import OutsideRequest, SessionNote
from subsecond.engine.turns import Turns, TurnState

from .file import part_of, publish, reason_of, remove_file
from .places import check_target
from .rows import inserts, row_of
from .schema import Header, Origin, create_indices, create_tables

__all__ = ["NOTHING", "turn_table", "write_run", "write_tables"]

Int64 = NDArray[np.int64]
Told = Message | SetKnob | SessionNote | OutsideRequest
PS_PER_S = 10**12

#: Rows turned into Python objects at a time: what bounds the memory.
_CHUNK = 50_000
#: What a column of `turns` has where there is no value.
NOTHING = np.iinfo(np.int64).min


def write_run(path: Path, run: Run, where: str = "recording") -> None:
    """Write a run; a reader sees nothing until it is whole. A recording that lies there is replaced.

    Args:
        where: for messages, such as the option.

    Raises:
        InputError: it cannot be written there.
    """
    plan = run.plan
    hello = hello_of(plan, _run_id(run), str(check_target(path, where)))
    header = Header(hello, plan.scenario.tables, "virtual", time.time(), run.digest, Origin.of(plan))
    lanes = enumerate(run.lanes.values())
    tables = [turn_table(number, lane.turns, plan.budgets) for number, lane in lanes]
    end_ps = max((lane.turns.stop_ps for lane in run.lanes.values()), default=0)
    write_tables(path, header, tables, [(note.at_ps, note) for note in _fault_notes(plan)], end_ps, where)


def write_tables(
    path: Path,
    header: Header,
    tables: Sequence[Int64],
    rest: Iterable[tuple[int, Told]],
    end_ps: int,
    where: str = "recording",
) -> None:
    """Write turns that are at hand as a recording, as `write_run` does.

    Args:
        tables: of each lane, as of `turn_table`.
        rest: what else is known, with its time.
    """
    target = check_target(path, where)
    part = part_of(target)
    try:
        remove_file(part)
        connection = sqlite3.connect(part)
        try:
            for setting in ("journal_mode = OFF", "synchronous = OFF"):  # half a file is never seen
                connection.execute(f"PRAGMA {setting}")
            create_tables(connection, header)
            with connection:
                _write_rows(connection, header.hello, tables, rest)
                connection.execute("INSERT INTO meta VALUES ('end_ps', ?)", (end_ps,))
            create_indices(connection)
        finally:
            connection.close()
        publish(part, target)
    except (sqlite3.Error, OSError) as error:
        remove_file(part)
        raise InputError(where, "", str(path), f"a file that can be written ({reason_of(error)})") from None
    except BaseException:
        remove_file(part)
        raise


def _run_id(run: Run) -> str:
    return f"{run.plan.scenario.name}-{run.digest[:12]}"


def _write_rows(
    connection: sqlite3.Connection, hello: Hello, tables: Sequence[Int64], rest: Iterable[tuple[int, Told]]
) -> None:
    statements = inserts(hello)
    seq = 0
    for at_ps, told in rest:
        found = row_of(seq + 1, told, at_ps)
        if found is not None:
            seq += 1
            connection.execute(statements[found[0]], found[1])
    if tables:
        connection.executemany(statements["turns"], _rows_by_end(tables, seq))


def _rows_by_end(tables: Sequence[Int64], seq: int) -> Iterator[tuple[Any, ...]]:
    """Rows of `turns` of all lanes, by end, then lane and turn."""
    end = np.concatenate([table[7] for table in tables])
    order = np.argsort(end, kind="stable")
    starts = np.cumsum([0, *(table.shape[1] for table in tables)])
    for begin in range(0, len(order), _CHUNK):
        chosen = order[begin : begin + _CHUNK]
        part = np.empty((len(tables[0]), len(chosen)), np.int64)
        lane = np.searchsorted(starts, chosen, side="right") - 1
        for number, table in enumerate(tables):
            own = lane == number
            part[:, own] = table[:, chosen[own] - starts[number]]
        yield from zip(range(seq + begin + 1, seq + begin + len(chosen) + 1), *map(_values, part), strict=True)


def _values(column: Int64) -> Iterable[int | None]:
    values = column.tolist()
    if (column == NOTHING).any():
        return [None if value == NOTHING else value for value in values]
    return values  # type: ignore[no-any-return]  # a list of ints


def turn_table(number: int, turns: Turns, budgets: Sequence[Budget]) -> Int64:
    """The columns of `turns` after `seq`, [columns, turns that have begun]; `NOTHING` stands for NULL.

    A turn that the run left open ends where the run stopped: pending, or failed or cancelled with a request to come.
    """
    work, results = turns.workload, turns.results
    begun = np.flatnonzero(turns.start_ps >= 0)
    start = turns.start_ps[begun]
    state = turns.state[begun].astype(np.int64)
    last = turns.last[begun]
    is_over = (state != TurnState.PENDING) & ((results.finish_ps[last] >= 0) | (results.milestone_ps[last] >= 0))
    latency = np.where(is_over, turns.latency_ps[begun], turns.stop_ps - start)
    sent = results.arrival_ps >= 0
    session = np.searchsorted(work.session_first_request, turns.first[begun], side="right") - 1
    first_turn = work.turn[work.session_first_request[:-1]]
    columns = [
        np.full(len(begun), number),
        begun,
        session,
        begun - first_turn[session],
        turns.kind[begun],
        state,
        start,
        start + latency,
        latency,
        _or_nothing(turns.ttft_ps[begun]),
        turns.tpot_ps[begun],
        _total(turns, sent)[begun],
        _total(turns, np.where(sent, work.prompt_tokens, 0))[begun],
        _total(turns, results.hit_tokens)[begun],
        _total(turns, results.emitted_tokens)[begun],
        _total(turns, results.attempts)[begun],
        *(turns.stage_ps(name)[begun] for name in turns.stage_names),
        *_met(turns, begun, is_over, budgets),
    ]
    return np.array(columns, np.int64)


def _or_nothing(column: Int64) -> Int64:
    return np.where(column < 0, NOTHING, column)


def _total(turns: Turns, column: NDArray[Any]) -> Int64:
    """Sum over the requests of each turn, [num_turns]."""
    wide = column.astype(np.int64)
    return wide if turns.is_single else np.add.reduceat(wide, turns.first)


def _met(turns: Turns, begun: Int64, is_over: NDArray[np.bool_], budgets: Sequence[Budget]) -> Iterator[Int64]:
    """Per budget 1, 0 or nothing; an open turn has missed a limit that it has already waited for."""
    waited = turns.stop_ps - turns.start_ps[begun]
    is_open = (turns.state[begun] == TurnState.PENDING) & ~is_over
    for budget in budgets:
        met = np.where(budget.met(turns)[begun], 1, 0)
        undecided = is_open if budget.turn_ps is None else is_open & (waited <= budget.turn_ps)
        meant = turns.kind[begun] == turns.kinds.index(budget.agents)
        yield np.where(meant & ~undecided, met, NOTHING)


def _fault_notes(plan: Plan) -> list[FaultNote]:
    """The scenario's faults as the feed tells them, by time, one for each lane that they strike."""
    cores = {name: built.core for name, built in plan.pipelines.items()}
    spells = spells_of(plan.scenario.faults, cores, plan.scenario.where)
    notes = [spell.note(number) for number, own in enumerate(spells.values()) for spell in own]
    return sorted(notes, key=lambda note: note.at_ps)
