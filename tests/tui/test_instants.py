"""Instants as people write them."""

from __future__ import annotations

import pytest

from subsecond.tui.instants import instant_ps

S = 10**12


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        (" 1.5m ", 90),
        ("2m", 120),
        ("1h", 3600),
        ("1:30", 90),
        ("1:02:03.5", 3723.5),
        (".5", 0.5),
        ("90 S", 90),
        ("start", 0),
        ("end", 600),
        ("-10s", 90),
        ("+1m", 160),
        ("- 1:40", 0),
    ],
)
def test_what_is_understood(text: str, seconds: float) -> None:
    assert instant_ps(text, shown_ps=100 * S, end_ps=600 * S) == round(seconds * S)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "1:", ":30", "1:2:3:4", "--5", "-101s", "1e5", "9" * 30, "1000001", "٣s", "1m30", "nan", "inf", "\0"],
)
def test_what_is_not(text: str) -> None:
    with pytest.raises(ValueError, match=r"no instant|before the start"):
        instant_ps(text, shown_ps=100 * S, end_ps=600 * S)


@pytest.mark.parametrize("text", ["end", "-10s", "+10s"])
def test_without_anything_shown_nothing_is_relative(text: str) -> None:
    with pytest.raises(ValueError, match=r"no instant|before the start"):
        instant_ps(text)
