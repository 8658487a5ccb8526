"""Names and times that messages carry: ids nobody else has, and seconds of the calendar."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Stamps"]


@dataclass(frozen=True, slots=True)
class Stamps:
    """Where ids and times of day come from; tests bring their own.

    Attributes:
        new_id: 32 letters or less, never the same.
        wall_s: seconds since 1970.
    """

    new_id: Callable[[], str] = lambda: uuid.uuid4().hex
    wall_s: Callable[[], float] = time.time
