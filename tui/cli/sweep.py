"""`subsecond sweep`: from the file to the folder of results and the tables."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from subsecond.agents.sweep.spec import load_spec, shipped_sweeps
from subsecond.agents.sweep.sweep import Executor, Sweep, fixed_sweep, run_sweep
from subsecond.engine.core.execution import plan_execution
from subsecond.engine.errors import InputError
from subsecond.engine.findings import counted
from subsecond.engine.sweep.folder import SweepFolder, is_sweep
from subsecond.engine.sweep.manifest import Manifest
from subsecond.engine.sweep.parquet import need_pyarrow
from subsecond.engine.sweep.reader import SweepResults, read_sweep
from subsecond.engine.sweep.rows import Row

from .output import check_writable, write_json

__all__ = ["sweep_command"]

#: Exit codes: runs that failed, and Ctrl-C.
_FAILED, _INTERRUPTED = 1, 130


def sweep_command(
    *,
    sweep: str | None,
    has_list: bool,
    out: Path | None,
    threads: int | None,
    cluster: str | None,
    settings: Sequence[str],
    json_out: Path | None,
    quiet: bool,
) -> None:
    """Run a sweep, or what is left of it, and show its results; or show those in a folder.

    Raises:
        InputError: an option, the sweep or its folder cannot be used.
        SystemExit: a run failed, or Ctrl-C.
    """
    if has_list:
        _list()
        return
    if sweep is None:
        raise InputError(
            "sweep", "", "nothing", "a sweep file, the folder of one, or one of " + ", ".join(shipped_sweeps())
        )
    if json_out is not None:
        check_writable(json_out)
    need_pyarrow()
    given = Path(sweep)
    # with --out a shipped sweep is meant, even if a folder here is called like it
    is_asked_to_run = out is not None and sweep in shipped_sweeps()
    if given.is_dir() and is_sweep(given) and not is_asked_to_run:
        for option, value in (("--out", out), ("--threads", threads), ("--cluster", cluster), ("--set", settings)):
            if value:
                raise InputError(option, "", str(value), "a sweep file: of a folder the results are shown")
        folder = given
    else:
        folder = _run(sweep, out, threads, cluster, settings, quiet)
    results = read_sweep(folder)
    if json_out is not None:
        from subsecond.engine.sweep.document import document_of

        write_json(json_out, document_of(results))
    if not quiet and str(json_out) != "-":
        from .sweep_table import show_sweep

        show_sweep(results, folder)
    _end(results)


def _list() -> None:
    names = shipped_sweeps()
    for name, title in names.items():
        sys.stdout.write(f"{name:<{max(map(len, names))}}  {title}\n")


def _run(
    name: str, out: Path | None, threads: int | None, cluster: str | None, settings: Sequence[str], quiet: bool
) -> Path:
    count = _threads(threads, cluster)
    spec = load_spec(name)
    sweep = fixed_sweep(spec, settings)
    path = Path(f"{spec.name}.sweep") if out is None else out
    executor = _executor(sweep, cluster, count, quiet)
    folder = SweepFolder(path, sweep.manifest, sweep.text)
    try:
        with _progress(sweep, quiet) as tell:
            run_sweep(sweep, folder, executor, tell)
    except KeyboardInterrupt:
        done = sum(len(sweep.manifest.tasks[task]) for task in folder.finished())
        runs = counted(sweep.manifest.runs, "run")
        say(f"interrupted: {done:,} of {runs} are finished; the same command goes on from there")
        raise SystemExit(_INTERRUPTED) from None
    finally:
        folder.close()
    return path


def say(text: str) -> None:
    """Tell what is no result."""
    sys.stderr.write(f"subsecond: {text}\n")


def _threads(threads: int | None, cluster: str | None) -> int:
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cluster not in (None, "local"):
        raise InputError("--threads", "", threads, "no number: the workers of the cluster have theirs")
    return threads


def _executor(sweep: Sweep, cluster: str | None, count: int, quiet: bool) -> Executor:
    execution = plan_execution(round(sum(sweep.work)))
    if cluster in (None, "local") and execution.notice and not quiet:
        say(execution.notice)
    if cluster is None:
        from subsecond.agents.sweep.memory import keep_freed_memory
        from subsecond.agents.sweep.threads import Threads

        keep_freed_memory()
        return Threads(count, compiled=execution.compiled)
    from subsecond.agents.sweep.cluster import Cluster

    return Cluster(cluster, processes=count, say=say)


@contextmanager
def _progress(sweep: Sweep, quiet: bool) -> Iterator[Callable[[int | None, Sequence[Row], int], None]]:
    """A bar on a terminal; elsewhere one line for what is done already, if anything is."""
    if quiet or not sys.stderr.isatty():
        yield lambda task, rows, done: _resumed(sweep.manifest, task, done, quiet)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    failed = 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task("", total=sum(sweep.work))

        def tell(task: int | None, rows: Sequence[Row], done: int) -> None:
            nonlocal failed
            failed += sum(row.error is not None for row in rows)
            words = f"{done:,} of {counted(sweep.manifest.runs, 'run')}" + (f", {failed} failed" if failed else "")
            bar.update(shown, description=words)
            if task is not None:
                bar.advance(shown, sweep.work[task])
            elif done:  # what was there before says nothing about the time that is left
                bar.update(shown, total=sum(sweep.work) * (1 - done / sweep.manifest.runs))

        yield tell


def _resumed(manifest: Manifest, task: int | None, done: int, quiet: bool) -> None:
    if task is None and done and not quiet:
        say(f"{done:,} of {counted(manifest.runs, 'run')} are there already")


def _end(results: SweepResults) -> None:
    failed = len(results.failures)
    if failed:
        say(f"{failed} of {counted(results.runs, 'run')} failed")
        raise SystemExit(_FAILED)
