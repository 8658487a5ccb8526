"""Instants as people write them: `90s`, `1:30`, `1:02:03.5`, `2m`, `-10s`, `end`."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["EXPECTED", "instant_ps"]

PS_PER_S = 10**12
#: What may be written.
EXPECTED: Final = "90s, 1:30, 2m, 1:02:03.5, -10s or +1m from what is shown, start or end"

_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)", re.ASCII)
_PLAIN = re.compile(r"(\d+(?:\.\d*)?|\.\d+) ?([smh]?)", re.ASCII)
#: No run is longer; also keeps numbers of any length out of the arithmetic.
_MOST_S, _MOST_LETTERS = 1e6, 24


def instant_ps(text: str, *, shown_ps: int | None = None, end_ps: int | None = None) -> int:
    """The instant that a text means, in ps from the start of the run.

    Args:
        shown_ps: what `+` and `-` count from; None: they are not understood.
        end_ps: what `end` is; None: it is not understood.

    Raises:
        ValueError: the text means no instant, or one before the start or beyond 1,000,000 s.
    """
    words = text.strip().lower()
    if words == "start":
        return 0
    if words == "end" and end_ps is not None:
        return end_ps
    sign = words[:1] if words[:1] in ("+", "-") and shown_ps is not None else ""
    seconds = _seconds(words[len(sign) :].strip())
    if seconds is None or seconds > _MOST_S:
        raise ValueError(f"{text.strip()[:40] or 'nothing'} is no instant within 1,000,000 s")
    ps = round(seconds * PS_PER_S)
    if not sign or shown_ps is None:
        return ps
    at = shown_ps + ps if sign == "+" else shown_ps - ps
    if at < 0:
        raise ValueError(f"{text.strip()[:40]} from here is before the start")
    return at


def _seconds(words: str) -> float | None:
    if len(words) > _MOST_LETTERS:
        return None
    clock = _CLOCK.fullmatch(words)
    if clock:
        hours, minutes, seconds = clock.groups(default="0")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    plain = _PLAIN.fullmatch(words)
    return None if plain is None else float(plain[1]) * _UNITS[plain[2]]
