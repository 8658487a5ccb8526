"""Counting tokens: by the vocabulary, and by the estimate that stands in for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.agents.tokens import TokenCounter, default_counter, estimated_pieces

ROOT = Path(__file__).parents[2]
COUNTERS = [default_counter(), TokenCounter("estimate", estimated_pieces)]


@pytest.mark.parametrize("counter", COUNTERS, ids=lambda counter: counter.name)
@given(text=st.text(st.characters(exclude_categories=("Cs",))))
def test_pieces_joined_are_the_text(counter: TokenCounter, text: str) -> None:
    assert "".join(counter.pieces(text)) == text


@pytest.mark.parametrize("counter", COUNTERS, ids=lambda counter: counter.name)
def test_halves_of_letters_are_counted_and_do_no_harm(counter: TokenCounter) -> None:
    assert counter.count("a \ud800 b") >= 3
    assert counter.segment("user", "\ud800").tokens >= 1


def test_the_vocabulary_counts_what_is_known_of_it() -> None:
    counter = default_counter()
    if counter.name != "o200k":
        pytest.skip("splintr-rs has no build for this Python")
    assert counter.count("") == 0
    assert counter.count("hello world") == 2  # both are words of the vocabulary
    assert counter.count("<|endoftext|>") > 1  # text of a client is never a mark of the model


@pytest.mark.parametrize("name", ["README.md", "engine/core/engine.py", "agents/data/coding.toml", "docs/semantics.md"])
def test_the_estimate_is_near_the_vocabulary(name: str) -> None:
    text = (ROOT / name).read_text()
    assert len(estimated_pieces(text)) == pytest.approx(default_counter().count(text), rel=0.1)


def test_long_texts_are_counted_once_and_not_kept() -> None:
    counted: list[int] = []
    counter = TokenCounter("letters", list, lambda text: counted.append(len(text)) or len(text))
    for length in (1000, 1000, 2000, 1000):
        assert counter.count("x" * length) == length
    assert counted == [1000, 2000]
    assert all(len(key) == 16 for key in counter._known)


def test_segments_are_told_apart_by_what_they_say_and_who_says_it() -> None:
    counter = default_counter()
    one, same = (counter.segment("user", "hello there") for _ in range(2))
    assert one == same
    others = [counter.segment("system", "hello there"), counter.segment("user", "hello", extra_tokens=1)]
    assert len({segment.key for segment in (one, *others)}) == 3
    assert counter.segment("user", "").tokens == 1
