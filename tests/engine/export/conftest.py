"""A recording with everything in it: values that are not there, texts that formats must escape, every table."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.recordings import MS, S, gauges, hello, turn

from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import Annotation, Clock, FaultNote, Load, Notice, OutsideAgent
from subsecond.engine.recording.content import Content
from subsecond.engine.recording.writer import Recorder

#: Quotes, commas, lines, what a spreadsheet would compute, letters beyond the first plane, and nothing.
TEXTS = ('a "b", c', "line\nof\r\ntwo", "=1+1", "tab\there", "\U0001f600 \u202e end", "", "null")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "all.subsecond"
    with Recorder(path, hello()) as recorder:
        for number in range(120):
            changes = {"ttft_ps": -1, "state": 2, "met": (0, -1)} if number % 10 == 3 else {}
            recorder.put(turn(number, lane=number % 2, latency_ps=(400 + number) * MS + 7, **changes))
        for number in range(12):
            recorder.put(gauges(number * 100 * MS, lane=number % 2, queued=number))
        recorder.put(Clock(S, 1.7e9, 1.5, False, 0.1, 0.30000000000000004))
        recorder.put(Load(S, (1, 2), (1, 0), (0.0, 0.25)))
        recorder.put(Load(2 * S, (3, 4), (3, 4)))
        recorder.put(FaultNote(S, 1, "slow", 0, 0.5, None))
        recorder.put(FaultNote(S, 0, "decode_down", 3, None, 2 * S))
        for value in (9.5, "vllm", True):
            recorder.put(SetKnob("lane0", "network_ms", value), 3 * S)
        for text in TEXTS:
            recorder.put(Notice("info", text))
            recorder.put(Annotation(S, text))
        for number, text in enumerate(TEXTS):
            recorder.put(Content(S, number % 2, number, ("user", "assistant")[number % 2], text))
        recorder.put(OutsideAgent(1, TEXTS[0], "realtime", "127.0.0.1", 1, -1, True, S))
        recorder.put(OutsideAgent(1, TEXTS[4], "realtime", "127.0.0.1", 1, 0, False, S, (7, 8), 3, lag_ms=1.25))
        assert recorder.flush()
    return path
