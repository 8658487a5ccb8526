"""What of a recording is exported, as tables: names instead of places, a unit in the name of every quantity.

Values are those of the recording's SQLite tables, with NULL as None; rows come in the order of writing and in chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from operator import index
from typing import Any, Final, Literal

import msgspec

from subsecond.engine.errors import InputError
from subsecond.engine.feed import Hello
from subsecond.engine.recording.opening import reading
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.schema import FIXED_COLUMNS, met_columns, quoted, stage_columns

__all__ = ["TABLES", "Chunk", "Column", "Kind", "Table", "Window", "chunks", "table_of"]

Kind = Literal["int", "float", "text", "bool", "json"]
#: Columns of some rows; each is a list with one value per row.
Chunk = list[list[Any]]

#: Rows read at a time: what bounds the memory.
ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, the SQL that gives it, and what it holds; `json` is JSON as text."""

    name: str
    sql: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be exported.

    Attributes:
        source: what follows FROM.
        at: SQL of the instant of a row, for a window; empty: it has none.
        lane: SQL of the name of its lane, to choose one; empty: it has none.
        order: what follows ORDER BY.
        stored_as: the recording's table, if it is called otherwise.
    """

    name: str
    columns: tuple[Column, ...]
    source: str
    at: str = ""
    lane: str = ""
    order: str = "t.seq"
    stored_as: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows: those of a lane (None: all), with `since_ps < at <= until_ps`."""

    lane: str | None = None
    since_ps: int | None = None
    until_ps: int | None = None


_LANE: Final = "LEFT JOIN lanes ON lanes.lane = t.lane"


def _own(kind: Kind, *names: str) -> tuple[Column, ...]:
    """Columns that are called in the recording as they are here."""
    return tuple(Column(name, f"t.{name}", kind) for name in names)


_MOMENT: Final = _own("int", "seq", "at_ps")
_LANE_NAME: Final = Column("lane", "lanes.name", "text")
#: What the JSON of a server's gauges holds, in order.
_GAUGE_FIELDS: Final = (
    "up",
    "queued",
    "batch",
    "used_tokens",
    "retained_tokens",
    "busy_ps",
    "preemptions",
    "evictions",
    "flows",
    "received_tokens",
    "prefill_tokens",
    "hit_tokens",
)


def _turns(hello: Hello) -> Table:
    joins = f"turns AS t {_LANE} LEFT JOIN agents ON agents.agent = t.agent LEFT JOIN states ON states.state = t.state"
    named = {"lane": "lanes.name", "agent": "agents.name", "state": "states.name"}
    fixed = [
        Column(name, named[name], "text") if name in named else Column(name, f"t.{name}", "int")
        for name in FIXED_COLUMNS
    ]
    stages = [Column(column, f"t.{quoted(column)}", "int") for column in stage_columns(hello)]
    met = [
        Column(f"met {budget.name}", f"t.{quoted(column)}", "bool")
        for column, budget in zip(met_columns(hello), hello.budgets, strict=True)
    ]
    return Table("turns", _unique([*fixed, *stages, *met]), joins, "t.end_ps", "lanes.name")


