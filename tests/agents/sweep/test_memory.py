"""Keeping freed memory: asked of the C library where it can be, and nowhere a failure."""

from __future__ import annotations

import ctypes

import pytest

from subsecond.agents.sweep.memory import KEEPING, keep_freed_memory


class Library:
    """A C library that takes note."""

    def __init__(self) -> None:
        self.asked: dict[int, int] = {}

    def mallopt(self, number: int, value: int) -> int:
        self.asked[number] = value
        return 1


def test_both_ways_ask_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    keep_freed_memory()
    assert sorted(library.asked.values()) == sorted(map(int, KEEPING.values()))


@pytest.mark.parametrize("library", [OSError("no such library"), object()])
def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch, library: object) -> None:
    def load(name: str | None) -> object:
        if isinstance(library, Exception):
            raise library
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    keep_freed_memory()
