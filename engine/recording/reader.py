"""Reads a recording: windows of turns, the state at a moment, messages in order; also while it is being written."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from subsecond.engine.commands import SetKnob
from subsecond.engine.errors import InputError
from subsecond.engine.feed import (
    Annotation,
    Clock,
    FaultNote,
    Gauges,
    Hello,
    Load,
    Message,
    Notice,
    OutsideAgent,
    TurnEnd,
)
from subsecond.engine.run import Reserve
from subsecond.engine.script import Script

from .content import Content
from .contents import Metadata, State, TurnColumns
from .opening import check, connect, reading, remove_copy
from .rows import READERS, TABLES, Row, columns_there, read_content, read_knob, read_note, read_request, turn_of
from .schema import FIXED_COLUMNS, Origin, met_columns, quoted, turn_columns

__all__ = ["Metadata", "Recording", "State", "TurnColumns"]

Int64 = NDArray[np.int64]

_NEWEST = (1 << 63) - 1
#: Rows read at a time while messages are replayed.
_CHUNK = 2_000


class Recording:
    """An open recording, read-only. Windows of time are `since_ps < at <= until_ps`; a turn counts when it ends.

    One thread at a time may use it. Every method raises `InputError` if the file turns out to be damaged.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, copy: Path | None = None) -> None:
        """Use `open`."""
        self._connection = connection
        self._copy = copy
        self.path = path
        with reading(path):
            self._hello: Hello = msgspec.json.decode(self._meta()["hello"], type=Hello)
            self._tables = {table: columns_there(connection, table) for table in TABLES}
        self._columns = turn_columns(self._hello)
        self._num_stages = len(self._hello.stages)
        self._longest = (0, 0)  # seq up to which turns have been looked at, longest latency until there

    @classmethod
    def open(cls, path: Path | str) -> Recording:
        """Open a recording, finished or not.

        Raises:
            InputError: no such file, no recording, one of a newer format, or one that is damaged.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                head = file.read(16)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError("recording", "", str(path), f"a recording that can be read ({reason})") from None
        if not head:
            raise InputError(str(path), "", "an empty file", "a recording")
        connection, copy = connect(path)
        try:
            check(connection, path)
            return cls(connection, path, copy)
        except BaseException:
            connection.close()
            remove_copy(copy)
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        remove_copy(self._copy)

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hello(self) -> Hello:
        """The run's first message."""
        return self._hello

    def metadata(self) -> Metadata:
        """About the run; read afresh, since a run that goes on changes it."""
        meta = self._meta()
        with reading(self.path):
            return Metadata(
                format=int(self._one("PRAGMA user_version")),
                package_version=meta["package_version"],
                catalog_digest=meta["catalog_digest"],
                seed=meta["seed"],
                tables=msgspec.json.decode(meta["scenario"]),
                driver=meta["driver"],
                created_unix_s=float(meta["created_unix_s"]),
                digest=meta["digest"],
                is_finished="end_ps" in meta,
                end_ps=meta.get("end_ps"),
                dropped_gauges=meta["dropped_gauges"],
                origin=Origin(meta.get("folder", "."), msgspec.json.decode(meta.get("reserve", "{}"), type=Reserve)),
                is_kept=bool(meta.get("kept", True)),
            )

    @property
    def duration_ps(self) -> int:
        """Time of the last thing that happened so far."""
        ends = [self._one(f"SELECT max(at_ps) FROM {table}") for table in TABLES if self._tables[table]]
        ends += [self._one("SELECT max(end_ps) FROM turns"), self.metadata().end_ps]
        with reading(self.path):
            return max((int(end) for end in ends if end is not None), default=0)

    @property
    def num_turns(self) -> int:
        """Turns that have ended, on all lanes."""
        return int(self._one("SELECT count(*) FROM turns WHERE state > 0"))

    def turn_ends(
        self,
        lane: int | None = None,
        since_ps: int | None = None,
        until_ps: int | None = None,
        *,
        last: int | None = None,
        with_pending: bool = False,
    ) -> list[TurnEnd]:
        """Turns of a window by their end, as messages.

        Args:
            lane: None: all lanes.
            last: at most so many, the last ones of the window.
            with_pending: also those that a run in virtual time left open when it stopped (state 0); they stand at its
                end.
        """
        return self._ends(self._window(lane, since_ps, until_ps, last, with_pending))

    def turns(
        self,
        lane: int | None = None,
        since_ps: int | None = None,
        until_ps: int | None = None,
        *,
        last: int | None = None,
        with_pending: bool = False,
    ) -> TurnColumns:
        """The same turns as columns."""
        rows = self._window(lane, since_ps, until_ps, last, with_pending)
        width = len(FIXED_COLUMNS) + self._num_stages + len(self._hello.budgets)
        table = np.empty((width, len(rows)), np.int64)
        with reading(self.path):
            for i, column in enumerate(zip(*rows, strict=True)):
                table[i] = column if None not in column else [-1 if value is None else value for value in column]
        names = ["index" if name == "turn_index" else name for name in FIXED_COLUMNS]
        columns = dict(zip(names, table, strict=False))
        del columns["seq"]
        stages_ps, met = np.split(table[len(names) :], [self._num_stages])
        return TurnColumns(**columns, stages_ps=stages_ps.T, met=met.T)

    def extremes(self, columns: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Least and greatest value of columns of `turns`; 0 for one without any."""
        chosen = ", ".join(f"coalesce(min({quoted(name)}), 0), coalesce(max({quoted(name)}), 0)" for name in columns)
        (row,) = self._rows(f"SELECT {chosen} FROM turns") if columns else [()]
        with reading(self.path):
            return {name: (int(row[2 * i]), int(row[2 * i + 1])) for i, name in enumerate(columns)}

    def numbers(self, columns: Sequence[str], lane: int, since_ps: int = 0, until_ps: int | None = None) -> Int64:
        """Columns of `turns` alone, of turns that began in a window: for long runs, of which all turns are wanted.

        Returns:
            [columns, turns] in the order of writing, -1 for what does not exist; open turns (state 0) too.
        """
        window = "lane = ? AND start_ps >= ? AND start_ps <= ?"
        values = (lane, since_ps, _NEWEST if until_ps is None else until_ps)
        count = int(self._rows(f"SELECT count(*) FROM turns WHERE {window}", *values)[0][0])
        chosen = ", ".join(f"coalesce({quoted(name)}, -1)" for name in columns)
        query = f"SELECT {chosen} FROM turns WHERE {window} ORDER BY seq LIMIT {count}"
        with reading(self.path):
            rows = self._connection.execute(query, values)
            flat = np.fromiter(chain.from_iterable(rows), np.int64, count * len(columns))
        return np.ascontiguousarray(flat.reshape(count, len(columns)).T)

    def turn(self, turn: int) -> list[TurnEnd]:
        """One turn on every lane that has it, by lane."""
        return self._ends(self._rows(f"SELECT {self._columns} FROM turns WHERE turn = ? ORDER BY lane", turn))

    def session(self, session: int, lane: int | None = None, until_ps: int | None = None) -> list[TurnEnd]:
        """Turns of a session that ended at or before a moment, in the session's order."""
        clause, values = ("", ()) if lane is None else (" AND lane = ?", (lane,))
        query = f"SELECT {self._columns} FROM turns WHERE session = ? AND end_ps <= ?{clause} ORDER BY turn_index, lane"
        return self._ends(self._rows(query, session, _NEWEST if until_ps is None else until_ps, *values))

    def open_at(self, at_ps: int) -> list[TurnEnd]:
        """Turns that were under way at a moment and have ended since, by their end; what they came to is known."""
        longest = self._longest_ps()
        query = (
            f"SELECT {self._columns} FROM turns WHERE end_ps > ? AND end_ps <= ? AND start_ps <= ? ORDER BY end_ps, seq"
        )
        return self._ends(self._rows(query, at_ps, min(at_ps + longest, _NEWEST), at_ps))

    def gauges_at(self, at_ps: int) -> dict[int, Gauges]:
        """The latest gauges of each lane at or before a moment."""
        lanes = range(len(self._hello.lanes))
        found = {lane: self._latest("gauges", at_ps, "lane = ? AND", lane) for lane in lanes}
        return {lane: gauges for lane, gauges in found.items() if isinstance(gauges, Gauges)}

    def faults(self, until_ps: int | None = None) -> list[FaultNote]:
        """Faults set at or before a moment, by time; one that was mended early has the end that it came to have."""
        notes = [m for _, _, m in self._messages("faults", -1, until_ps) if isinstance(m, FaultNote)]
        # what is told again of a fault is told later, so that the last note of each holds
        return list({(m.at_ps, m.lane, m.kind, m.target, m.value): m for m in notes}.values())

    @property
    def has_outside_agents(self) -> bool:
        """Whether an agent from outside was ever connected."""
        return bool(self._tables["outside_agents"] and self._one("SELECT count(*) FROM outside_agents"))

    def script(self) -> Script:
        """What a live run did beside what its scenario says."""
        notes = self._ordered("population")
        requests = self._ordered("requests")
        with reading(self.path):
            return Script(tuple(map(read_note, notes)), tuple(map(read_request, requests)))

    def _ordered(self, table: str) -> list[Row]:
        columns = self._tables[table]
        return self._rows(f"SELECT {columns} FROM {table} ORDER BY at_ps, seq") if columns else []

    def annotations(self, until_ps: int | None = None) -> list[Annotation]:
        """What was written down about instants up to a moment, by these."""
        return [m for _, _, m in self._messages("annotations", -1, until_ps) if isinstance(m, Annotation)]

    def notices(self) -> list[Notice]:
        """What people were to read, in order."""
        return [m for _, _, m in self._messages("notices", -1, None) if isinstance(m, Notice)]

    def outside_agents(self) -> list[OutsideAgent]:
        """The latest about every agent that was connected from outside, by its number."""
        query = "SELECT max(seq) FROM outside_agents WHERE at_ps > ? GROUP BY agent"
        found = [m for _, _, m in self._chosen("outside_agents", query, -1) if isinstance(m, OutsideAgent)]
        return sorted(found, key=lambda agent: agent.agent)

    def contents(self) -> Iterator[Content]:
        """What agents from outside said and were answered, in order, if that was recorded."""
        if self._tables["contents"]:
            for rows in self.select(f"SELECT {self._tables['contents']} FROM contents ORDER BY seq"):
                with reading(self.path):
                    found = list(map(read_content, rows))
                yield from found

    @property
    def num_contents(self) -> int:
        """How many such texts there are."""
        return int(self._one("SELECT count(*) FROM contents")) if self._tables["contents"] else 0

    def knobs(self, until_ps: int | None = None) -> list[tuple[int, SetKnob]]:
        """Parameters changed at or before a moment, with the time in ps."""
        query = f"SELECT {self._tables['knobs']} FROM knobs WHERE at_ps <= ? ORDER BY at_ps, seq"
        rows = self._rows(query, _NEWEST if until_ps is None else until_ps)
        with reading(self.path):
            return [(row[1], read_knob(row)) for row in rows]

    def state_at(self, at_ps: int) -> State:
        """Everything but turns that was known at a moment."""
        clock, load = self._latest("clocks", at_ps), self._latest("loads", at_ps)
        return State(
            at_ps=at_ps,
            clock=clock if isinstance(clock, Clock) else None,
            load=load if isinstance(load, Load) else None,
            gauges=self.gauges_at(at_ps),
            faults=tuple(f for f in self.faults(at_ps) if f.until_ps is None or f.until_ps > at_ps),
            knobs=tuple(self.knobs(at_ps)),
        )

    def messages(self, since_ps: int | None = None, until_ps: int | None = None) -> Iterator[Message]:
        """Everything that was told in a window, by time, then in the order of writing; the first message left out.

        A turn comes at the moment of its end. Rows are read as they are asked for, so that a window may be long.
        """
        since = -1 if since_ps is None else since_ps
        streams = [self._messages(table, since, until_ps) for table in ("turns", *READERS)]
        for _, _, message in heapq.merge(*streams, key=lambda item: item[:2]):
            yield message

    def within_budgets(self) -> list[tuple[int, int]]:
        """By lane, answered turns that met every budget that they have, and all turns that have ended."""
        met = "".join(f" AND coalesce({column}, 1)" for column in met_columns(self._hello))
        rows = self._rows(f"SELECT lane, sum(state = 1{met}), count(*) FROM turns WHERE state > 0 GROUP BY lane")
        with reading(self.path):
            counts = {int(lane): (int(good), int(turns)) for lane, good, turns in rows}
        return [counts.get(lane, (0, 0)) for lane in range(len(self._hello.lanes))]

    def turns_by_second(self, since_seq: int = 0) -> tuple[Int64, int]:
        """Turns that have ended, counted by the second of their end.

        Args:
            since_seq: turns up to this number, which an earlier call gave, are left out.

        Returns:
            Rows of second, turns, turns that failed or missed a budget, [seconds, 3]; and the number of the last turn.
        """
        missed = " OR ".join(["state = 2", *(f"{column} = 0" for column in met_columns(self._hello))])
        query = (
            f"SELECT end_ps / {10**12} AS second, count(*), sum(coalesce({missed}, 0)), max(seq) FROM turns"
            " WHERE seq > ? AND state > 0 GROUP BY second"
        )
        rows = self._rows(query, since_seq)
        with reading(self.path):
            counts = np.array([row[:3] for row in rows], np.int64).reshape(len(rows), 3)
            if len(counts) and counts.min() < 0:
                raise ValueError("a turn that ended before the start")
            return counts, max((int(row[3]) for row in rows), default=since_seq)

    def told(self, since_ps: int, until_ps: int, *, gauges_ps: int) -> Iterator[Message]:
        """What a picture of a moment is made of, as `messages` gives it: everything of a window, but
        no clocks. Of loads and of each agent from outside the latest is given, of gauges the last of each
        lane and second, and none that is older than `gauges_ps` at the window's end.
        """
        streams = [self._messages(table, since_ps, until_ps) for table in ("turns", "faults", "notices", "annotations")]
        load = "SELECT max(seq) FROM loads WHERE at_ps > ? AND at_ps <= ?"
        streams.append(self._chosen("loads", load, since_ps, until_ps))
        gauges = (
            "SELECT max(seq) FROM gauges WHERE at_ps > ? AND at_ps <= ? GROUP BY lane, at_ps / 1000000000000"  # seconds
        )
        streams.append(self._chosen("gauges", gauges, max(since_ps, until_ps - gauges_ps), until_ps))
        agents = "SELECT max(seq) FROM outside_agents WHERE at_ps > ? AND at_ps <= ? GROUP BY agent"
        streams.append(self._chosen("outside_agents", agents, since_ps, until_ps))
        for _, _, message in heapq.merge(*streams, key=lambda item: item[:2]):
            yield message

    def columns(self, table: str) -> frozenset[str]:
        """The columns of a table; none if a file is from before there was such a table."""
        return frozenset(name for _, name, *_ in self._rows(f"PRAGMA table_info({table})"))

    def select(self, query: str, *values: object, rows: int = _CHUNK) -> Iterator[list[Row]]:
        """What a query gives, some rows at a time; a writer goes on meanwhile, and what it adds is not seen."""
        with reading(self.path):
            cursor = self._connection.execute(query, values)
        while True:
            with reading(self.path):
                found = cursor.fetchmany(rows)
            if not found:
                return
            yield found

    def _chosen(self, table: str, choice: str, *values: int) -> Iterator[tuple[int, int, Message]]:
        """As `_messages`, for the rows whose `seq` a query chooses."""
        if not self._tables[table]:
            return
        rows = self._rows(
            f"SELECT {self._tables[table]} FROM {table} WHERE seq IN ({choice}) ORDER BY at_ps, seq", *values
        )
        for row in rows:
            with reading(self.path):
                message = READERS[table](row)
            yield row[1], row[0], message

    def _messages(self, table: str, since_ps: int, until_ps: int | None) -> Iterator[tuple[int, int, Message]]:
        """(time, seq, message) of a table in order, in chunks: each is a short look at a file that may be written."""
        is_turns = table == "turns"
        columns, at = (self._columns, "end_ps") if is_turns else (self._tables[table], "at_ps")
        if not columns:  # a recording from before there was such a table
            return
        ended = "state > 0 AND " if is_turns else ""
        query = (
            f"SELECT {columns} FROM {table} WHERE {ended}({at}, seq) > (?, ?) AND {at} <= ? ORDER BY {at}, seq LIMIT ?"
        )
        until = _NEWEST if until_ps is None else until_ps
        place = 8 if is_turns else 1
        after = (since_ps, _NEWEST)
        while True:
            rows = self._rows(query, *after, until, _CHUNK)
            with reading(self.path):
                found = [turn_of(row, self._num_stages) if is_turns else READERS[table](row) for row in rows]
            for row, message in zip(rows, found, strict=True):
                yield row[place], row[0], message
            if len(rows) < _CHUNK:
                return
            after = (rows[-1][place], rows[-1][0])

    def _window(
        self, lane: int | None, since_ps: int | None, until_ps: int | None, last: int | None, with_pending: bool
    ) -> list[Row]:
        clauses, values = ["end_ps > ?", "end_ps <= ?"], [-1, _NEWEST]
        if since_ps is not None:
            values[0] = since_ps
        if until_ps is not None:
            values[1] = until_ps
        if lane is not None:
            clauses.append("+lane = ?")
            values.append(lane)
        if not with_pending:
            clauses.append("+state > 0")
        query = f"SELECT {self._columns} FROM turns WHERE {' AND '.join(clauses)} ORDER BY end_ps"
        if last is None:
            return self._rows(f"{query}, seq", *values)
        return self._rows(f"{query} DESC, seq DESC LIMIT ?", *values, last)[::-1]

    def _meta(self) -> dict[str, Any]:
        return dict(self._rows("SELECT key, value FROM meta"))

    def _latest(self, table: str, at_ps: int, clause: str = "", *values: int) -> Message | None:
        query = (
            f"SELECT {self._tables[table]} FROM {table} WHERE {clause} at_ps <= ? ORDER BY at_ps DESC, seq DESC LIMIT 1"
        )
        rows = self._rows(query, *values, at_ps)
        with reading(self.path):
            return READERS[table](rows[0]) if rows else None

    def _longest_ps(self) -> int:
        """Longest latency so far; of what has been written since it was last asked for only the new rows are read."""
        seq, longest = self._longest
        newest, more = self._rows("SELECT max(seq), max(latency_ps) FROM turns WHERE seq > ?", seq)[0]
        if newest is not None:
            with reading(self.path):
                self._longest = (newest, max(longest, int(more)))
        return self._longest[1]

    def _ends(self, rows: Sequence[Row]) -> list[TurnEnd]:
        with reading(self.path):
            return [turn_of(row, self._num_stages) for row in rows]

    def _one(self, query: str) -> Any:
        rows = self._rows(query)
        return rows[0][0] if rows else None

    def _rows(self, query: str, *values: object) -> list[Row]:
        with reading(self.path):
            return self._connection.execute(query, values).fetchall()
