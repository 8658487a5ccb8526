"""Trace replay: recorded requests and sessions become a workload. `docs/traces.md` says how, format by format."""

from .formats import FORMATS
from .reading import read_traces
from .shipped import SAMPLE_PREFIX, sample_names, sample_path

__all__ = ["FORMATS", "SAMPLE_PREFIX", "read_traces", "sample_names", "sample_path"]
