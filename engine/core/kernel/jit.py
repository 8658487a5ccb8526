"""Chooses how the kernel's functions run: compiled, or by the interpreter.

The same files are loaded under two package names. Under the name that ends in `COMPILED_SUFFIX` the decorators are
numba's, otherwise they leave the function as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from .state import Global

__all__ = ["COMPILED", "COMPILED_SUFFIX", "compile_all", "entry_point", "kernel", "state_at"]

COMPILED_SUFFIX = "_compiled"
COMPILED = __package__.endswith(COMPILED_SUFFIX)

_KERNEL_FUNCTIONS: list[tuple[Callable[..., Any], Any]] = []

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """A function that only other kernel functions call."""
    return _jit(function, cache=False)


def entry_point(function: F) -> F:
    """A function that the facade calls; its machine code, with all it calls, is kept on disk."""
    return _jit(function, cache=True)


def _jit(function: F, *, cache: bool) -> F:
    if not COMPILED:
        return function
    import numba

    # The kernel makes no arrays, so nothing need count references (`_nrt`), and it never divides by zero
    # (`error_model`). Only entry points are called from Python and need a wrapper for that.
    dispatcher = numba.njit(
        nogil=True,
        cache=cache,
        error_model="numpy",
        _nrt=False,
        no_cpython_wrapper=not cache,
        no_cfunc_wrapper=True,
    )(function)
    if not cache:
        _KERNEL_FUNCTIONS.append((function, dispatcher))
    return dispatcher  # type: ignore[no-any-return]  # numba ships no types


def compile_all() -> None:
    """Compile every kernel function for the types of its annotations.

    Left to itself numba would compile a function once for every mixture of 32-bit and 64-bit arguments it meets.
    Functions come in the order of their definition, so callees before callers.
    """
    from .binding import signature_of

    for function, dispatcher in _KERNEL_FUNCTIONS:
        dispatcher.compile(signature_of(function))
        dispatcher.disable_compile()


if COMPILED:
    from .binding import state_at
else:

    def state_at(address: int | Global) -> Global:
        """The state that an entry point is given."""
        return cast("Global", address)
