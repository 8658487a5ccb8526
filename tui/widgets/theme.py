"""The dashboard's own themes; widgets name only Textual's standard variables, so every other theme works too."""

from __future__ import annotations

from textual.theme import Theme

__all__ = ["DARK", "LIGHT", "THEMES"]

DARK = Theme(
    name="subsecond-dark",
    primary="#5fafff",
    secondary="#d7afff",
    accent="#5fd7d7",
    warning="#ffd75f",
    error="#ff6b6b",
    success="#87d787",
    foreground="#e4e4e4",
    background="#101418",
    surface="#161b21",
    panel="#222a33",
    dark=True,
)

LIGHT = Theme(
    name="subsecond-light",
    primary="#0050a0",
    secondary="#6a2fa0",
    accent="#006a70",
    warning="#855000",
    error="#b00020",
    success="#136b1f",
    foreground="#1a1a1a",
    background="#fafafa",
    surface="#f2f3f5",
    panel="#e2e5ea",
    dark=False,
)

#: All of them, the default first.
THEMES = (DARK, LIGHT)
