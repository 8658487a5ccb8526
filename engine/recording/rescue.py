"""Saves what can be read of a damaged recording into a new one.

SQLite reads every row that it can reach; where it meets damage, rows are passed over up to the next that it reaches. A
log beside the file counts up to its first damaged frame. Without the first page, or the description of the run, nothing
can be saved.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec

from subsecond.engine.errors import InputError
from subsecond.engine.feed import Hello
from subsecond.engine.turns import TurnState

from .file import part_of, publish, reason_of, remove_file
from .opening import TROUBLE
from .places import check_target, companions, writer_of
from .rows import (
    READERS,
    TABLES,
    Row,
    columns_there,
    inserts,
    read_content,
    read_knob,
    read_note,
    read_request,
    turn_of,
)
from .schema import Header, create_indices, create_tables, turn_columns

__all__ = ["Rescued", "rescue"]

#: Rows read at a time where there is no damage.
_ROWS: Final = 1000
#: Where an SQLite file has the size of its pages, and the number of them.
_SIZE_AT, _COUNT_AT = 16, 28
_LAST: Final = (1 << 63) - 1
#: What is known of a run, and what of it holds though rows are lost.
_KEYS: Final = ("hello", "scenario", "driver", "created_unix_s", "digest", "end_ps", "seed")
_KEPT_KEYS: Final = ("package_version", "catalog_digest", "folder", "reserve", "dropped_gauges", "kept")


_READ: Final[dict[str, Callable[[Row], object]]] = {
    **READERS,
    "knobs": read_knob,
    "population": read_note,
    "requests": read_request,
    "contents": read_content,
}


@dataclass(frozen=True, slots=True)
class Rescued:
    """What was saved.

    Attributes:
        rows: by table.
        gaps: places where rows were passed over.
        dropped: rows that could be read and hold what no recording holds.
    """

    path: Path
    rows: dict[str, int]
    gaps: int
    dropped: int

    @property
    def is_whole(self) -> bool:
        """Whether no damage was met."""
        return not self.gaps and not self.dropped


def rescue(path: Path, out: Path) -> Rescued:
    """Write what can be read of a recording to a new one; the damaged one stays as it is.

    Raises:
        InputError: there is nothing to save, it is being written, or the new one cannot be written.
    """
    target = check_target(out, "-o")
    if target == path.resolve():
        raise InputError("-o", "", str(out), "another file than the damaged one")
    with tempfile.TemporaryDirectory(prefix="subsecond-") as folder, closing(_opened(path, Path(folder))) as source:
        hello, meta = _description(source, path)
        part = part_of(target)
        try:
            remove_file(part)
            with closing(sqlite3.connect(part)) as connection:
                found = _Saving(source, connection, hello).save(target, meta)
            publish(part, target)
        except (sqlite3.Error, OSError) as error:
            expected = f"a file that can be written ({reason_of(error)})"
            raise InputError("-o", "", str(out), expected) from None
        finally:
            remove_file(part)
    return found


def _opened(path: Path, folder: Path) -> sqlite3.Connection:
    """A connection to a copy in a folder, made so that SQLite takes a file that is too short.

    Raises:
        InputError: it cannot be read, or SQLite makes nothing of it.
    """
    pid = writer_of(path.absolute())
    if pid is not None:
        raise InputError(str(path), "", f"a recording that process {pid} is writing", "one that is damaged")
    copy = folder / "damaged"
    try:
        shutil.copyfile(path, copy)
        with suppress(FileNotFoundError):
            shutil.copyfile(companions(path)[0], companions(copy)[0])
        _lengthen(copy)
    except OSError as error:
        raise InputError("rescue", "", str(path), f"a file that can be read ({error.strerror})") from None
    for with_log in (True, False):
        if not with_log:
            companions(copy)[0].unlink(missing_ok=True)
        connection = sqlite3.connect(copy)
        connection.text_factory = lambda data: data.decode(errors="replace")
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA writable_schema = ON")  # else a wrong number of pages is the end of it
            connection.execute("SELECT key FROM meta").fetchone()
            return connection
        connection.close()
    raise InputError(str(path), "", "a file of which SQLite makes nothing", "a recording that begins in order")


def _lengthen(copy: Path) -> None:
    """Let a file have as many pages as it says; those that are gone, or of which a part is, read as empty ones."""
    with copy.open("r+b") as file:
        head = file.read(100)
        page = int.from_bytes(head[_SIZE_AT : _SIZE_AT + 2], "big")
        page_bytes = 65536 if page == 1 else page
        file.seek(0, 2)
        size, said = file.tell(), int.from_bytes(head[_COUNT_AT : _COUNT_AT + 4], "big") * page_bytes
        if page_bytes and size > page_bytes:
            file.truncate(size - size % page_bytes)  # what is left of a page has rows whose ends would read as noughts
        most = 64 * (size + (1 << 20))  # a number that is damaged, too, shall not fill the disk
        file.truncate(min(max(size, said), most))


def _description(source: sqlite3.Connection, path: Path) -> tuple[Hello, dict[str, Any]]:
    """The run's first message, and what else is known of the run.

    Raises:
        InputError: it is lost.
    """
    meta: dict[str, Any] = {}
    for key in (*_KEYS, *_KEPT_KEYS):
        with suppress(*TROUBLE):
            row = source.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            if row is not None:
                meta[key] = row[0]
    try:
        hello: Hello = msgspec.json.decode(meta["hello"], type=Hello)
        meta["scenario"] = msgspec.json.decode(meta.get("scenario", "{}"), type=dict)
        meta["created_unix_s"] = float(meta.get("created_unix_s", 0.0))
    except TROUBLE:
        expected = "a recording whose description of the run can be read: nothing can be saved without it"
        raise InputError(str(path), "", "a damaged file", expected) from None
    return hello, meta


class _Saving:
    """Reads one damaged file into one new one."""

    def __init__(self, source: sqlite3.Connection, target: sqlite3.Connection, hello: Hello) -> None:
        self._source = source
        self._target = target
        self._hello = hello
        self._gaps = 0
        self._dropped = 0

    def save(self, path: Path, meta: dict[str, Any]) -> Rescued:
        """All tables.

        Raises:
            sqlite3.Error: the new file cannot be written.
        """
        hello = msgspec.structs.replace(self._hello, recording=str(path))
        driver, digest = str(meta.get("driver", "live")), meta.get("digest")
        create_tables(self._target, Header(hello, meta["scenario"], driver, meta["created_unix_s"]))
        statements = inserts(hello)
        rows = {table: self._table(table, statements[table]) for table in ("turns", *TABLES)}
        create_indices(self._target)
        found = Rescued(path, rows, self._gaps, self._dropped)
        with self._target:
            for key in _KEPT_KEYS:  # as it was written, not as it is here
                if key in meta:
                    self._put(key, meta[key])
            if found.is_whole and isinstance(meta.get("end_ps"), int):
                self._put("end_ps", meta["end_ps"])
                self._put("digest", digest)
        return found

    def _put(self, key: str, value: object) -> None:
        self._target.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _table(self, table: str, insert: str) -> int:
        """The rows of a table; how many there were."""
        try:
            columns = self._columns(table)
        except TROUBLE:
            self._gaps += 1
            return 0
        if not columns:
            return 0
        count = 0
        for rows in self._chunks(f"SELECT {columns} FROM {table} WHERE seq > ? ORDER BY seq LIMIT ?"):
            good = [row for row in rows if self._is_good(table, row)]
            self._dropped += len(rows) - len(good)
            with self._target:
                count += self._target.executemany(insert.replace("INSERT", "INSERT OR IGNORE", 1), good).rowcount
        return count

    def _columns(self, table: str) -> str:
        if table != "turns":
            return columns_there(self._source, table)
        there = self._source.execute("PRAGMA table_info(turns)").fetchall()
        return turn_columns(self._hello) if there else ""

    def _chunks(self, query: str) -> Iterator[list[Row]]:
        """Rows in order; what cannot be read is passed over."""
        after, limit = -1, _ROWS
        while after < _LAST:
            rows = self._read(query, after, limit)
            if rows is not None:
                if not rows:
                    return
                yield rows
                after, limit = rows[-1][0], min(2 * limit, _ROWS)
            elif limit > 1:
                limit //= 2
            else:
                self._gaps += 1
                after = self._beyond(query, after)

    def _read(self, query: str, after: int, limit: int) -> list[Row] | None:
        """Some rows after a number; None if there is damage among them."""
        try:
            rows: list[Row] = self._source.execute(query, (after, limit)).fetchall()
            numbers = [after, *(row[0] for row in rows)]
            is_ordered = all(a < b for a, b in pairwise(numbers))
        except TROUBLE:
            return None
        return rows if is_ordered else None

    def _beyond(self, query: str, after: int) -> int:
        """The first number after damage from which rows can be read again."""
        low, step = after, 1
        while (high := min(after + step, _LAST)) < _LAST and self._read(query, high, 1) is None:
            low, step = high, step + max(1, step // 4)
        while high - low > 1:
            middle = (low + high) // 2
            if self._read(query, middle, 1) is None:
                low = middle
            else:
                high = middle
        return high

    def _is_good(self, table: str, row: Row) -> bool:
        """Whether a row is one that the recorder could have written."""
        try:
            if table == "turns":
                return self._is_turn(row)
            _READ[table](row)
        except TROUBLE:
            return False
        return isinstance(row[1], int) and row[1] >= 0

    def _is_turn(self, row: Row) -> bool:
        if not all(value is None or isinstance(value, int) for value in row):
            return False
        turn = turn_of(row, len(self._hello.stages))
        is_known = turn.lane in range(len(self._hello.lanes)) and turn.agent in range(len(self._hello.agents))
        is_state = turn.state in {state.value for state in TurnState}
        if turn.state == TurnState.ANSWERED and sum(turn.stages_ps) != turn.latency_ps:
            return False
        return is_known and is_state and turn.session >= 0 and turn.end_ps == row[8] and set(turn.met) <= {-1, 0, 1}
