"""The core's input types refuse what the kernel could not work with, and say what was expected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.small import colocated, disaggregated, step_cost, workload

from subsecond.engine.core.config import Link, Pipeline, Pool, Role, StepCost, Workload

COLOCATED = colocated().entry
PREFILL = disaggregated().entry
DECODE = disaggregated().decode
LINK = disaggregated().link
SMALL = workload(sessions=3, requests=2)


def int64(*values: int) -> Any:
    return np.array(values, np.int64)


def int32(*values: int) -> Any:
    return np.array(values, np.int32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((int64(1, 1), int64(1)), "vectors of one length"),
        ((np.ones((2, 2), np.int64), np.ones((2, 2), np.int64)), "vectors of one length"),
        ((int64(0, 1), int64(1, 1)), "must be >= 1 ps"),
        ((int64(1, 1), int64(1, -5)), "must be >= 1 ps"),
        ((int64(1), int64(1), -1), "must not be negative"),
        ((int64(1), int64(1), 0, -1), "must not be negative"),
        ((int64(1), int64(1), 0, 0, -1), "must not be negative"),
    ],
)
def test_step_cost(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StepCost(*arguments)


@pytest.mark.parametrize(
    ("pool", "change", "message"),
    [
        (COLOCATED, {"num_servers": 0}, "num_servers must be >= 1, got 0"),
        (COLOCATED, {"capacity_units": 0}, "capacity_units must be >= 1, got 0"),
        (COLOCATED, {"max_seqs": 0}, "max_seqs must be >= 1, got 0"),
        (COLOCATED, {"watermark_units": -1}, "negative reserve"),
        (COLOCATED, {"fixed_units": -1}, "negative reserve"),
        (COLOCATED, {"affinity_slack": -1}, "negative reserve"),
        (COLOCATED, {"units_per_token": 0}, ">= 1 token"),
        (COLOCATED, {"units_per_token": 3, "growth_units": 2}, ">= 1 token, got 2/3"),
        (COLOCATED, {"decode_width": 0}, "decode_width must be >= 1"),
        (COLOCATED, {"token_budget": 16}, "must exceed max_seqs [*] decode_width = 16, got 16"),
        (COLOCATED, {"token_budget": 513}, "cost tables need 514 entries, got 513"),
        (PREFILL, {"token_budget": 0}, "token_budget must be >= 1"),
        (PREFILL, {"token_budget": 513}, "cost tables need 514 entries"),
        (DECODE, {"max_seqs": 17}, "cost tables need 18 entries, got 17"),
        (DECODE, {"decode_width": 2}, "cost tables need 33 entries"),
    ],
)
def test_pool(pool: Pool, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(pool, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit_ps": -1}, "must not be negative"),
        ({"t0_ps": -1}, "must not be negative"),
        ({"max_flows": -1}, "must not be negative"),
        ({"fill_quarters": 3}, "fill_quarters must be >= 4, got 3"),
        ({"layers": 0}, "layers must be >= 1, got 0"),
        ({"staging_units": 0}, "staging_units must be >= 1, got 0"),
    ],
)
def test_link(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(Link(unit_ps=1), **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entry": DECODE}, "must be COLOCATED or PREFILL"),
        ({"entry": PREFILL}, "needs a decode pool and a link"),
        ({"entry": PREFILL, "decode": DECODE}, "needs a decode pool and a link"),
        ({"decode": DECODE, "link": LINK}, "a COLOCATED one has neither"),
        ({"entry": PREFILL, "decode": COLOCATED, "link": LINK}, "decode pool must have role DECODE"),
        ({"fallback": PREFILL}, "fallback pool must have role COLOCATED"),
        ({"fallback": replace(COLOCATED, fixed_units=1)}, "share units_per_token and fixed_units"),
        ({"fallback": replace(COLOCATED, units_per_token=2, growth_units=2)}, "share units_per_token"),
        ({"network_ps": -1}, "must not be negative"),
        ({"route_ps": -1}, "must not be negative"),
        ({"detect_ps": -1}, "must not be negative"),
        ({"retry_ps": -1}, "must not be negative"),
        ({"max_attempts": -1}, "must not be negative"),
        ({"max_attempts": 101}, "max_attempts must be <= 100, got 101"),
    ],
)
def test_pipeline(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pipeline(**({"entry": COLOCATED} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"session_start_ps": int64(), "session_first_request": int64(0)}, "at least one session"),
        ({"session_first_request": int64(0, 2, 4)}, "must cover all requests"),
        ({"session_first_request": int64(0, 2, 4, 5)}, "must cover all requests"),
        ({"session_first_request": int64(1, 2, 4, 6)}, "must cover all requests"),
        ({"session_first_request": int64(0, 2, 2, 6)}, "at least one request"),
        ({"session_parent_request": int64(0, -1, -1)}, "roots? sessions must come before"),
        ({"session_start_ps": int64(0, 5, 4)}, "must be sorted and >= 0"),
        ({"session_start_ps": int64(-1, 5, 6)}, "must be sorted and >= 0"),
        ({"session_parent_request": int64(-1, 1, 0)}, "sorted by parent request"),
        ({"session_parent_request": int64(-1, -1, 6)}, "parent request does not exist"),
        ({"session_parent_request": int64(-1, -1, 4)}, "must come after its parent's session"),
        ({"session_context": int64(0, 1, 3)}, "session_context out of range"),
        ({"session_context": int64(0, 1, -1)}, "session_context out of range"),
        ({"session_group": int64(0, -1, -1)}, "session_group out of range"),
        ({"session_group": int64(-2, -1, -1)}, "session_group out of range"),
        ({"session_kind": int64(0, 0, 1)}, "session_kind out of range"),
        ({"prompt_tokens": int32(0, 9, 9, 9, 9, 9)}, "prompt_tokens must be >= 1"),
        ({"output_tokens": int32(0, 9, 9, 9, 9, 9)}, "output_tokens must be >= 1"),
        ({"output_tokens": int32(1 << 23, 9, 9, 9, 9, 9)}, "output_tokens must be <= 8388607"),
        ({"prompt_tokens": int32((1 << 24) - 20, 9, 9, 9, 9, 9)}, "together must be <= 16777215"),
        ({"reuse_tokens": int32(100, 0, 0, 0, 0, 0)}, "reuse_tokens must be in"),
        ({"reuse_tokens": int32(-1, 0, 0, 0, 0, 0)}, "reuse_tokens must be in"),
        ({"milestone_tokens": int32(0, 1, 1, 1, 1, 1)}, "milestone_tokens must be in"),
        ({"milestone_tokens": int32(21, 1, 1, 1, 1, 1)}, "milestone_tokens must be in"),
        ({"gap_ps": int64(-1, 0, 0, 0, 0, 0)}, "must not be negative"),
        ({"hold_ps": int64(-1, 0, 0, 0, 0, 0)}, "must not be negative"),
        ({"turn": int64(1, 2, 3, 4, 5, 6)}, "count up from 0"),
        ({"turn": int64(0, 1, 3, 4, 5, 6)}, "count up from 0"),
        ({"turn": int64(0, 1, 1, 2, 3, 4)}, "must not cross sessions"),
        ({"before_ps": {"endpointing": int64(1)}}, "stage endpointing needs a value >= 0 per turn"),
        ({"after_ps": {"playout": int64(1, 1, 1, 1, 1, -1)}}, "stage playout needs a value >= 0 per turn"),
    ],
)
def test_workload(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def test_what_is_right_is_accepted() -> None:
    assert isinstance(replace(SMALL, session_parent_request=int64(-1, -1, 3)), Workload)
    assert replace(COLOCATED, cost=step_cost(513), token_budget=513).token_budget == 513
    assert Pipeline(entry=PREFILL, decode=DECODE, link=LINK).decode is DECODE
    assert COLOCATED.role is Role.COLOCATED
