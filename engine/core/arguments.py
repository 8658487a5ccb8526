"""The kernel's records in the form that it wants: arrays for machine code, objects for the interpreter.

The interpreter is several times faster on slotted objects and memory views than on arrays. This is the only module
that knows both forms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .config import MAX_PS
from .kernel import state
from .kernel.codes import NEVER
from .layout import Memory

__all__ = ["ArrayForm", "Form", "ObjectForm"]

Int64 = NDArray[np.int64]

_RECORDS = ("pools", "servers", "sessions", "entries", "nodes", "heap")
_COLUMNS = ("rows", "cost", "starts", "faults", "warm")


class Form(Protocol):
    """What the facade asks of either form."""

    def handle(self) -> Any:
        """The kernel's first argument; ask again after `set_column` and `make_room`."""

    def get(self, name: str) -> int:
        """A field of the `Global` record."""

    def put(self, name: str, value: int) -> None:
        """Set a field of the `Global` record."""

    def get_session(self, session: int, name: str) -> int:
        """A field of a session."""

    def put_session(self, session: int, name: str, value: int) -> None:
        """Set a field of a session."""

    def sessions(self, names: Sequence[str]) -> list[Int64]:
        """Copies of fields of all sessions, [num_sessions] each."""

    def fields_of(self, places: Int64, names: Sequence[str], records: str = "sessions") -> list[Int64]:
        """Copies of fields of some sessions, or of some servers, [len(places)] each."""

    def before(self, node: int) -> int:
        """The node before one in its list."""

    def set_column(self, name: str, values: Int64) -> None:
        """Replace an integer column."""

    def cool(self, start: int, stop: int) -> None:
        """Let the places `start` to `stop` of `warm` be cold."""

    def make_room(self, margin: int, journal_margin: int) -> tuple[int, int]:
        """Let events and journal grow until there is room for that many more.

        Returns:
            the number of events, and of journal items, up to which so much room is left.
        """

    def records(self, name: str, size: int | None = None, names: Sequence[str] | None = None) -> list[tuple[int, ...]]:
        """The first `size` records of an array as tuples of their fields, or of those named."""


class ArrayForm:
    """Arrays; the `Global` record holds their addresses."""

    def __init__(self, memory: Memory, faults: Int64, margin: int, journal_margin: int) -> None:
        self._state = memory.state
        self._arrays: dict[str, NDArray[Any]] = {}
        for name in _RECORDS:
            self._keep(name, getattr(memory, name))
        for name, column in (("faults", faults), *((n, getattr(memory, n)) for n in _COLUMNS if n != "faults")):
            self._keep(name, column)
        for name in ("events", "later"):
            heap = np.zeros(margin + 1024, state.dtype_of(state.Event))
            heap["at"][0] = NEVER
            self._keep(name, heap)
        self._keep("journal", np.zeros(2 * journal_margin + 1, state.dtype_of(state.LogItem)))

    def _keep(self, name: str, array: NDArray[Any]) -> None:
        self._arrays[name] = np.ascontiguousarray(array)
        self._state[name] = self._arrays[name].ctypes.data

    def handle(self) -> int:
        return int(self._state.ctypes.data)

    def get(self, name: str) -> int:
        return int(self._state[name][0])

    def put(self, name: str, value: int) -> None:
        self._state[name] = value

    def get_session(self, session: int, name: str) -> int:
        return int(self._arrays["sessions"][name][session])

    def put_session(self, session: int, name: str, value: int) -> None:
        self._arrays["sessions"][name][session] = value

    def sessions(self, names: Sequence[str]) -> list[Int64]:
        return [self._arrays["sessions"][name].astype(np.int64) for name in names]

    def fields_of(self, places: Int64, names: Sequence[str], records: str = "sessions") -> list[Int64]:
        rows = self._arrays[records]
        return [rows[name][places].astype(np.int64) for name in names]  # numpy is slow at taking whole records

    def before(self, node: int) -> int:
        return int(self._arrays["nodes"]["prev"][node])

    def cool(self, start: int, stop: int) -> None:
        self._arrays["warm"][start:stop] = 0

    def set_column(self, name: str, values: Int64) -> None:
        self._keep(name, values)

    def make_room(self, margin: int, journal_margin: int) -> tuple[int, int]:
        # The kernel is told one room for both heaps of events, so they grow together.
        while max(self.get("num_events"), self.get("num_later")) > len(self._arrays["events"]) - margin:
            for name in ("events", "later"):
                self._double(name)
        while self.get("log_size") > len(self._arrays["journal"]) - journal_margin:
            self._double("journal")
        return len(self._arrays["events"]) - margin, len(self._arrays["journal"]) - journal_margin

    def _double(self, name: str) -> None:
        self._keep(name, np.concatenate([self._arrays[name], np.zeros_like(self._arrays[name])]))

    def records(self, name: str, size: int | None = None, names: Sequence[str] | None = None) -> list[tuple[int, ...]]:
        rows = self._arrays[name][:size]
        return list((rows if names is None else rows[list(names)]).tolist())


