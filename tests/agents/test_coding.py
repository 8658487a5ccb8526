"""Coding agents: populations have the statistics of their sources, scripts obey their seed, limits hold.

Figures of WEKA (callanjfox/kv-cache-tester, 362 Claude Code sessions) are quantiles p10, p25, p50, p75, p90 of the
data; those of TraceLab (arXiv 2606.30560) are as printed there.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import pytest

from subsecond.agents.coding import coding_parameters, draw_coding
from subsecond.engine.core.config import Workload
from subsecond.engine.errors import InputError

DECILES = (10, 25, 50, 75, 90)
COLUMNS = ("prompt_tokens", "reuse_tokens", "output_tokens", "gap_ps", "session_parent_request", "session_start_ps")


def drawn(sessions: int = 20, seed: int = 1, overrides: dict[str, object] | None = None, **how: float) -> Workload:
    return draw_coding(coding_parameters(overrides), sessions=sessions, seed=seed, **how)  # type: ignore[arg-type]  # a test's own options


class Population:
    """A large draw and its root sessions."""

    def __init__(self) -> None:
        self.work = work = drawn(6000, seed=3, arrival_rate_per_s=10.0)
        self.roots = int((work.session_parent_request < 0).sum())
        self.first = work.session_first_request[: self.roots + 1]
        self.end = int(self.first[-1])
        self.prompt = work.prompt_tokens[: self.end].astype(np.int64)
        self.steps = np.diff(self.first)
        inner = np.ones(self.end, np.bool_)
        inner[self.first[:-1]] = False
        growth = np.diff(self.prompt, prepend=0)
        self.compacted = inner & (growth < -np.roll(self.prompt, 1) // 2)
        self.grows = inner & (growth > 0)
        self.growth = growth
        self.inner = inner


@cache
def population() -> Population:
    return Population()


def close(values: np.ndarray, quantiles: list[float], rel: float, at: tuple[float, ...] = DECILES) -> None:
    assert np.percentile(values, at).tolist() == pytest.approx(quantiles, rel=rel)


def test_steps_per_session() -> None:
    """WEKA, llm_calls_per_session."""
    steps = population().steps
    close(steps, [8, 21, 57.5, 103.75, 179.6], 0.15)
    assert steps.mean() == pytest.approx(79.17, rel=0.05)
    assert np.percentile(steps, 99) == pytest.approx(367.6, rel=0.1)


def test_first_prompts() -> None:
    """WEKA, first_call_input_tokens_fresh_session."""
    first = population().prompt[population().first[:-1]]
    fresh = first[first < 40_000]
    close(fresh, [15602, 17854, 19383, 20792, 23238], 0.03)
    assert len(fresh) / len(first) == pytest.approx(1 - 0.2098, abs=0.02)


def test_prompts_of_all_steps() -> None:
    """WEKA, calls of the 305 sessions that stay below 200,000 tokens (all sessions: p50 98,851)."""
    close(population().prompt, [42249, 62661, 92887, 121594, 140507], 0.13)
    assert population().prompt.mean() == pytest.approx(92045, rel=0.08)


def test_last_prompts() -> None:
    """WEKA, last_input_tokens_of_session: sessions end where the context is full."""
    last = population().prompt[population().first[1:] - 1]
    close(last, [52093, 81030, 125650, 152730], 0.17, (10, 25, 50, 75))


def test_growth_of_prompts() -> None:
    """WEKA, context_growth_per_call_after_tool and _after_user together: 95.2 % of growths follow a tool."""
    growth = population().growth[population().grows]
    close(growth, [185, 316, 641, 1513, 3460], 0.06)
    assert growth.mean() == pytest.approx(0.952 * 1655 + 0.048 * 817, rel=0.05)


def test_outputs() -> None:
    """WEKA, output_tokens_per_call_tool_use (94 % of calls) and _end_turn."""
    output = population().work.output_tokens[: population().end]
    close(output, [105, 139, 214, 412, 846], 0.06)
    assert np.percentile(output, 99) == pytest.approx(3500, rel=0.1)


def test_tools_have_their_long_tail() -> None:
    """TraceLab, tool execution per call: p50 0.3, p90 13.6, p99 216 s, mean 16.8 to 18.4 s; 4 % take 85 %."""
    work = drawn(3000, 5, {"session.steps_per_task": 1e6, "subagents.share": 0})
    inner = np.ones(work.num_requests, np.bool_)
    inner[work.session_first_request[:-1]] = False
    time_s = work.gap_ps[inner] / 1e12
    close(time_s, [0.3, 13.6, 216], 0.15, (50, 90, 99))
    assert 16 <= time_s.mean() <= 20
    for seconds, share in ((1, 0.61), (10, 0.88), (60, 0.96)):
        assert (time_s < seconds).mean() == pytest.approx(share, abs=0.01)
    assert time_s[time_s > 60].sum() / time_s.sum() == pytest.approx(0.85, abs=0.05)


def test_users_come_back_after_minutes() -> None:
    """TraceLab, human think gap: p50 84 to 86 s, p90 1,236 to 1,240 s, 70 to 80 % within five minutes."""
    work = drawn(3000, 5, {"session.steps_per_task": 1, "subagents.share": 0})
    inner = np.ones(work.num_requests, np.bool_)
    inner[work.session_first_request[:-1]] = False
    gap_s = work.gap_ps[inner] / 1e12
    close(gap_s, [84, 1236], 0.05, (50, 90))
    assert 0.7 <= (gap_s <= 300).mean() <= 0.8


def test_steps_per_task() -> None:
    """WEKA, llm_calls_per_user_turn: mean 15.4, and user_turns_per_session: mean 5.1. A user's pause begins a task."""
    work = drawn(2000, 5, {"session.user_gap": 50_000, "subagents.share": 0})
    tasks = (work.gap_ps == 50_000 * 10**12).sum()
    assert work.num_requests / tasks == pytest.approx(15.39, rel=0.08)
    assert tasks / work.num_sessions == pytest.approx(5.14, rel=0.08)


