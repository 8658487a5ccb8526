"""Outside agents against a small gateway: what they send, what they count, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import pytest
from support.small_gateway import SmallGateway

from subsecond.agents.clients.clock import Clock
from subsecond.agents.clients.connection import LIMIT_REACHED
from subsecond.agents.clients.fleet import Fleet, Orders
from subsecond.agents.clients.measure import Report
from subsecond.engine.errors import InputError

#: Agents' seconds in one of the wall's.
FAST = 200.0


def run(
    gateway: SmallGateway,
    kind: str = "coding",
    during: Callable[[Fleet, asyncio.Event], Coroutine[Any, Any, None]] | None = None,
    *,
    speed: float = FAST,
    **orders: Any,
) -> Report:
    """A fleet at a gateway, run to its end."""

    async def both() -> Report:
        async with gateway.running():
            fleet = Fleet(Orders(kind, gateway.url, "gpt-oss-120b@gpu", **orders), Clock(speed))
            stop = asyncio.Event()
            running = asyncio.create_task(fleet.run(stop))
            if during is not None:
                await during(fleet, stop)
            return await asyncio.wait_for(running, 60)

    return asyncio.run(both())


def test_coding_sessions_are_chains_of_steps() -> None:
    gateway = SmallGateway()
    report = run(gateway, sessions=2, turns=6, pace=1000.0)
    assert report.turns == len(gateway.requests) == 12
    assert report.errors == {}
    by_agent: dict[str, list[dict[str, Any]]] = {}
    for request in gateway.requests:
        by_agent.setdefault(request["metadata"]["agent"], []).append(request)
    assert {name: len(requests) for name, requests in by_agent.items()} == {"coding-1": 6, "coding-2": 6}
    for first, *later in by_agent.values():
        assert "previous_response_id" not in first
        assert [item["role"] for item in first["input"]] == ["developer", "user"]
        assert all("previous_response_id" in request for request in later)


def test_results_go_back_for_the_calls_of_the_reply_before() -> None:
    gateway = SmallGateway()
    run(gateway, turns=8, pace=1000.0)
    for before, request in zip(gateway.requests, gateway.requests[1:], strict=False):
        called = before["tool_choice"] == "required"
        assert (request["input"][0]["type"] == "function_call_output") is called
        if called:
            assert request["input"][0]["call_id"] == f"call_{request['previous_response_id']}"


def test_the_servers_decomposition_stands_beside_the_clients_times() -> None:
    report = run(SmallGateway(), turns=5, pace=1000.0)
    server, client = report.server["latency_ms"], report.client["latency_ms"]
    assert server is not None
    assert client is not None
    assert (server.p50, server.count) == (120.5, 5)
    assert report.stages_ms == {"prefill": 100.0, "decode": 20.5}
    difference = report.difference["latency_ms"]
    assert difference is not None
    assert difference.mean == pytest.approx(client.mean - server.mean)


def test_the_same_seed_asks_the_same() -> None:
    asked = []
    for seed in (3, 3, 4):
        gateway = SmallGateway()
        run(gateway, turns=5, pace=1000.0, seed=seed)
        asked.append(gateway.requests)
    assert asked[0] == asked[1] != asked[2]


def test_in_an_open_loop_the_wait_for_a_free_session_counts() -> None:
    """One session, and a server that answers nothing for a while: all turns that were due meanwhile are late."""
    gateway = SmallGateway()
    gateway.holds = asyncio.Event()

    async def release(fleet: Fleet, stop: asyncio.Event) -> None:
        while fleet.wall_s < 50:
            await asyncio.sleep(0)
        assert gateway.holds is not None
        gateway.holds.set()

    report = run(gateway, during=release, rate_per_s=1.0, turns=20)
    client, sends = report.client["latency_ms"], report.sends
    assert client is not None
    assert report.turns == 20
    assert client.max > 45_000
    assert client.p50 > 25_000
    assert sends.late >= 18


def test_a_connection_that_breaks_is_replaced_and_the_turn_sent_again() -> None:
    gateway = SmallGateway()
    gateway.breaks = lambda number: "close" if number == 2 else None
    report = run(gateway, turns=4, pace=1000.0)
    assert report.turns == 4
    assert report.reconnects == 1
    assert sum(report.errors.values()) == 1
    assert "previous_response_id" in gateway.requests[2]
    assert "previous_response_id" not in gateway.requests[3]


@pytest.mark.parametrize(
    ("code", "reconnects"), [(LIMIT_REACHED, 1), ("previous_response_not_found", 0), ("rate_limit_exceeded", 0)]
)
def test_errors_are_counted_by_kind_and_answered(code: str, reconnects: int) -> None:
    gateway = SmallGateway()
    error = {"type": "error", "status": 400, "error": {"type": "invalid_request_error", "code": code, "message": "no"}}
    gateway.breaks = lambda number: error if number == 1 else None
    report = run(gateway, turns=4, pace=1000.0)
    assert report.errors == {code: 1}
    assert report.reconnects == reconnects
    assert report.turns == (3 if code == "rate_limit_exceeded" else 4)


def test_an_unknown_model_ends_it_all() -> None:
    gateway = SmallGateway()
    problem = {"type": "invalid_request_error", "code": "model_not_found", "message": "no such model"}
    gateway.breaks = lambda _: {"type": "error", "status": 404, "error": problem}
    with pytest.raises(InputError, match=r"--model: got 'gpt-oss-120b@gpu'.*no such model"):
        run(gateway, sessions=3)


def test_a_refusal_at_the_door_ends_it_all() -> None:
    gateway = SmallGateway()
    gateway.refuse = HTTPStatus.UNAUTHORIZED
    with pytest.raises(InputError, match=r"401.*no key, no entry"):
        run(gateway, sessions=3)


def test_agents_say_who_they_are() -> None:
    gateway = SmallGateway()
    run(gateway, turns=1, token="secret")
    assert gateway.headers[0]["session-id"] == "coding-1"
    assert gateway.headers[0]["Authorization"] == "Bearer secret"


def test_stopping_lets_turns_under_way_end() -> None:
    gateway = SmallGateway()
    gateway.holds = asyncio.Event()

    async def interrupt(fleet: Fleet, stop: asyncio.Event) -> None:
        while len(gateway.requests) < 3:
            await asyncio.sleep(0)
        stop.set()
        await asyncio.sleep(0)
        assert gateway.holds is not None
        gateway.holds.set()

    report = run(gateway, during=interrupt, sessions=3)
    assert (report.turns, report.sends.unfinished) == (3, 0)


def test_who_is_in_a_hurry_does_not_wait_for_them() -> None:
    gateway = SmallGateway()
    gateway.holds = asyncio.Event()

    async def interrupt(fleet: Fleet, stop: asyncio.Event) -> None:
        while not gateway.requests:
            await asyncio.sleep(0)
        stop.set()
        fleet.hurry()

    report = run(gateway, during=interrupt)
    assert (report.turns, report.sends.unfinished) == (0, 1)


def test_callers_speak_and_hear_replies() -> None:
    gateway = SmallGateway()
    report = run(gateway, "voice", sessions=3, turns=4, speed=20.0)
    assert report.turns == 12
    assert report.errors == {}
    client = report.client["latency_ms"]
    assert client is not None
    assert client.p50 >= 500  # half a second of silence ends a turn
    assert report.client["ttft_ms"] is None


def test_tools_of_a_voice_turn_are_run_before_the_reply() -> None:
    gateway = SmallGateway()
    report = run(gateway, "voice", sessions=4, turns=6, speed=20.0)
    choices = [request["tool_choice"] for request in gateway.requests]
    assert report.turns == choices.count("none") == 24
    assert choices.count("required") > 0
    assert report.stages_ms["tools"] > 0


def test_an_interrupted_reply_is_cut_where_it_was_heard() -> None:
    gateway = SmallGateway()
    gateway.holds = asyncio.Event()  # replies end by interruption alone
    gateway.reply_s = 30.0

    async def until_interrupted(fleet: Fleet, stop: asyncio.Event) -> None:
        while not gateway.truncated:
            await asyncio.sleep(0.01)
        stop.set()
        fleet.hurry()

    report = run(gateway, "voice", during=until_interrupted, sessions=24, speed=20.0)
    assert report.interrupted > 0
    assert report.interruption_ms is not None
    assert all(0 < ms < 30_000 for ms in gateway.truncated)


@pytest.mark.parametrize(
    ("orders", "words"),
    [
        ({"url": "http://127.0.0.1:8765"}, "--url"),
        ({"url": "ws://127.0.0.1:8765/v1/observe"}, "--url"),
        ({"sessions": 0}, "--sessions"),
        ({"turns": 0}, "--turns"),
        ({"rate_per_s": -1.0}, "--rate"),
        ({"duration_s": float("nan")}, "--duration"),
        ({"pace": 0.0}, "--pace"),
        ({"kind": "nurse"}, "coding or voice"),
    ],
)
def test_what_cannot_be_used_is_refused(orders: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Fleet(Orders(**{"kind": "coding", "url": "ws://127.0.0.1:1", "model": "m", **orders}))


def test_nobody_there_is_said_at_once() -> None:
    with pytest.raises(InputError, match="a gateway that answers"):
        asyncio.run(Fleet(Orders("coding", "ws://127.0.0.1:9", "m")).run(asyncio.Event()))