class ObjectForm:
    """Lists of slotted objects, and memory views of integer columns."""

    def __init__(self, memory: Memory, faults: Int64) -> None:
        values = dict(zip(memory.state.dtype.names or (), memory.state.tolist()[0], strict=True))
        for name in _RECORDS:
            rows = getattr(memory, name)
            values[name] = state.objects_of(_class_of(name), rows)
        values |= {
            "events": [(NEVER, 0)],
            "later": [(NEVER, 0)],
            "journal": [],
            "warm": bytearray(memory.warm.tobytes()),
        }
        values |= {name: getattr(memory, name).data for name in ("rows", "cost", "starts")}
        values["faults"] = faults.data
        self._state = state.Global(**values)

    def handle(self) -> state.Global:
        return self._state

    def get(self, name: str) -> int:
        return int(getattr(self._state, name))

    def put(self, name: str, value: int) -> None:
        setattr(self._state, name, value)

    def get_session(self, session: int, name: str) -> int:
        return int(getattr(self._state.sessions[session], name))

    def put_session(self, session: int, name: str, value: int) -> None:
        setattr(self._state.sessions[session], name, value)

    def sessions(self, names: Sequence[str]) -> list[Int64]:
        sessions = self._state.sessions
        return [np.array([getattr(session, name) for session in sessions], np.int64) for name in names]

    def fields_of(self, places: Int64, names: Sequence[str], records: str = "sessions") -> list[Int64]:
        chosen = [getattr(self._state, records)[place] for place in places.tolist()]
        return [np.array([getattr(record, name) for record in chosen], np.int64) for name in names]

    def before(self, node: int) -> int:
        return self._state.nodes[node].prev

    def cool(self, start: int, stop: int) -> None:
        for place in range(start, stop):
            self._state.warm[place] = 0

    def set_column(self, name: str, values: Int64) -> None:
        setattr(self._state, name, values.data)

    def make_room(self, margin: int, journal_margin: int) -> tuple[int, int]:
        journal = self._state.journal
        if self._state.log_size > len(journal) - journal_margin:
            journal += [state.LogItem(0, 0, 0, 0, 0, 0, 0) for _ in range(2 * journal_margin)]
        return MAX_PS, len(journal) - journal_margin

    def records(self, name: str, size: int | None = None, names: Sequence[str] | None = None) -> list[tuple[int, ...]]:
        names = names or state.dtype_of(_class_of(name)).names or ()
        return [tuple(getattr(item, n) for n in names) for item in getattr(self._state, name)[:size]]


def _class_of(name: str) -> type:
    """The record class of the items of an array of the `Global` record."""
    return {
        "pools": state.Pool,
        "servers": state.Server,
        "sessions": state.Session,
        "entries": state.Entry,
        "nodes": state.Node,
        "heap": state.HeapItem,
        "journal": state.LogItem,
    }[name]
