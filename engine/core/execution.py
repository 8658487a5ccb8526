"""Loads the kernel, compiled or not, and says which of the two a run should use."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from .kernel.jit import COMPILED_SUFFIX

__all__ = ["Execution", "load_kernel", "plan_execution"]

_KERNEL = Path(__file__).parent / "kernel"
_PLAIN = f"{__package__}.kernel"
_LOCK = threading.Lock()

#: Requests that the interpreter simulates in about the time that compiling takes.
_WORTH_COMPILING = 60_000


@dataclass(frozen=True, slots=True)
class Execution:
    """How a run is executed; results do not depend on it.

    Attributes:
        compiled: by numba's machine code, else by the interpreter.
        notice: what a user should be told before the run starts, or empty.
    """

    compiled: bool
    notice: str = ""


def plan_execution(num_requests: int, compiled: bool | None = None) -> Execution:
    """Choose the execution for a run of `num_requests` requests, or say what the chosen one (`compiled`) brings.

    Raises:
        ValueError: compiled execution is asked for and numba is not installed.
    """
    if compiled is False:
        return Execution(False)
    if importlib.util.find_spec("numba") is None:
        if compiled:
            raise ValueError("compiled execution needs numba, which is not installed")
        return Execution(False, "numba is not installed: the simulation runs as plain Python, about 50 times slower")
    if f"{_PLAIN}{COMPILED_SUFFIX}.run" in sys.modules or _is_cached():
        return Execution(True)
    if compiled is None and num_requests < _WORTH_COMPILING:
        return Execution(False)
    return Execution(True, "compiling the simulation core, once for this installation: about half a minute")


def load_kernel(compiled: bool) -> ModuleType:
    """The module `run` of the kernel; the first compiled call of its function compiles, or loads from disk."""
    if not compiled:
        return importlib.import_module(f"{_PLAIN}.run")
    name = _PLAIN + COMPILED_SUFFIX
    with _LOCK:
        if f"{name}.run" not in sys.modules:
            _import_compiled(name)
        return sys.modules[f"{name}.run"]


def _import_compiled(name: str) -> None:
    """Import the kernel's files a second time, as package `name`.

    numba's cache does not see a change in a module that a cached function calls into. So the cache's folder is named
    by all sources; numba reads the setting while it decorates.
    """
    import numba

    spec = importlib.util.spec_from_file_location(
        name, _KERNEL / "__init__.py", submodule_search_locations=[str(_KERNEL)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    is_cached = _is_cached()
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_cache_dir())
    try:
        importlib.import_module(f"{name}.run")
        if not is_cached:
            sys.modules[f"{name}.jit"].compile_all()
    finally:
        numba.config.CACHE_DIR = before


def _is_cached() -> bool:
    """Whether the core is compiled to its end: what drives it comes last, and takes nearly all the time."""
    return any(_cache_dir().rglob("run.advance-*.nbi"))


def _cache_dir() -> Path:
    """Folder of the machine code that belongs to these sources, on this version of Python and numba.

    Equal sources in another folder have another one, since numba would not find their machine code in this one.
    """
    from importlib.metadata import version

    digest = hashlib.sha256(f"{sys.version}|{version('numba')}|{version('numpy')}|{_KERNEL.absolute()}".encode())
    for source in sorted(_KERNEL.glob("*.py")):
        digest.update(source.read_bytes())
    folder = _cache_root() / f"core-{digest.hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _cache_root() -> Path:
    """`SUBSECOND_CACHE_DIR`, or the user's cache folder; a temporary one if that cannot be written."""
    chosen = os.environ.get("SUBSECOND_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    root = Path(chosen) if chosen else Path(base) / "subsecond"
    try:
        root.mkdir(parents=True, exist_ok=True)
        if os.access(root, os.W_OK):
            return root
    except OSError:
        pass
    return Path(tempfile.gettempdir()) / f"subsecond-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
