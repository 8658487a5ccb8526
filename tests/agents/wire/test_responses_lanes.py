"""Responses over a websocket: lanes run side by side, in order inside, and within bounds."""

from __future__ import annotations

import pytest
from support.responses import CREATE, SUNNY, checked, connect
from support.wire import types

from subsecond.agents.wire.responses import MOST_LANES, MOST_WAITING


def test_lanes_run_side_by_side_and_in_order_inside() -> None:
    gateway = connect()
    for lane in ("a", "a", "b"):
        gateway.send(CREATE | {"stream_id": lane})
    assert len(gateway.requests) == 2
    frames = gateway.serve(step=50)
    checked(frames)
    assert len(gateway.requests) == 3
    for lane, count in (("a", 2), ("b", 1)):
        mine = [frame for frame in frames if frame.message["stream_id"] == lane]
        assert types(mine).count("response.completed") == count
        first = [frame.message["sequence_number"] for frame in mine if frame.message["type"] == "response.created"]
        assert first == [0] * count
        open_ones = 0
        for frame in mine:
            open_ones += (frame.message["type"] == "response.created") - frame.is_last
            assert open_ones in (0, 1)


def test_a_lane_can_go_on_from_what_is_still_running() -> None:
    gateway = connect(SUNNY, SUNNY)
    gateway.send(CREATE)
    gateway.send(CREATE | {"previous_response_id": "resp_1"})
    assert len(gateway.requests) == 1
    frames = gateway.serve()
    assert types(frames).count("response.completed") == 2
    assert "error" not in types(frames)


def test_a_lane_is_bounded() -> None:
    gateway = connect()
    for _ in range(MOST_WAITING + 1):
        assert gateway.send(CREATE) == []
    [refused] = gateway.send(CREATE)
    assert (refused.message["status"], refused.message["error"]["code"]) == (429, "rate_limit_exceeded")


def test_the_bytes_that_wait_are_bounded_in_all_lanes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subsecond.agents.wire.responses.MOST_WAITING_BYTES", 1000)
    gateway = connect()
    long = CREATE | {"input": "x" * 800}
    for lane in "ab":
        assert gateway.send(CREATE | {"stream_id": lane}) == []
    assert gateway.send(long | {"stream_id": "a"}) == []
    [refused] = gateway.send(long | {"stream_id": "b"})
    assert (refused.message["status"], refused.message["stream_id"]) == (429, "b")
    gateway.serve()
    assert gateway.send(long | {"stream_id": "b"}) == []  # which runs at once
    assert gateway.send(long | {"stream_id": "b"}) == []


def test_lanes_are_bounded() -> None:
    gateway = connect()
    for i in range(MOST_LANES):
        assert gateway.send(CREATE | {"stream_id": str(i)}) == []
    [refused] = gateway.send(CREATE | {"stream_id": "more"})
    assert (refused.message["status"], refused.message["stream_id"]) == (429, "more")
    assert gateway.send(CREATE | {"stream_id": "0"}) == []
