"""The simulation itself: one source that numba compiles and that also runs as plain Python.

Everything here is written in the subset of Python that numba knows, over records with named fields (`state`). The
facade `subsecond.engine.core.engine` loads it twice when numba is there: as this package, run by the interpreter, and
under another name, compiled (`jit`). `docs/semantics.md` is the text that these modules implement.
"""
