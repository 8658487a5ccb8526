"""Tasks on the threads of this process: the compiled core lets go of the interpreter while it works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from subsecond.engine.sweep.rows import Row

from .tasks import Order
from .work import Shared, do_task

__all__ = ["Threads"]


class Threads:
    """An executor on threads, which share sessions that are drawn.

    Args:
        count: of threads.
        compiled: see `core.execution.plan_execution`.
    """

    def __init__(self, count: int, *, compiled: bool | None = None) -> None:
        self._count, self._compiled = count, compiled

    def run(self, orders: Sequence[Order], done: Callable[[Order, list[Row]], None]) -> None:
        """Do tasks; whatever goes wrong, Ctrl-C too, ends those under way within moments."""
        shared, stopping = Shared(), threading.Event()
        under_way: dict[Future[list[Row]], Order] = {}
        left = iter(orders)
        pool = ThreadPoolExecutor(min(self._count, len(orders)), thread_name_prefix="sweep")
        try:
            while True:
                while len(under_way) < 2 * self._count and (order := next(left, None)) is not None:
                    future = pool.submit(do_task, order, shared, compiled=self._compiled, is_stopping=stopping.is_set)
                    under_way[future] = order
                if not under_way:
                    return
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    done(under_way.pop(future), future.result())
        finally:
            stopping.set()
            pool.shutdown(wait=True, cancel_futures=True)
