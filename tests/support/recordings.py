"""A run to record: its first message, and turns and gauges of it."""

from __future__ import annotations

from subsecond.engine.feed import (
    BudgetInfo,
    Gauges,
    Hello,
    LaneInfo,
    OpenTurn,
    ParameterInfo,
    ServerGauge,
    ServerInfo,
    TurnEnd,
)

MS = 10**9
S = 10**12

STAGES = ("network", "prefill", "decode_first", "tools")


def hello(lanes: int = 2, agents: tuple[str, ...] = ("coding", "voice")) -> Hello:
    """Two lanes, two budgets, four stages."""
    return Hello(
        version=1,
        run="run-1",
        scenario="small scenario",
        title="A small one",
        seed=7,
        agents=agents,
        stages=STAGES,
        lanes=tuple(
            LaneInfo(
                name=f"lane{number}",
                label=f"Lane {number}",
                model="tiny",
                status="shipping",
                servers=(ServerInfo("gpu[0]", "gpu", 1000, 8), ServerInfo("gpu[1]", "gpu", 1000, 8)),
                parameters=(ParameterInfo("router_ms", "1 ms", "ms", "assumed", "nobody"),),
            )
            for number in range(lanes)
        ),
        budgets=(
            BudgetInfo("agent-step", "coding", 1000 * MS, None, None, 95.0, "a table"),
            BudgetInfo('it\'s "fast"', "voice", None, 300 * MS, 40 * MS, 50.0, "a table"),
        ),
        duration_ps=None,
        recording="",
    )


def turn(
    number: int, lane: int = 0, end_ps: int | None = None, latency_ps: int = 400 * MS, **changes: object
) -> TurnEnd:
    """An answered turn; the n-th one ends after n hundredths of a second."""
    end = number * 10 * MS + latency_ps if end_ps is None else end_ps
    fields: dict[str, object] = {
        "lane": lane,
        "turn": number,
        "session": number % 5,
        "index": number // 5,
        "agent": number % 2,
        "state": 1,
        "start_ps": end - latency_ps,
        "latency_ps": latency_ps,
        "ttft_ps": latency_ps // 2,
        "tpot_ps": MS,
        "stages_ps": (MS, latency_ps - 3 * MS, 2 * MS, 0),
        "met": (1, -1) if number % 2 == 0 else (-1, 0),
        "requests": 1,
        "prompt_tokens": 1000 + number,
        "hit_tokens": number,
        "output_tokens": 50,
        "attempts": 0,
    }
    return TurnEnd(**{**fields, **changes})  # type: ignore[arg-type]  # a test's own fields


def gauges(at_ps: int, lane: int = 0, queued: int = 0) -> Gauges:
    """A lane with two servers and one open turn."""
    servers = tuple(ServerGauge(True, queued, 3, 500, 100, at_ps // 2, 0, 1) for _ in range(2))
    oldest = (OpenTurn(9, 4, 1, 0, max(0, at_ps - MS), 1, at_ps, (MS, 0, 0, 0)),)
    return Gauges(at_ps, lane, 1, oldest, servers, 2, ("gpu_down 0",))