def test_compaction() -> None:
    """WEKA: 0.0048 compactions per call, in 82 of 362 sessions (0.303 of the fresh ones below 200,000 tokens)."""
    found = population()
    assert found.compacted.sum() / found.end == pytest.approx(0.0052, rel=0.2)
    sessions = np.unique(np.searchsorted(found.first, np.flatnonzero(found.compacted), side="right"))
    assert len(sessions) / found.roots == pytest.approx(0.303, abs=0.04)
    after = found.prompt[found.compacted]
    close(after, [23836, 27678, 34491, 46750, 58763], 0.06)
    before = np.roll(found.prompt, 1)[found.compacted]
    close(before, [147030, 153670, 161630], 0.05, (25, 50, 75))


def test_prefixes_are_found_again() -> None:
    """TraceLab 95.7 %, WEKA 97.4 % of all tokens after the first call, with an endless cache."""
    found = population()
    reuse = found.work.reuse_tokens[: found.end][found.inner].sum() / found.prompt[found.inner].sum()
    assert reuse == pytest.approx(0.974, abs=0.006)
    whole = found.work.reuse_tokens.sum() / found.work.prompt_tokens.sum()
    assert 0.95 <= whole <= 0.975


def test_a_prompt_now_and_then_changes_in_the_middle() -> None:
    """WEKA, prefix_break_probability_per_call with compactions: 1.77 %."""
    found = population()
    before = np.roll(found.prompt, 1)
    broken = found.inner & (found.work.reuse_tokens[: found.end] < before)
    assert broken.sum() / found.inner.sum() == pytest.approx(0.01774, rel=0.1)


def test_subagents() -> None:
    """TraceLab: 1.2 % of 1.2 tool calls per step start an agent; WEKA: their first prompt and calls."""
    work, found = population().work, population()
    parents = work.session_parent_request[found.roots :]
    assert len(np.unique(parents)) / found.end == pytest.approx(0.0144 * (1 - 1 / 15.4), rel=0.06)
    assert len(parents) / len(np.unique(parents)) == pytest.approx(1.3, rel=0.03)
    close(work.prompt_tokens[work.session_first_request[found.roots : -1]], [9740, 9927, 10342, 11685, 13317], 0.02)
    close(np.diff(work.session_first_request)[found.roots :], [5, 7, 11, 13, 18.3], 0.1)
    assert set(work.session_group[found.roots :].tolist()) == {1}


def test_a_parent_goes_on_when_its_subagents_are_back() -> None:
    work = drawn(10, 1, {"subagents.share": 1.0, "subagents.dispatch": 0.25, "session.steps_per_task": 1000})
    parents = work.session_parent_request[work.session_parent_request >= 0]
    assert (work.gap_ps[parents + 1] == 250 * 10**9).all()
    own = np.searchsorted(work.session_first_request, parents, side="right")
    assert (np.searchsorted(work.session_first_request, parents + 1, side="right") == own).all()


def test_each_step_is_a_turn_that_ends_with_its_last_token() -> None:
    work = drawn()
    assert work.num_turns == work.num_requests
    assert (work.milestone_tokens == work.output_tokens).all()
    assert not work.hold_ps.any()
    assert not work.is_barge_in.any()


def test_what_is_reused_was_there() -> None:
    work = drawn(50)
    first = np.zeros(work.num_requests, np.bool_)
    first[work.session_first_request[:-1]] = True
    there = np.roll(work.prompt_tokens, 1) + np.roll(work.output_tokens, 1)
    assert (work.reuse_tokens[first] == 0).all()
    assert (work.reuse_tokens <= there)[~first].all()
    assert (
        work.prompt_tokens > work.group_tokens[np.repeat(work.session_group, np.diff(work.session_first_request))]
    ).all()


