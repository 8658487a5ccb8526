"""Errors that a user can cause and mend: `SubsecondError`, and below it `InputError`."""

from __future__ import annotations

__all__ = ["InputError", "SubsecondError"]


class SubsecondError(Exception):
    """Base of all errors meant for the user."""


class InputError(SubsecondError):
    """Something that the user wrote cannot be used.

    Args:
        where: file, `file:line`, option or scenario name.
        field: the field or column, empty if the whole thing is meant.
        value: what was found.
        expected: what would have been right.
    """

    def __init__(self, where: str, field: str, value: object, expected: str) -> None:
        self.where, self.field, self.value, self.expected = where, field, value, expected
        shown = value if isinstance(value, str) else repr(value)
        if len(shown) > 120:
            shown = shown[:117] + "..."
        place = f"{where}: {field}" if field else where
        super().__init__(f"{place}: got {shown!r}, expected {expected}")
