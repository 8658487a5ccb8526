"""What runs on a worker of a cluster: a task from bytes to bytes, if the worker has what results depend on."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec

import msgspec

from subsecond.engine.sweep.rows import Row

from .identity import Identity, differing_traces, identity
from .tasks import Order
from .work import Shared, do_task

__all__ = ["MismatchError", "check_worker", "remote_task", "rows_from"]

_ORDER = msgspec.msgpack.Decoder(Order)
_ROWS = msgspec.msgpack.Decoder(list[Row])


class MismatchError(Exception):
    """A worker would compute something else than its client."""


def check_worker(expected: Identity, traces: dict[str, str]) -> str:
    """What is wrong with this process, in words; empty: nothing."""
    own = identity()
    if own.version != expected.version:
        return f"it has version {own.version} of Subsecond, not {expected.version}"
    if own.catalog != expected.catalog:
        return "it has another catalog: the facts that ship were changed here or there"
    if own.code != expected.code:
        return "it has other code of the same version of Subsecond"
    if different := differing_traces(traces):
        return f"these traces are missing there or differ: {', '.join(different)}"
    return ""


def remote_task(content: bytes) -> bytes:
    """Rows of a task; both as MessagePack, so that nothing depends on versions of Python.

    Raises:
        MismatchError: this process has other code, facts or traces than the client.
    """
    order = _ORDER.decode(content)
    if wrong := check_worker(order.identity, order.traces):
        raise MismatchError(wrong)
    rows = do_task(order, _shared(order.sweep), compiled=find_spec("numba") is not None)
    return msgspec.msgpack.encode(rows)


@lru_cache(maxsize=1)
def _shared(sweep: str) -> Shared:
    """What the tasks of a sweep share in this process. Names of traces are their keys: no two sweeps share it."""
    return Shared()


def rows_from(content: bytes) -> list[Row]:
    """What `remote_task` gave."""
    return _ROWS.decode(content)