@pytest.mark.parametrize(("window", "reference"), [(32_768, 200_000), (131_072, 200_000), (131_072, 2), (400_000, 2)])
def test_prompts_and_outputs_fit_the_window(window: int, reference: int) -> None:
    work = drawn(300, overrides={"window.tokens": reference}, max_context=window)
    assert (work.prompt_tokens + work.output_tokens).max() <= window
    assert work.prompt_tokens.max() > 0.5 * min(window, 200_000)


@pytest.mark.parametrize("window", [200_000, 1_000_000])
def test_the_window_of_the_data_or_a_larger_one_changes_nothing(window: int) -> None:
    assert digest(drawn(30, max_context=window)) == digest(drawn(30))


def digest(work: Workload) -> str:
    found = hashlib.blake2b(digest_size=8)
    for column in COLUMNS:
        found.update(getattr(work, column).tobytes())
    return found.hexdigest()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert digest(drawn(seed=7)) == digest(drawn(seed=7)) == "cecfcb7d9d3ac735"
    assert digest(drawn(seed=8)) != digest(drawn(seed=7))


def test_more_sessions_keep_the_earlier_ones() -> None:
    few, many = drawn(20, arrival_rate_per_s=1.0), drawn(60, arrival_rate_per_s=1.0)
    roots = few.session_first_request[20]
    for column in ("prompt_tokens", "reuse_tokens", "output_tokens", "gap_ps"):
        assert (getattr(few, column)[:roots] == getattr(many, column)[:roots]).all()
    assert (few.session_start_ps[:20] == many.session_start_ps[:20]).all()
    children, behind = few.num_requests - roots, many.session_first_request[60]
    assert (few.prompt_tokens[roots:] == many.prompt_tokens[behind : behind + children]).all()


@pytest.mark.parametrize(
    ("overrides", "same"),
    [
        ({"output.tool_use.scale": 2}, ("prompt_tokens", "gap_ps", "session_start_ps")),
        ({"tools.execute.time.scale": 3}, ("prompt_tokens", "reuse_tokens", "output_tokens", "session_parent_request")),
        ({"session.user_gap": 5}, ("prompt_tokens", "reuse_tokens", "output_tokens", "session_parent_request")),
        ({"prompt.break_share": 0.2}, ("prompt_tokens", "output_tokens", "gap_ps")),
    ],
)
def test_one_parameter_leaves_the_other_draws_alone(overrides: dict[str, object], same: tuple[str, ...]) -> None:
    before, after = drawn(), drawn(overrides=overrides)
    for column in same:
        assert (getattr(before, column) == getattr(after, column)).all(), column
    assert digest(before) != digest(after)


def test_turns_are_limited_per_root_session() -> None:
    work = drawn(50, max_turns=3)
    steps = np.diff(work.session_first_request)[work.session_parent_request < 0]
    assert steps.max() == 3


def test_a_duration_leaves_out_what_cannot_be_sent() -> None:
    whole, short = drawn(50, ramp_s=100.0), drawn(50, ramp_s=100.0, duration_s=60.0)
    assert short.num_requests < whole.num_requests
    assert short.session_start_ps.max() <= 60 * 10**12
    first = short.session_first_request
    for session in range(int((short.session_parent_request < 0).sum())):
        gaps = short.gap_ps[first[session] + 1 : first[session + 1]]
        assert short.session_start_ps[session] + gaps.sum() <= 60.001 * 10**12


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"sessions": 0}, "sessions"),
        ({"sessions": 10**9}, "sessions"),
        ({"sessions": 2.5}, "sessions"),
        ({"sessions": True}, "sessions"),
        ({"sessions": 9 * 10**6}, "sessions"),
        ({"seed": -1}, "seed"),
        ({"seed": "x"}, "seed"),
        ({"max_turns": 0}, "max_turns"),
        ({"ramp_s": -1.0}, "ramp_s"),
        ({"ramp_s": float("nan")}, "ramp_s"),
        ({"ramp_s": 1e9}, "ramp_s"),
        ({"arrival_rate_per_s": 0.0}, "arrival_rate_per_s"),
        ({"arrival_rate_per_s": -2.0}, "arrival_rate_per_s"),
        ({"arrival_rate_per_s": "fast"}, "arrival_rate_per_s"),
        ({"arrival_rate_per_s": 0.01, "sessions": 20_000}, "arrival_rate_per_s"),
        ({"duration_s": 0.0}, "duration_s"),
        ({"duration_s": float("inf")}, "duration_s"),
        ({"max_context": 1}, "max_context"),
        ({"max_context": 20_000}, "max_context"),
    ],
)
def test_a_draw_out_of_range_is_explained(how: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as error:
        draw_coding(coding_parameters(), **{"sessions": 5, "seed": 1, **how})  # type: ignore[arg-type]  # mistakes
    assert (error.value.where, error.value.field) == ("coding workload", field)


def test_tools_need_a_share() -> None:
    none = {f"tools.{tool}.share": 0 for tool in ("execute", "edit", "read", "web")}
    with pytest.raises(InputError, match="one kind of tool"):
        drawn(overrides=none)
