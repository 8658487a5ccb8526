"""How compiled code sees the state: one pointer, with fields that are numbers or arrays.

Handing a dozen arrays to every function costs more than the functions do. A pointer to the `Global` record costs
nothing: reading `g.servers` loads the address that the record holds and makes an array of it, which the optimiser
reduces to the address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from numba.core import types
from numba.core.imputils import lower_getattr_generic, lower_setattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, models, register_model
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype

from .state import Global, dtype_of, item_of

__all__ = ["signature_of", "state_at"]

#: Arrays carry no length: compiled code does not check bounds.
_ENDLESS = 1 << 40


class StateType(types.Type):
    """A pointer to a `Global` record."""

    def __init__(self) -> None:
        super().__init__(name="SubsecondState")


register_model(StateType)(models.OpaqueModel)
_STATE = StateType()
_LAYOUT = dtype_of(Global)
_WORD = types.CPointer(types.int64)  # type: ignore[attr-defined]  # numba ships no types
_INDEX = {name: i for i, name in enumerate(_LAYOUT.names or ())}
_ITEMS = {name: item_of(Global, name) for name in _LAYOUT.names or ()}
_TYPES: dict[str, Any] = {
    name: types.int64 if item is None else types.Array(from_dtype(item), 1, "C", aligned=True)
    for name, item in _ITEMS.items()
}


def signature_of(function: Callable[..., Any]) -> Any:
    """The numba signature that a kernel function's annotations stand for."""
    hints = get_type_hints(function)
    returned = hints.pop("return")
    return _numba_type(returned)(*(_numba_type(hint) for hint in hints.values()))


def _numba_type(hint: Any) -> Any:
    simple = {int: types.int64, bool: types.boolean, type(None): types.none, Global: _STATE}
    if get_origin(hint) is list:
        return types.Array(from_dtype(dtype_of(get_args(hint)[0])), 1, "C", aligned=True)
    return simple[hint] if hint in simple else from_dtype(dtype_of(hint))


@infer_getattr
class StateAttributes(AttributeTemplate):  # type: ignore[misc]  # numba ships no types
    """Types of the fields."""

    key = StateType

    def generic_resolve(self, _type: Any, name: str) -> Any:
        """The type of field `name`, None if there is none."""
        return _TYPES.get(name)


def _field(context: Any, builder: Any, state: Any, name: str) -> Any:
    """Pointer to a field, which is always 8 bytes wide."""
    start = builder.bitcast(state, context.get_value_type(_WORD))
    return builder.gep(start, [context.get_constant(types.intp, _INDEX[name])])


@lower_getattr_generic(StateType)  # type: ignore[untyped-decorator]  # numba ships no types
def _read(context: Any, builder: Any, _type: Any, state: Any, name: str) -> Any:
    value = builder.load(_field(context, builder, state, name))
    item = _ITEMS[name]
    if item is None:
        return value
    array_type = _TYPES[name]
    array = make_array(array_type)(context, builder)
    size = context.get_constant(types.intp, item.itemsize)
    populate_array(
        array,
        data=builder.inttoptr(value, array.data.type),
        shape=[context.get_constant(types.intp, _ENDLESS)],
        strides=[size],
        itemsize=size,
        meminfo=None,
    )
    return array._getvalue()


@lower_setattr_generic(StateType)  # type: ignore[untyped-decorator]  # numba ships no types
def _write(context: Any, builder: Any, _signature: Any, arguments: Any, name: str) -> None:
    state, value = arguments
    builder.store(value, _field(context, builder, state, name))


@intrinsic  # type: ignore[untyped-decorator]  # numba ships no types
def state_at(_context: Any, address: Any) -> Any:
    """The state at an address."""

    def convert(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(_STATE))

    return _STATE(types.int64), convert


# Every field is a word, so that field i lies at 8 * i.
assert all(_LAYOUT[name].itemsize == np.dtype(np.int64).itemsize for name in _ITEMS)
