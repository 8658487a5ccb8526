"""Tasks on a cluster of dask.distributed, or on processes of this machine.

Workers get all they need with each task, but for files of traces; rows come back the same way, so that no file system
is shared. A worker that is lost costs what it had under way, which others do again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from subsecond.engine.errors import InputError, SubsecondError
from subsecond.engine.sweep.rows import Row, failed_row

from .remote import MismatchError, check_worker, remote_task, rows_from
from .tasks import Order

__all__ = ["LOCAL", "Cluster", "ClusterError"]

#: Stands for processes of this machine.
LOCAL = "local"
#: Seconds that a scheduler, and its first worker, may take to answer.
_ANSWER_S = 30
#: Seconds between two looks at whether the cluster is still there.
_LOOK_S = 1.0
#: A run that is tried so often, each time until the scheduler gives it up with workers lost, is a failed one.
_TRIES = 2


class ClusterError(SubsecondError):
    """The cluster cannot go on; what is finished is kept."""


class Cluster:
    """An executor on a cluster.

    Args:
        address: of the scheduler, such as `tcp://host:8786`, or `LOCAL`.
        processes: of `LOCAL`.
        say: told what a user should know while it works.
    """

    def __init__(self, address: str, *, processes: int, say: Callable[[str], None] = lambda _: None) -> None:
        self._address, self._processes, self._say = address, processes, say

    def run(self, orders: Sequence[Order], done: Callable[[Order, list[Row]], None]) -> None:
        """Do tasks.

        Raises:
            InputError: there is no such cluster, or a worker has another version, code, catalog or trace.
            ClusterError: the cluster went away.
        """
        with _quiet(), self._client(orders) as client:
            self._check_workers(client, orders[0])
            _Board(client, orders, done, self._say).run()

    @contextmanager
    def _client(self, orders: Sequence[Order]) -> Iterator[Any]:
        distributed = _distributed()
        if self._address == LOCAL:
            # without limits on memory, as threads have none; without a dashboard, whose port may be in use
            with (
                _usual_allocator(),
                distributed.LocalCluster(
                    n_workers=min(self._processes, len(orders)),
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=0,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                ) as cluster,
                distributed.Client(cluster, set_as_default=False) as client,
            ):
                yield client
            return
        try:
            client = distributed.Client(self._address, timeout=_ANSWER_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise InputError("--cluster", "", self._address, f"a scheduler that answers ({error})") from None
        with client:
            yield client

    def _check_workers(self, client: Any, order: Order) -> None:
        try:
            client.wait_for_workers(1, timeout=_ANSWER_S)
        except TimeoutError:
            raise InputError("--cluster", "", self._address, "a cluster with a worker") from None
        answers = client.run(check_worker, order.identity, order.traces, on_error="return")
        for worker, answer in answers.items():
            if isinstance(answer, BaseException):
                wrong = f"it does not know Subsecond as it is here ({type(answer).__name__}: {answer})"
            else:
                wrong = answer
            if wrong:
                raise _mismatch(worker, wrong)


@contextmanager
def _usual_allocator() -> Iterator[None]:
    """Processes that start meanwhile keep memory for the next array; dask would have them give it back at once."""
    import dask

    key = "distributed.nanny.pre-spawn-environ"
    kept = {name: value for name, value in dask.config.get(key).items() if name != "MALLOC_TRIM_THRESHOLD_"}
    with dask.config.set({key: kept}):
        yield


def _mismatch(worker: str, wrong: str) -> InputError:
    return InputError("--cluster", "", worker, f"a worker with the same version, catalog and traces as here: {wrong}")


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        expected = "dask.distributed: pip install 'subsecond[scale]'"
        raise InputError("--cluster", "", "no distributed", expected) from None
    return distributed


@contextmanager
def _quiet() -> Iterator[None]:
    """Workers that come and go are reported by us, in our words."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


class _Piece:
    """A task, or one run of a task that workers were lost with."""

    def __init__(self, order: Order, task: Order, place: int, tries: int) -> None:
        self.order, self.task, self.place, self.tries = order, task, place, tries


class _Board:
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
            raise _mismatch("a worker that came later", str(error)) from None
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
        if type(error).__name__ != "KilledWorker":
            raise ClusterError(f"--cluster: {type(error).__name__}: {error}; what is finished is kept") from None
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
            raise ClusterError("--cluster: the scheduler is gone; what is finished is kept, the same command goes on")
        has_workers = bool(self._client.scheduler_info()["workers"])
        if not has_workers and not self._is_waiting:
            self._say("the cluster has no worker left: waiting for one (Ctrl-C ends, and what is finished is kept)")
        self._is_waiting = not has_workers
