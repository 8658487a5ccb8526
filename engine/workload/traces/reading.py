"""`read_traces`: files of any format, sampled, scaled in time, as one workload."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from subsecond.engine.core.config import Workload
from subsecond.engine.errors import InputError

from .formats import FORMATS, format_named, format_of
from .parsed import Parsed
from .sessions import chosen, workload_of
from .shipped import SAMPLE_PREFIX, sample_path
from .source import Source
from .weka import read_weka_json

__all__ = ["read_traces"]

#: Time scales outside would stretch or press a trace beyond the clock's range or resolution.
LEAST_SCALE, MOST_SCALE = 1e-9, 1e9


def read_traces(
    paths: Sequence[Path],
    *,
    trace_format: str | None = None,
    time_scale: float = 1.0,
    sample: int | None = None,
    seed: int = 0,
) -> Workload:
    """One workload of all files; each file keeps its own contexts and prefix groups.

    Open-loop traces keep their arrivals, session traces their client's gaps (`docs/traces.md`).

    Args:
        paths: trace files; a folder of raw WEKA files; `sample:NAME` for a shipped one.
        trace_format: one of `FORMATS`; None: recognised by content, file by file.
        time_scale: factor on arrivals and gaps, not on speech; 0.5 sends everything twice as fast.
        sample: at most this many sessions (requests, where a trace has no sessions) of all files together, drawn by
            the seed; those that are left keep their order and their times.
        seed: also draws the starts of sessions whose trace has no clock.

    Raises:
        InputError: anything wrong with a file or an argument.
    """
    _check_arguments(paths, trace_format, time_scale, sample, seed)
    parsed = [_read(_resolved(path), trace_format) for path in paths]
    keep = chosen([one.num_roots for one in parsed], sample, seed)
    parts = []
    for index, kept in enumerate(keep):
        parts.append(parsed[index].sessions(kept))
        del kept
    return workload_of(parts, time_scale, seed)


def _check_arguments(
    paths: Sequence[Path], trace_format: str | None, time_scale: float, sample: int | None, seed: int
) -> None:
    if not paths:
        raise InputError("trace", "", "no file", "at least one file")
    if trace_format is not None and trace_format not in FORMATS:
        raise InputError("trace format", "", trace_format, f"one of {', '.join(FORMATS)}")
    if not math.isfinite(time_scale) or not LEAST_SCALE <= time_scale <= MOST_SCALE:
        raise InputError("time scale", "", time_scale, f"a number from {LEAST_SCALE:g} to {MOST_SCALE:g}")
    if sample is not None and sample < 1:
        raise InputError("sample", "", sample, "at least 1 session")
    if seed < 0:
        raise InputError("seed", "", seed, "a whole number >= 0")


def _resolved(path: Path) -> Path:
    text = str(path)
    return sample_path(text.removeprefix(SAMPLE_PREFIX)) if text.startswith(SAMPLE_PREFIX) else path


def _read(path: Path, trace_format: str | None) -> Parsed:
    if os.path.isdir(path):  # unlike `Path.is_dir` it has an answer for names that no file can have
        return _read_folder(path, trace_format)
    source = Source(path)
    form = format_of(source) if trace_format is None else format_named(trace_format, source)
    return form.read(source)


def _read_folder(path: Path, trace_format: str | None) -> Parsed:
    """All `*.json` and `*.json.gz` of a folder, as raw WEKA sessions."""
    files = sorted(file for file in path.iterdir() if file.name.endswith((".json", ".json.gz")))
    if not files or trace_format not in (None, "weka"):
        raise InputError(str(path), "", "a folder", "a trace file, or a folder of raw WEKA files (*.json, *.json.gz)")
    return read_weka_json(Source(file) for file in files)
