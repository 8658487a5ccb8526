"""What clients of the service may take, and how much at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final

from subsecond.engine.core.config import MAX_TOKENS
from subsecond.engine.errors import InputError

__all__ = ["Limits", "Rate", "read_limits"]

MIB: Final = 1024 * 1024
#: Least and most that each limit can be set to. Below the least, well-behaved clients could not work.
_BOUNDS: Final = {
    "connections": (1, 100_000),
    "message_mib": (0.01, 1024.0),
    "requests_per_s": (0.01, 1e6),
    "context_tokens": (1, MAX_TOKENS),
    "audio_s": (1.0, 86_400.0),
    "stalled_s": (0.1, 3600.0),
    "waiting_mib": (0.1, 4096.0),
    "body_s": (0.1, 3600.0),
    "idle_s": (0.1, 86_400.0),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may take.

    Attributes:
        connections: websockets, and HTTP requests under way, in all.
        message_mib: longest message or body.
        requests_per_s: model requests of all clients together, and of one agent half of that; short bursts may have
            twice as many.
        context_tokens: prompt and reply of a request.
        audio_s: longest audio that a Realtime client sends without a commit.
        stalled_s: how long a client may read nothing of what is sent to it.
        waiting_mib: that may wait for one client.
        body_s: how long the body of an HTTP request may take.
        idle_s: how long a connection may stand before, or between, requests.
    """

    connections: int = 4096
    message_mib: float = 64.0
    requests_per_s: float = 5000.0
    context_tokens: int = MAX_TOKENS
    audio_s: float = 900.0
    stalled_s: float = 10.0
    waiting_mib: float = 64.0
    body_s: float = 30.0
    idle_s: float = 75.0

    @property
    def message_bytes(self) -> int:
        """Longest message or body."""
        return round(self.message_mib * MIB)

    @property
    def waiting_bytes(self) -> int:
        """That may wait for one client."""
        return round(self.waiting_mib * MIB)


def read_limits(settings: Iterable[str]) -> Limits:
    """Limits from `NAME=VALUE`; the others keep their defaults.

    Raises:
        InputError: no such limit, or a value that it cannot have.
    """
    values: dict[str, float] = {}
    whole = {field.name for field in fields(Limits) if field.type == "int"}
    for setting in settings:
        name, _, given = setting.partition("=")
        name = name.strip().replace("-", "_")
        if name not in _BOUNDS:
            raise InputError("--limit", "", setting, "NAME=VALUE, a name of " + ", ".join(_BOUNDS))
        least, most = _BOUNDS[name]
        try:
            value = float(given)
        except ValueError:
            value = math.nan
        if not least <= value <= most or (name in whole and not value.is_integer()):
            number = "a whole number" if name in whole else "a number"
            raise InputError("--limit", name, given, f"{number} from {least:g} to {most:g}")
        values[name] = int(value) if name in whole else value
    return Limits(**values)  # type: ignore[arg-type]  # those that are whole have been made so


class Rate:
    """A bucket of permits that fills at a rate, up to two seconds' worth, and one at least.

    Args:
        per_s: permits per second of the caller's clock.
    """

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._most = max(1.0, 2 * per_s)
        self._left = self._most
        self._at_s = -math.inf

    def part(self, share: float) -> Rate:
        """Another bucket that fills more slowly."""
        return Rate(self._per_s * share)

    def take(self, now_s: float) -> bool:
        """Take a permit, if there is one."""
        self._left = min(self._most, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
