"""A sweep comes to the same bytes on one thread, on two, in processes, after an interruption and after a loss."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.sweeps import QUICK, bytes_of, many_tasks, perform, small_sweep

from subsecond.agents.sweep import lanes
from subsecond.agents.sweep.cluster import LOCAL_OPTIONS, Cluster
from subsecond.agents.sweep.sweep import Executor, Sweep, run_sweep
from subsecond.agents.sweep.tasks import Order
from subsecond.agents.sweep.threads import Threads
from subsecond.engine.errors import InputError
from subsecond.engine.run import Plan
from subsecond.engine.sweep import folder
from subsecond.engine.sweep.folder import SweepFolder, task_path
from subsecond.engine.sweep.reader import read_sweep
from subsecond.engine.sweep.rows import Row


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    many_tasks(monkeypatch)
    return small_sweep(tmp_path)


@pytest.fixture
def one_thread(sweep: Sweep, tmp_path: Path) -> Path:
    """The folder that all others are to equal."""
    assert sorted(perform(sweep, tmp_path / "one", Threads(1))) == list(range(12))
    return tmp_path / "one"


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a scheduler with two workers, which come back when they are killed."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, **LOCAL_OPTIONS) as started:
        yield started.scheduler_address


class Interrupted:
    """An executor that Ctrl-C strikes after some tasks."""

    def __init__(self, inner: Executor, after: int) -> None:
        self._inner, self._left = inner, after

    def run(self, orders: Sequence[Order], done: Callable[[Order, list[Row]], None]) -> None:
        def count(order: Order, rows: list[Row]) -> None:
            done(order, rows)
            self._left -= 1
            if not self._left:
                raise KeyboardInterrupt

        self._inner.run(orders, count)


def test_two_threads_give_the_same_bytes(sweep: Sweep, one_thread: Path, tmp_path: Path) -> None:
    assert sorted(perform(sweep, tmp_path / "two", Threads(2))) == list(range(12))
    assert bytes_of(tmp_path / "two") == bytes_of(one_thread)
    assert read_sweep(tmp_path / "two").digest == read_sweep(one_thread).digest


def test_how_the_work_is_cut_changes_no_result(
    one_thread: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    whole = small_sweep(tmp_path)
    assert perform(whole, tmp_path / "whole", Threads(1)) == [0]
    assert read_sweep(tmp_path / "whole").digest == read_sweep(one_thread).digest


def test_after_an_interruption_only_the_rest_is_done(sweep: Sweep, one_thread: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    with pytest.raises(KeyboardInterrupt):
        perform(sweep, folder, Interrupted(Threads(2), 5))
    assert len(list((folder / "tasks").iterdir())) == 5
    results = read_sweep(folder)
    assert (results.runs, results.is_finished) == (5, False)
    left = folder / "tasks" / ".task-00011.parquet.1.part"
    left.write_bytes(b"half")  # as a process leaves it that is killed while it writes
    assert len(perform(sweep, folder, Threads(2))) == 7
    assert not left.exists()
    assert bytes_of(folder) == bytes_of(one_thread)
    assert perform(sweep, folder, Threads(2)) == []


def test_a_damaged_table_is_made_again(sweep: Sweep, one_thread: Path, tmp_path: Path) -> None:
    before = bytes_of(one_thread)
    path = task_path(one_thread, 4)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="task 4 of this sweep"):
        read_sweep(one_thread)
    assert perform(sweep, one_thread, Threads(1)) == [4]
    assert bytes_of(one_thread) == before


def test_a_local_cluster_gives_the_same_bytes(sweep: Sweep, one_thread: Path, tmp_path: Path) -> None:
    assert sorted(perform(sweep, tmp_path / "local", Cluster("local", processes=2))) == list(range(12))
    assert bytes_of(tmp_path / "local") == bytes_of(one_thread)


def test_workers_that_are_killed_cost_their_tasks_only(
    sweep: Sweep, one_thread: Path, tmp_path: Path, cluster: str
) -> None:
    from distributed import Client

    killed: list[int] = []
    came: list[int] = []

    class Killing(Cluster):
        def run(self, orders: Sequence[Order], done: Callable[[Order, list[Row]], None]) -> None:
            def kill_once(order: Order, rows: list[Row]) -> None:
                done(order, rows)
                came.append(order.task)
                if not killed:
                    killed.extend(workers)
                    for worker in workers:
                        os.kill(worker, signal.SIGKILL)

            super().run(orders, kill_once)

    with Client(cluster, set_as_default=False) as client:
        workers = list(client.run(os.getpid).values())
    perform(sweep, tmp_path / "killed", Killing(cluster, processes=2))
    assert len(killed) == 2
    assert sorted(came) == list(range(12))
    assert bytes_of(tmp_path / "killed") == bytes_of(one_thread)


@pytest.mark.parametrize(
    ("part", "said"), [("version", "it has version"), ("catalog", "another catalog"), ("code", "other code")]
)
def test_workers_of_another_kind_are_refused(sweep: Sweep, tmp_path: Path, cluster: str, part: str, said: str) -> None:
    other = Sweep(msgspec.structs.replace(sweep.manifest, **{part: "other"}), sweep.text, sweep.work)
    with pytest.raises(InputError, match=said):
        perform(other, tmp_path / "other", Cluster(cluster, processes=2))
    assert list((tmp_path / "other" / "tasks").iterdir()) == []


def test_a_trace_that_workers_lack_is_named(sweep: Sweep, tmp_path: Path, cluster: str) -> None:
    changed = msgspec.structs.replace(sweep.manifest, traces={"/nowhere/calls.jsonl": "0" * 32})
    with pytest.raises(InputError, match=r"traces are missing there or differ: /nowhere/calls.jsonl"):
        perform(Sweep(changed, sweep.text, sweep.work), tmp_path / "other", Cluster(cluster, processes=2))


def test_a_scheduler_that_is_not_there_is_said(sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subsecond.agents.sweep.cluster._ANSWER_S", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://x:1"):
        with pytest.raises(InputError, match="a scheduler that answers"):
            perform(sweep, tmp_path / "none", Cluster(address, processes=2))


def test_ctrl_c_while_a_cluster_ends_changes_nothing(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert threading.current_thread() is threading.main_thread()  # where Ctrl-C arrives
    ended: list[bool] = []

    class Slow:
        def __enter__(self) -> None: ...

        def __exit__(self, *error: object) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            ended.append(True)

    def start(self: Cluster, stack: ExitStack, processes: int) -> None:
        stack.enter_context(Slow())

    def interrupt(self: Cluster, client: object, order: Order) -> None:
        raise KeyboardInterrupt("the first")

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Cluster, "_local_client", start)
    monkeypatch.setattr(Cluster, "_check_workers", interrupt)
    with pytest.raises(KeyboardInterrupt, match="the first"):
        perform(sweep, tmp_path / "ending", Cluster("local", processes=2))
    assert ended == [True]
    assert signal.getsignal(signal.SIGINT) is before


def test_points_that_fail_are_rows_with_their_error(one_thread: Path) -> None:
    results = read_sweep(one_thread)
    assert results.is_finished
    failed = {(failure.point, failure.replica): failure.error for failure in results.failures}
    assert sorted(failed) == [(point, replica) for point in (4, 5) for replica in (0, 1)]
    assert all("sessions" in error and "a whole number from 1" in error for error in failed.values())
    assert [point.point for point in results.points if point.lanes] == [0, 1, 2, 3]


def test_a_crash_stops_no_other_point(sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = lanes.lane_turns

    def crash(plan: Plan, name: str, **how: Any) -> object:
        if plan.pipelines["gpu"].core.entry.num_servers == 2 and name == "gpu":
            raise MemoryError("no room")
        return plain(plan, name, **how)

    monkeypatch.setattr(lanes, "lane_turns", crash)
    perform(sweep, tmp_path / "crash", Threads(2))
    results = read_sweep(tmp_path / "crash")
    assert [(failure.point, failure.error) for failure in results.failures if failure.point < 4] == [
        (point, "MemoryError: no room") for point in (1, 1, 3, 3)
    ]
    assert [point.point for point in results.points if point.lanes] == [0, 2]


def test_a_lane_that_points_have_in_common_is_run_once(
    sweep: Sweep, one_thread: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    plain = lanes.lane_turns

    def count(plan: Plan, name: str, **how: Any) -> object:
        ran.append(name)
        return plain(plan, name, **how)

    monkeypatch.setattr(lanes, "lane_turns", count)
    perform(sweep, tmp_path / "counted", Threads(1))
    assert (ran.count("trn-cs3"), ran.count("gpu")) == (4, 8)  # of 2 numbers of sessions, 2 seeds, 2 numbers of nodes
    assert bytes_of(tmp_path / "counted") == bytes_of(one_thread)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[2, 3, 0]", "[2, 4, 0]"), "the axes (coding.sessions)"),
        (("replicas = 2", "replicas = 3"), "the seeds of the replicas"),
        (("duration_s = 20", "duration_s = 21"), "what is set at every point (duration_s)"),
        (('"playground"', '"call-center"\npipelines = ["gpu"]'), "the scenario"),
    ],
)
def test_another_sweep_does_not_go_on_in_the_folder(
    sweep: Sweep, one_thread: Path, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    before = bytes_of(one_thread)
    text = (
        QUICK.replace(*change) if "call-center" not in change[1] else QUICK.replace(*change).replace("coding", "voice")
    )
    other = small_sweep(tmp_path, text.replace('"voice.sessions" = 4\n', "") if "call-center" in text else text)
    with pytest.raises(InputError) as caught:
        SweepFolder(one_thread, other.manifest, other.text)
    assert said in str(caught.value)
    assert bytes_of(one_thread) == before


def test_a_changed_catalog_is_said(sweep: Sweep, one_thread: Path) -> None:
    other = msgspec.structs.replace(sweep.manifest, catalog="0" * 32)
    with pytest.raises(InputError, match="have changed: the catalog"):
        SweepFolder(one_thread, other, sweep.text)


def test_a_folder_of_something_else_is_left_alone(sweep: Sweep, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="a new folder"):
        SweepFolder(tmp_path / "full", sweep.manifest, sweep.text)
    assert list(bytes_of(tmp_path / "full")) == ["thesis.txt"]


def test_two_sweeps_do_not_write_to_one_folder(sweep: Sweep, tmp_path: Path) -> None:
    first = SweepFolder(tmp_path / "shared", sweep.manifest, sweep.text)
    with pytest.raises(InputError, match="another process is at work in it"):
        SweepFolder(tmp_path / "shared", sweep.manifest, sweep.text)
    first.close()
    SweepFolder(tmp_path / "shared", sweep.manifest, sweep.text).close()


def test_a_sweep_that_another_process_is_about_to_begin_is_told_so(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, tried = folder._write, []

    def late(path: Path, content: bytes) -> None:
        if not tried:
            tried.append(path)
            with pytest.raises(InputError, match="another process is at work in it"):
                SweepFolder(tmp_path / "shared", sweep.manifest, sweep.text)
        plain(path, content)

    monkeypatch.setattr(folder, "_write", late)
    SweepFolder(tmp_path / "shared", sweep.manifest, sweep.text).close()
    assert tried


def test_a_sweep_that_was_killed_as_it_began_can_begin_again(sweep: Sweep, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    SweepFolder(begun, sweep.manifest, sweep.text).close()
    whole = bytes_of(begun)
    (begun / "sweep.toml").unlink()
    SweepFolder(begun, sweep.manifest, sweep.text).close()
    assert bytes_of(begun) == whole
    for path in (begun / "sweep.toml", begun / "manifest.json"):
        path.unlink()
    (begun / ".manifest.json.1.part").write_text("{")
    SweepFolder(begun, sweep.manifest, sweep.text).close()
    assert bytes_of(begun) == whole


def test_a_folder_of_results_without_a_manifest_is_left_alone(one_thread: Path, sweep: Sweep) -> None:
    (one_thread / "manifest.json").unlink()
    before = bytes_of(one_thread)
    with pytest.raises(InputError, match="a new folder"):
        SweepFolder(one_thread, sweep.manifest, sweep.text)
    (one_thread / "sweep.toml").unlink()
    with pytest.raises(InputError, match="a new folder"):
        SweepFolder(one_thread, sweep.manifest, sweep.text)
    del before["sweep.toml"]
    assert bytes_of(one_thread) == before


def test_progress_counts_runs(sweep: Sweep, tmp_path: Path) -> None:
    told: list[tuple[int | None, int]] = []
    folder = SweepFolder(tmp_path / "told", sweep.manifest, sweep.text)
    run_sweep(sweep, folder, Threads(1), lambda task, rows, done: told.append((task, done)))
    folder.close()
    assert [done for _, done in told] == list(range(13))
    assert told[0] == (None, 0)
    assert sorted(task for task, _ in told[1:] if task is not None) == list(range(12))
