"""What is where on a cluster: tasks go out, rows come back, and what workers were lost with is tried again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from subsecond.engine.errors import InputError, SubsecondError
from subsecond.engine.sweep.rows import Row, failed_row

from .remote import MismatchError, remote_task, rows_from
from .tasks import Order

__all__ = ["Board", "ClusterError", "mismatch"]

#: Seconds between two looks at whether the cluster is still there.
_LOOK_S = 1.0
#: A run that is tried so often, each time until the scheduler gives it up with workers lost, is a failed one.
_TRIES = 2
_GONE = "--cluster: the scheduler is gone; what is finished is kept, and the same command goes on from there"


class ClusterError(SubsecondError):
    """The cluster cannot go on; what is finished is kept."""


def mismatch(worker: str, wrong: str) -> InputError:
    """That a worker would compute something else."""
    return InputError("--cluster", "", worker, f"a worker with the same version, catalog and traces as here: {wrong}")


class _Piece:
    """A task, or one run of a task that workers were lost with."""

    def __init__(self, order: Order, task: Order, place: int, tries: int) -> None:
        self.order, self.task, self.place, self.tries = order, task, place, tries


class Board:
    """What is where: hands tasks to a cluster and puts together what comes back."""

    def __init__(
        self,
        client: Any,
        orders: Sequence[Order],
        done: Callable[[Order, list[Row]], None],
        say: Callable[[str], None],
    ) -> None:
        self._client, self._done, self._say = client, done, say
        self._orders = orders
        self._ended: SimpleQueue[Any] = SimpleQueue()
        self._under_way: dict[Any, _Piece] = {}
        self._rows: dict[int, list[list[Row] | None]] = {}
        self._is_waiting = False

    def run(self) -> None:
        """Do them all."""
        try:
            for order in self._orders:
                self._rows[order.task] = [None]
                self._submit(_Piece(order, order, 0, 1))
            while self._under_way:
                try:
                    future = self._ended.get(timeout=_LOOK_S)
                except Empty:
                    self._look()
                    continue
                self._take(future)
        finally:
            if self._under_way and self._client.status == "running":
                self._client.cancel(list(self._under_way))

    def _submit(self, piece: _Piece) -> None:
        future = self._client.submit(remote_task, msgspec.msgpack.encode(piece.order), pure=False)
        self._under_way[future] = piece
        future.add_done_callback(self._ended.put)

    def _take(self, future: Any) -> None:
        piece = self._under_way.pop(future)
        try:
            rows = rows_from(future.result())
        except MismatchError as error:
            raise mismatch("a worker that came later", str(error)) from None
        except Exception as error:  # of the cluster: a run's own errors are rows
            self._lost(piece, error)
            return
        self._put(piece, rows)

    def _put(self, piece: _Piece, rows: list[Row]) -> None:
        parts = self._rows[piece.task.task]
        parts[piece.place] = rows
        if all(part is not None for part in parts):
            del self._rows[piece.task.task]
            self._done(piece.task, [row for part in parts if part is not None for row in part])

    def _lost(self, piece: _Piece, error: Exception) -> None:
        """The scheduler has given a piece up: its runs are tried one by one, so that the others do not suffer."""
        name = type(error).__name__
        if "Cancelled" in name or self._client.status != "running":
            raise ClusterError(_GONE) from None
        if name != "KilledWorker":
            raise ClusterError(f"--cluster: {name}: {error}; what is finished is kept") from None
        runs = piece.order.runs
        if len(runs) > 1:
            self._rows[piece.task.task] = [None] * len(runs)
            for place, run in enumerate(runs):
                self._submit(_Piece(msgspec.structs.replace(piece.order, runs=[run]), piece.task, place, 1))
        elif piece.tries < _TRIES:
            self._submit(_Piece(piece.order, piece.task, piece.place, piece.tries + 1))
        else:
            why = "every worker that tried it was lost, perhaps for want of memory"
            self._put(piece, [failed_row(runs[0].point, runs[0].replica, runs[0].seed, why)])

    def _look(self) -> None:
        """Nothing has come for a while: is anybody there?"""
        if self._client.status != "running":
            raise ClusterError(_GONE)
        has_workers = bool(self._client.scheduler_info()["workers"])
        if not has_workers and not self._is_waiting:
            self._say("the cluster has no worker left: waiting for one (Ctrl-C ends, and what is finished is kept)")
        self._is_waiting = not has_workers
