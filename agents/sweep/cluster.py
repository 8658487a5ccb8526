"""Tasks on a cluster of dask.distributed, or on processes of this machine.

Workers get all they need with each task, but for files of traces; rows come back the same way, so that no file system
is shared. A worker that is lost costs what it had under way, which others do again.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
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
_GONE = "--cluster: the scheduler is gone; what is finished is kept, and the same command goes on from there"
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
        with ExitStack() as stack:
            with _interrupts_later():
                if self._address == LOCAL:
                    client = self._local_client(stack, min(self._processes, len(orders)))
                else:
                    client = stack.enter_context(self._remote_client())
            yield client

    def _local_client(self, stack: ExitStack, processes: int) -> Any:
        distributed = _distributed()
        # without limits on memory, as threads have none; without a dashboard, whose port may be in use
        options = {"memory_limit": 0, "dashboard_address": None, "silence_logs": logging.CRITICAL}
        with _usual_allocator():
            started = distributed.LocalCluster(n_workers=processes, threads_per_worker=1, processes=True, **options)
            cluster = stack.enter_context(started)
        return stack.enter_context(distributed.Client(cluster, set_as_default=False))

    def _remote_client(self) -> Any:
        try:
            return _distributed().Client(self._address, timeout=_ANSWER_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise InputError("--cluster", "", self._address, f"a scheduler that answers ({error})") from None

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
def _interrupts_later() -> Iterator[None]:
    """Ctrl-C waits until what starts here has started, so that it can be ended; a second one does not wait.

    Processes that are started here never see it: it goes to all programs of a terminal, and theirs is ours to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = 0

    def note(number: int, frame: object) -> None:
        nonlocal came
        came += 1
        if came > 1:
            raise KeyboardInterrupt

    resource_tracker.ensure_running()  # it would lift the mask below when the first process needs it
    before = signal.signal(signal.SIGINT, note)
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if masked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


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
    """Workers that come and go are reported by us, in our words; what dask logs goes through its handlers."""
    _distributed()
    handlers = logging.getLogger("distributed").handlers
    before = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler, level in zip(handlers, before, strict=False):
            handler.setLevel(level)


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
