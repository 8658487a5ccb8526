"""Small sweeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from subsecond.agents.sweep import tasks
from subsecond.agents.sweep.spec import load_spec
from subsecond.agents.sweep.sweep import Executor, Sweep, fixed_sweep, run_sweep
from subsecond.engine.sweep.folder import SweepFolder

__all__ = ["QUICK", "bytes_of", "many_tasks", "perform", "small_sweep", "swept"]

#: Twelve runs of a third of a minute each; one of the points cannot be run.
QUICK = """
title = "small"
scenario = "playground"
replicas = 2
[set]
duration_s = 20
"voice.sessions" = 4
[grid]
"coding.sessions" = [2, 3, 0]
"gpu.replicas" = [1, 2]
"""


def small_sweep(folder: Path, text: str = QUICK, settings: tuple[str, ...] = ()) -> Sweep:
    """A sweep from its text."""
    path = folder / "small.toml"
    path.write_text(text)
    return fixed_sweep(load_spec(str(path)), settings)


def many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small sweep be cut into a task per run."""
    monkeypatch.setattr(tasks, "_LEAST", 1.0)
    monkeypatch.setattr(tasks, "_MOST", 1.0)


def perform(sweep: Sweep, folder: Path, executor: Executor) -> list[int]:
    """Run a sweep, or what is left of it; the tasks that were done, in the order in which they came."""
    done: list[int] = []
    opened = SweepFolder(folder, sweep.manifest, sweep.text)
    try:
        run_sweep(sweep, opened, executor, lambda task, rows, runs: done.append(task) if task is not None else None)
    finally:
        opened.close()
    return done


def swept(tmp_path: Path, executor: Executor, text: str = QUICK) -> Path:
    """The folder of a small sweep that has been run."""
    folder = tmp_path / "results"
    perform(small_sweep(tmp_path, text), folder, executor)
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file of a sweep's folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
