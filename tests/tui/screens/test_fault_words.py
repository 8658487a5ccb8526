"""Faults in words."""

from __future__ import annotations

import pytest

from subsecond.engine.faults import FAULT_KINDS
from subsecond.engine.feed import LaneInfo, ServerInfo
from subsecond.tui.screens.fault_words import brief_fault_words, fault_words

SERVERS = (ServerInfo("prefill[0]", "prefill", 1, 1), ServerInfo("decode[0]", "decode", 1, 1))
LANE = LaneInfo("split", "", "", "", SERVERS, ())


def test_a_slow_server_is_called_by_its_name() -> None:
    assert fault_words("slow", 1, 4.0, LANE) == "decode[0] takes 4 times as long"
    assert fault_words("slow", 9, 4.0, LANE) == fault_words("slow", 9, 4.0) == "server 9 takes 4 times as long"
    assert brief_fault_words("slow 1", LANE) == "decode[0] slow"


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_kind_has_words(kind: str) -> None:
    for words in (fault_words(kind, 0, 0.25, LANE), brief_fault_words(f"{kind} 0", LANE)):
        assert kind not in words.split()[0] or kind == "slow"
        assert "{" not in words


@pytest.mark.parametrize("words", ["", "flood 3", "stall", "slow x"])
def test_what_is_not_known_stays(words: str) -> None:
    assert brief_fault_words(words) == words
