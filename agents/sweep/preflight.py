"""Before a sweep starts: whether what all of its points have in common can be run at all."""

from __future__ import annotations

from collections.abc import Sequence

from subsecond.agents.study.points import Base, Point, plan_point
from subsecond.engine.errors import InputError
from subsecond.engine.sweep.manifest import Value

from .design import setting_of
from .estimate import shortened

__all__ = ["check_common"]

#: Points that are tried at most, spread over all of them.
_MOST = 256


def check_common(base: Base, where: str, keys: Sequence[str], points: Sequence[Sequence[Value]]) -> None:
    """Plan points until one can be planned, or two fail by values of their own, which is for their rows to say.

    Args:
        where: the sweep's file.
        keys: of the axes, in the order of each point's values.

    Raises:
        InputError: all points fail, and in the same words.
    """
    found: InputError | None = None
    step = max(1, -(-len(points) // _MOST))
    for values in points[::step]:
        try:
            own = base.changed(setting_of(key, value) for key, value in zip(keys, values, strict=True))
            plan_point(shortened(own), Point())
        except InputError as error:
            if found is not None and str(error) != str(found):
                return
            found = error
        except Exception:  # whatever else it is, a row will say it
            return
        else:
            return
    if found is not None:
        raise InputError(f"{where}: {found.where}", found.field, found.value, found.expected)
