"""Parts of plans that many runs have in common: drawn sessions and built pipelines, kept within bounds.

Both are never changed by a run, so that runs on several threads can share them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from subsecond.engine.core.config import Workload
from subsecond.engine.latency.pipelines import BuiltPipeline

__all__ = ["PlanCache"]

T = TypeVar("T")

#: Requests of all workloads that are kept; one takes about a hundred bytes.
MOST_REQUESTS = 4_000_000
#: Pipelines that are kept; one takes up to half a megabyte.
MOST_PIPELINES = 128


class _Kept(Generic[T]):
    """The things used last, up to a weight in all; what two threads ask for at the same time is made once."""

    def __init__(self, most: int, weight: Callable[[T], int]) -> None:
        self._most, self._weight = most, weight
        self._things: OrderedDict[Hashable, T] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._things:
                    self._things.move_to_end(key)
                    return self._things[key]
            try:
                thing = make()
            except BaseException:
                with self._lock:
                    self._making.pop(key, None)
                raise
            with self._lock:
                self._things[key] = thing
                self._drop_oldest()
            return thing

    def _drop_oldest(self) -> None:
        """Forget what was used longest ago; the latest is kept, however heavy."""
        total = sum(self._weight(thing) for thing in self._things.values())
        while total > self._most and len(self._things) > 1:
            key, thing = self._things.popitem(last=False)
            self._making.pop(key, None)
            total -= self._weight(thing)


class PlanCache:
    """Workloads and pipelines by what they are made from.

    Args:
        most_requests: of all workloads together; the one used last is kept in any case.
    """

    def __init__(self, most_requests: int = MOST_REQUESTS) -> None:
        self._workloads = _Kept[Workload](most_requests, lambda workload: workload.num_requests)
        self._pipelines = _Kept[BuiltPipeline](MOST_PIPELINES, lambda _: 1)

    def workload(self, key: Hashable, draw: Callable[[], Workload]) -> Workload:
        """The workload of this key, drawn if it is not at hand."""
        return self._workloads.get(key, draw)

    def pipeline(self, key: Hashable, build: Callable[[], BuiltPipeline]) -> BuiltPipeline:
        """The pipeline of this key, built if it is not at hand."""
        return self._pipelines.get(key, build)
