"""Tasks on a cluster of dask.distributed, or on processes of this machine.

Workers get all they need with each task, but for files of traces; rows come back the same way, so that no file system
is shared. A worker that is lost costs what it had under way, which others do again.
"""

from __future__ import annotations

import logging
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import Any, Final

from subsecond.engine.errors import InputError
from subsecond.engine.sweep.rows import Row

from .board import Board, mismatch
from .memory import KEEPING
from .remote import check_worker
from .tasks import Order

__all__ = ["LOCAL", "LOCAL_OPTIONS", "Cluster"]

#: Stands for processes of this machine.
LOCAL = "local"
#: Processes of one thread, without limits on memory, as threads have none. There is no dashboard, but a server for one
#: is started in any case: at a port that is free.
LOCAL_OPTIONS: Final[dict[str, Any]] = {
    "threads_per_worker": 1,
    "processes": True,
    "memory_limit": 0,
    "dashboard_address": "127.0.0.1:0",
    "scheduler_kwargs": {"dashboard": False},
    "silence_logs": logging.CRITICAL,
}
#: Protocol, host and port.
_ADDRESS = re.compile(r"[a-z]+://[^/\s]+:[0-9]+")
#: Seconds that a scheduler, and its first worker, may take to answer.
_ANSWER_S = 30


class Cluster:
    """An executor on a cluster.

    Args:
        address: of the scheduler, such as `tcp://host:8786`, or `LOCAL`.
        processes: of `LOCAL`.
        say: told what a user should know while it works.

    Raises:
        InputError: the address is none.
    """

    def __init__(self, address: str, *, processes: int, say: Callable[[str], None] = lambda _: None) -> None:
        if address != LOCAL and not _ADDRESS.fullmatch(address):
            expected = f"{LOCAL}, or the address of a scheduler such as tcp://host:8786"
            raise InputError("--cluster", "", address, expected)
        self._address, self._processes, self._say = address, processes, say

    def run(self, orders: Sequence[Order], done: Callable[[Order, list[Row]], None]) -> None:
        """Do tasks.

        Raises:
            InputError: there is no such cluster, or a worker has another version, code, catalog or trace.
            ClusterError: the cluster went away.
        """
        with _quiet(), self._client(orders) as client:
            self._check_workers(client, orders[0])
            Board(client, orders, done, self._say).run()

    @contextmanager
    def _client(self, orders: Sequence[Order]) -> Iterator[Any]:
        stack = ExitStack()
        try:
            with _interrupts_later():
                if self._address == LOCAL:
                    client = self._local_client(stack, min(self._processes, len(orders)))
                else:
                    client = stack.enter_context(self._remote_client())
            yield client
        finally:
            with _without_interrupts():
                stack.close()

    def _local_client(self, stack: ExitStack, processes: int) -> Any:
        distributed = _distributed()
        with _keeping_memory():
            cluster = stack.enter_context(distributed.LocalCluster(n_workers=processes, **LOCAL_OPTIONS))
        return stack.enter_context(distributed.Client(cluster, set_as_default=False))

    def _remote_client(self) -> Any:
        try:
            return _client_class()(self._address, timeout=_ANSWER_S, set_as_default=False)
        except (OSError, ValueError, TypeError, ImportError, RuntimeError) as error:
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
                raise mismatch(worker, wrong)


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
def _without_interrupts() -> Iterator[None]:
    """Ctrl-C does nothing meanwhile: what is ending takes seconds, and impatience would leave processes behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _keeping_memory() -> Iterator[None]:
    """Processes that start meanwhile keep memory for the next array; dask would have them give it back at once."""
    import dask

    key = "distributed.nanny.pre-spawn-environ"
    with dask.config.set({key: dask.config.get(key) | KEEPING}):
        yield


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        expected = "dask.distributed: pip install 'subsecond[scale]'"
        raise InputError("--cluster", "", "no distributed", expected) from None
    return distributed


def _client_class() -> Any:
    """A client that is closed if it cannot start; else Python would wait for it when it ends."""
    distributed = _distributed()

    class Client(distributed.Client):  # type: ignore[misc, name-defined]  # known when it runs
        def start(self, **options: Any) -> None:
            try:
                super().start(**options)
            except BaseException:
                self.close()
                raise

    return Client


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
