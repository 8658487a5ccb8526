"""Exports: rows per second and memory by format, of a recording made on the spot.

python benchmarks/exporter.py [--turns 300000]

Every format runs in a process of its own, so that its peak of memory is its own; rows per second are over the export
alone, without the start of Python.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from recorder import hello, turn

from subsecond.engine.export.formats import FORMATS, export
from subsecond.engine.export.tables import Window
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.writer import Recorder


def record(path: Path, turns: int) -> None:
    with Recorder(path, hello()) as recorder:
        for number in range(turns):
            recorder.put(turn(number, number * 10**9 + 2 * 10**12))
            if number % 50_000 == 0:
                recorder.flush()


def measure(path: Path, kind: str, out: Path, pipe: Connection) -> None:
    import pyarrow.parquet  # noqa: F401  # its loading is no part of the export

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with Recording.open(path) as recording:
        rows = export(recording, kind, out, window=Window())
    seconds = time.perf_counter() - began
    pipe.send((rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=300_000)
    turns = parser.parse_args().turns
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.subsecond"
        record(path, turns)
        print(f"{turns:,} turns, {path.stat().st_size / 1e6:.0f} MB")
        for kind in FORMATS:
            out = Path(folder) / f"out.{kind}"
            here, there = context.Pipe()
            process = context.Process(target=measure, args=(path, kind, out, there))
            process.start()
            rows, seconds, more_kb = here.recv()
            process.join()
            size_mb = out.stat().st_size / 1e6
            print(
                f"{kind:<10} {rows / seconds:>9,.0f} rows/s  {size_mb:>6.0f} MB  {more_kb / 1024:>5.0f} MB more memory"
            )


if __name__ == "__main__":
    main()