def _unique(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns, with a number behind a name that another has already: two kinds' budgets may be called the same."""
    found: dict[str, Column] = {}
    for column in columns:
        names = (f"{column.name} {number}" if number > 1 else column.name for number in count(1))
        name = next(name for name in names if name not in found)
        found[name] = Column(name, column.sql, column.kind)
    return tuple(found.values())


def _gauges() -> Table:
    columns = (*_MOMENT, _LANE_NAME, *_own("int", "open_turns", "flows"), *_own("json", "faults"))
    return Table("gauges", columns, f"gauges AS t {_LANE}", "t.at_ps", "lanes.name")


def _server_gauges() -> Table:
    """A row per moment and server."""
    fields = [
        Column(name, f"json_extract(s.value, '$[{place}]')", "int" if place else "bool")
        for place, name in enumerate(_GAUGE_FIELDS)
    ]
    source = (
        f"gauges AS t, json_each(t.servers) AS s {_LANE}"
        " LEFT JOIN servers ON servers.lane = t.lane AND servers.server = s.key"
    )
    columns = (*_MOMENT, _LANE_NAME, Column("server", "servers.name", "text"), *fields)
    return Table("server_gauges", columns, source, "t.at_ps", "lanes.name", "t.seq, s.key", stored_as="gauges")


def _clocks() -> Table:
    spans = _own("float", "late_p50_ms", "late_p99_ms")
    columns = (*_MOMENT, *_own("float", "wall_s", "speed"), *_own("bool", "paused"), *spans)
    return Table("clocks", columns, "clocks AS t", "t.at_ps")


def _loads() -> Table:
    """A row per moment and agent kind."""
    kinds: dict[str, Kind] = {"sessions": "int", "wanted": "int", "arrivals_per_s": "float"}
    fields = [
        Column(name, f"json_extract(t.{name}, '$[' || agents.agent || ']')", kind) for name, kind in kinds.items()
    ]
    columns = (*_MOMENT, Column("agent", "agents.name", "text"), *fields)
    return Table("loads", columns, "loads AS t, agents", "t.at_ps", order="t.seq, agents.agent")


def _faults() -> Table:
    what = (*_own("text", "kind"), *_own("int", "target"), *_own("float", "value"), *_own("int", "until_ps"))
    return Table("faults", (*_MOMENT, _LANE_NAME, *what), f"faults AS t {_LANE}", "t.at_ps", "lanes.name")


def _knobs() -> Table:
    columns = (*_MOMENT, *_own("text", "lane", "key"), *_own("json", "value"))
    return Table("knobs", columns, "knobs AS t", "t.at_ps", "t.lane")


def _notices() -> Table:
    columns = (*_MOMENT, *_own("text", "level", "text"), *_own("int", "dropped"))
    return Table("notices", columns, "notices AS t", "t.at_ps")


def _annotations() -> Table:
    return Table("annotations", (*_MOMENT, *_own("text", "text")), "annotations AS t", "t.at_ps")


def _contents() -> Table:
    columns = (*_MOMENT, _LANE_NAME, *_own("int", "turn"), *_own("text", "role", "text"))
    return Table("contents", columns, f"contents AS t {_LANE}", "t.at_ps", "lanes.name")


def _outside_agents() -> Table:
    columns = (
        *_MOMENT,
        *_own("int", "agent"),
        *_own("text", "name", "protocol", "address"),
        Column("kind", "agents.name", "text"),
        _LANE_NAME,
        *_own("bool", "is_connected"),
        *_own("int", "since_ps"),
        *_own("json", "sessions"),
        *_own("int", "turns", "missed", "open_requests"),
        *_own("text", "stage"),
        *_own("int", "bytes_in", "bytes_out", "errors"),
        *_own("text", "last_error"),
        *_own("float", "lag_ms"),
    )
    source = f"outside_agents AS t {_LANE} LEFT JOIN agents ON agents.agent = t.kind"
    return Table("outside_agents", columns, source, "t.at_ps", "lanes.name")


def _parameters() -> Table:
    columns = (_LANE_NAME, *_own("text", "key", "value", "unit", "provenance", "source"))
    return Table("parameters", columns, f"parameters AS t {_LANE}", lane="lanes.name", order="t.lane, t.key")


_MAKERS: Final[dict[str, Callable[[], Table]]] = {
    "gauges": _gauges,
    "server_gauges": _server_gauges,
    "clocks": _clocks,
    "loads": _loads,
    "faults": _faults,
    "knobs": _knobs,
    "notices": _notices,
    "annotations": _annotations,
    "contents": _contents,
    "outside_agents": _outside_agents,
    "parameters": _parameters,
}
#: Names of the tables.
TABLES: Final = ("turns", *_MAKERS)


def table_of(name: str, hello: Hello) -> Table:
    """A table by its name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in TABLES:
        raise InputError("--table", "", name, "one of " + ", ".join(TABLES))
    return _turns(hello) if name == "turns" else _MAKERS[name]()


def chunks(recording: Recording, table: Table, window: Window, rows: int = ROWS) -> Iterator[Chunk]:
    """The columns of a table's rows, some rows at a time.

    A recording from before there was such a table has no rows; a column that it lacks is NULL.

    Raises:
        InputError: the recording turns out to be damaged, or has no such lane, or the table has no lanes or instants
            to choose from.
    """
    there = recording.columns(table.stored_as or table.name)
    clauses, values = _where(recording, table, window)
    if not there:
        return iter(())
    wanted = ", ".join(column.sql if _is_there(column, there) else "NULL" for column in table.columns)
    query = f"SELECT {wanted} FROM {table.source}{clauses} ORDER BY {table.order}"
    return _read(recording, table, query, values, rows)


def _read(recording: Recording, table: Table, query: str, values: list[object], rows: int) -> Iterator[Chunk]:
    for part in recording.select(query, *values, rows=rows):
        with reading(recording.path):
            yield [
                _checked(column, list(cells))
                for column, cells in zip(table.columns, zip(*part, strict=True), strict=True)
            ]


def _is_there(column: Column, there: frozenset[str]) -> bool:
    """Whether what a column is made of is in the recording, which may be older than the column."""
    if column.sql.startswith("t."):
        return column.sql.removeprefix("t.").strip('"').replace('""', '"') in there
    return not column.sql.startswith("json_extract(t.") or column.name in there


def _where(recording: Recording, table: Table, window: Window) -> tuple[str, list[object]]:
    clauses: list[str] = []
    values: list[object] = []
    if window.lane is not None:
        names = [lane.name for lane in recording.hello().lanes]
        if not table.lane:
            raise InputError("--lane", "", window.lane, f"no lane: {table.name} are of the whole run")
        if window.lane not in names:
            raise InputError("--lane", "", window.lane, "one of " + ", ".join(names))
        clauses.append(f"{table.lane} = ?")
        values.append(window.lane)
    for option, sign, at_ps in (("--since", ">", window.since_ps), ("--until", "<=", window.until_ps)):
        if at_ps is not None:
            if not table.at:
                raise InputError(option, "", table.name, "a table whose rows have an instant")
            clauses.append(f"{table.at} {sign} ?")
            values.append(at_ps)
    return (f" WHERE {' AND '.join(clauses)}" if clauses else ""), values


_FITTING: Final[dict[Kind, frozenset[type]]] = {
    "int": frozenset({int, type(None)}),
    "float": frozenset({float, type(None)}),
    "text": frozenset({str, type(None)}),
}


def _checked(column: Column, values: list[Any]) -> list[Any]:
    """Values as a column holds them; SQLite keeps whatever it is given, and a damaged file has it.

    Raises:
        TypeError, ValueError: a value of another kind.
    """
    kind = column.kind
    if kind in _FITTING and _FITTING[kind].issuperset(map(type, values)):
        return values
    return [None if value is None else _READ[kind](value) for value in values]


def _bool(value: object) -> bool:
    if value not in (0, 1):
        raise ValueError(f"{value!r} is neither 0 nor 1")
    return bool(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _json(value: object) -> str:
    msgspec.json.decode(_text(value))
    return _text(value)


_READ: Final[dict[Kind, Callable[[Any], Any]]] = {
    "int": index,
    "float": float,
    "text": _text,
    "bool": _bool,
    "json": _json,
}
