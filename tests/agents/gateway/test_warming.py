"""Counting the tokens of large messages beforehand."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from subsecond.agents.gateway.warming import LARGE_BYTES, warm
from subsecond.agents.tokens import TokenCounter


class Counted:
    def __init__(self) -> None:
        self.calls: list[tuple[int, bool]] = []
        self.counter = TokenCounter("letters", list, self.count)

    def count(self, text: str) -> int:
        self.calls.append((len(text), threading.current_thread() is threading.main_thread()))
        return len(text)


def test_long_texts_of_a_large_message_are_counted_in_a_thread() -> None:
    made = Counted()
    body = {"input": [{"content": "a" * LARGE_BYTES}, {"content": ["b" * 600, "short"]}], "n": 1}
    asyncio.run(warm(made.counter, json.dumps(body)))
    assert sorted(made.calls) == [(600, False), (LARGE_BYTES, False)]
    assert made.counter.count("a" * LARGE_BYTES) == LARGE_BYTES
    assert len(made.calls) == 2


@pytest.mark.parametrize("data", ["{}", b"\xff" * LARGE_BYTES, "[" * LARGE_BYTES, '"' + "x" * LARGE_BYTES])
def test_small_and_broken_messages_are_left_to_the_session(data: str | bytes) -> None:
    made = Counted()
    asyncio.run(warm(made.counter, data))
    assert made.calls == []
