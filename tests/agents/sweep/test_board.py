"""What a sweep does about workers that die of a task, without any: the cluster is a list of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from support.sweeps import small_sweep

from subsecond.agents.sweep.board import Board, ClusterError
from subsecond.agents.sweep.remote import MismatchError, remote_task
from subsecond.agents.sweep.tasks import Order, order_of
from subsecond.agents.sweep.work import do_task
from subsecond.engine.errors import InputError
from subsecond.engine.sweep.rows import Row


class KilledWorker(Exception):  # as dask calls it
    """What dask says of a task that too many workers died of."""


class FutureCancelledError(Exception):
    """What dask says when the scheduler has gone."""


class Future:
    """An answer that has come."""

    def __init__(self, answer: bytes | Exception) -> None:
        self._answer = answer

    def add_done_callback(self, told: Callable[[Future], None]) -> None:
        told(self)

    def result(self) -> bytes:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


class Client:
    """A cluster whose workers die of the runs that `is_deadly` says, or that says something else of every task."""

    status = "running"

    def __init__(self, is_deadly: Callable[[Order], bool], says: Exception | None = None) -> None:
        self._is_deadly, self._says = is_deadly, says or KilledWorker()
        self.orders: list[Order] = []

    def submit(self, task: Callable[[bytes], bytes], content: bytes, pure: bool) -> Future:
        assert not pure  # equal tasks of two clients are not one
        order = msgspec.msgpack.decode(content, type=Order)
        self.orders.append(order)
        return Future(self._says if self._is_deadly(order) else task(content))

    def cancel(self, futures: list[Future]) -> None:
        self.cancelled = len(futures)


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Order:
    return order_of(small_sweep(tmp_path_factory.mktemp("board")).manifest, 0)


def done(client: Client, *orders: Order) -> Iterator[tuple[Order, list[Row]]]:
    came: list[tuple[Order, list[Row]]] = []
    Board(client, orders, lambda order, rows: came.append((order, rows)), lambda _: None).run()
    return iter(came)


def test_a_task_comes_back_as_it_would_be_done_here(order: Order) -> None:
    ((whose, rows),) = done(Client(lambda _: False), order)
    assert whose == order
    assert rows == do_task(order)


def test_runs_of_a_task_that_workers_die_of_are_tried_one_by_one(order: Order) -> None:
    client = Client(lambda order: len(order.runs) > 1)
    ((whose, rows),) = done(client, order)
    assert whose == order
    assert rows == do_task(order)
    assert [len(tried.runs) for tried in client.orders] == [12, *[1] * 12]


def test_the_run_that_workers_die_of_fails_and_no_other(order: Order) -> None:
    deadly = order.runs[1]
    client = Client(lambda order: deadly in order.runs)
    ((_, rows),) = done(client, order)
    expected = [row for row in do_task(order) if (row.point, row.replica) != (deadly.point, deadly.replica)]
    assert [row for row in rows if row.error is None or "workers" not in row.error] != []
    (failed,) = [row for row in rows if (row.point, row.replica) == (deadly.point, deadly.replica)]
    assert failed.error is not None
    assert "every worker that tried it was lost" in failed.error
    assert [row for row in rows if row is not failed] == expected
    assert sum(tried.runs == [deadly] for tried in client.orders) == 2


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        (FutureCancelledError(), ClusterError, "the scheduler is gone"),
        (MismatchError("it has another catalog"), InputError, "a worker that came later"),
        (ModuleNotFoundError("no subsecond"), ClusterError, "ModuleNotFoundError: no subsecond"),
    ],
)
def test_what_else_goes_wrong_ends_the_sweep(order: Order, says: Exception, error: type[Exception], words: str) -> None:
    client = Client(lambda _: True, says)
    with pytest.raises(error, match=words):
        list(done(client, order, order))
    assert client.cancelled == 1


def test_a_worker_refuses_what_it_would_do_differently(order: Order) -> None:
    other = msgspec.structs.replace(order, identity=msgspec.structs.replace(order.identity, code="other"))
    with pytest.raises(MismatchError, match="other code"):
        remote_task(msgspec.msgpack.encode(other))


def test_an_order_needs_no_files(order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not Path(order.name).exists()
    assert remote_task(msgspec.msgpack.encode(order))
