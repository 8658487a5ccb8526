"""Merged and cut workloads: sessions stay what they are, and every rule of a workload holds for the result."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small import colocated, workload

from subsecond.agents.coding import coding_parameters, draw_coding
from subsecond.agents.voice import draw_voice, voice_parameters
from subsecond.engine.core.config import Workload
from subsecond.engine.core.engine import simulate
from subsecond.engine.workload.assembly import limit_turns, merge

CODING = {"session.steps": 6, "subagents.share": 0.4, "subagents.steps": 3, "session.steps_per_task": 4}
COLUMNS = (
    "prompt_tokens", "reuse_tokens", "output_tokens", "milestone_tokens", "gap_ps", "hold_ps", "is_barge_in",
)  # fmt: skip


def coding(seed: int, sessions: int = 4) -> Workload:
    return draw_coding(coding_parameters(CODING), sessions=sessions, seed=seed, ramp_s=50.0)


def voice(seed: int, sessions: int = 4) -> Workload:
    return draw_voice(voice_parameters(), sessions=sessions, seed=seed, ramp_s=50.0, max_turns=4)


def nested(seed: int, roots: int = 3, children: int = 6) -> Workload:
    """Children of children, which no drawn workload has, several of one parent among them."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 4, roots + children)
    first = np.concatenate(([0], np.cumsum(lengths)))
    parents = np.full(roots + children, -1)
    for child in range(roots, roots + children):
        parents[child] = rng.integers(max(0, parents[child - 1]), first[child])
    n = int(first[-1])
    prompt = rng.integers(5, 50, n).astype(np.int32)
    return Workload(
        kinds=("nested", "coding"),
        num_contexts=roots + children,
        session_start_ps=np.concatenate((np.sort(rng.integers(0, 100, roots)), np.zeros(children))).astype(np.int64),
        session_first_request=first.astype(np.int64),
        session_parent_request=parents.astype(np.int64),
        session_context=rng.integers(0, roots + children, roots + children),
        session_group=rng.integers(-1, 2, roots + children),
        session_kind=rng.integers(0, 2, roots + children),
        prompt_tokens=prompt,
        reuse_tokens=(prompt // 2).astype(np.int32),
        output_tokens=rng.integers(3, 9, n).astype(np.int32),
        milestone_tokens=np.full(n, 2, np.int32),
        gap_ps=rng.integers(0, 1000, n),
        hold_ps=rng.integers(0, 1000, n),
        is_barge_in=rng.random(n) < 0.3,
        turn=np.arange(n, dtype=np.int64),
        group_tokens=rng.integers(1, 5, 2),
        after_ps={"text_to_speech": rng.integers(0, 99, n)},
    )


DRAWN = st.builds(
    lambda draw, seed: draw(seed), st.sampled_from([coding, voice, nested]), st.integers(0, 10**6)
)  # fmt: skip


def session_of(work: Workload, request: int) -> int:
    return int(np.searchsorted(work.session_first_request, request, side="right")) - 1


def script(work: Workload, session: int) -> tuple[object, ...]:
    """All that a session is, without the numbers by which others know it; its parent's request by its own script."""
    a, b = work.session_first_request[session : session + 2]
    turns = work.turn[a:b]
    parent = int(work.session_parent_request[session])
    group = int(work.session_group[session])
    above = session_of(work, parent) if parent >= 0 else -1
    return (
        work.kinds[work.session_kind[session]],
        int(work.session_start_ps[session]),
        tuple(tuple(getattr(work, column)[a:b].tolist()) for column in COLUMNS),
        tuple((turns - turns[0]).tolist()),
        int(work.group_tokens[group]) if group >= 0 else None,
        stages(work, turns),
        (script(work, above), parent - int(work.session_first_request[above])) if parent >= 0 else None,
    )


def stages(work: Workload, turns: np.ndarray) -> tuple[object, ...]:
    named = sorted([*work.before_ps.items(), *work.after_ps.items()])
    return tuple((name, tuple(column[turns].tolist())) for name, column in named if column[turns].any())


def scripts(*works: Workload) -> Counter[tuple[object, ...]]:
    return Counter(script(work, session) for work in works for session in range(work.num_sessions))


@settings(deadline=None, max_examples=40)
@given(st.lists(DRAWN, min_size=1, max_size=4))
def test_merging_keeps_every_session(works: list[Workload]) -> None:
    merged = merge(works)
    assert scripts(merged) == scripts(*works)
    assert merged.num_requests == sum(work.num_requests for work in works)
    assert merged.num_turns == sum(work.num_turns for work in works)
    assert merged.num_contexts == sum(work.num_contexts for work in works)


@settings(deadline=None, max_examples=40)
@given(st.lists(DRAWN, min_size=2, max_size=4))
def test_roots_stand_by_start_and_ties_by_workload(works: list[Workload]) -> None:
    merged = merge(works)
    starts = [
        (int(start), number) for number, work in enumerate(works)
        for start in work.session_start_ps[work.session_parent_request < 0]
    ]  # fmt: skip
    found = merged.session_start_ps[merged.session_parent_request < 0].tolist()
    assert found == [start for start, _ in sorted(starts)]


@settings(deadline=None, max_examples=30)
@given(DRAWN, DRAWN, DRAWN)
def test_merging_in_two_steps_is_merging_at_once(a: Workload, b: Workload, c: Workload) -> None:
    assert scripts(merge([merge([a, b]), c])) == scripts(merge([a, b, c]))


@settings(deadline=None, max_examples=30)
@given(DRAWN, DRAWN)
def test_contexts_and_groups_of_two_workloads_stay_apart(a: Workload, b: Workload) -> None:
    merged = merge([a, b])
    kinds = len({merged.session_context[i] for i in range(merged.num_sessions)})
    assert kinds == len(set(a.session_context.tolist())) + len(set(b.session_context.tolist()))
    assert len(merged.group_tokens) == len(a.group_tokens) + len(b.group_tokens)


def test_a_workload_alone_is_itself() -> None:
    work = coding(1)
    assert merge([work]) is work


def test_nothing_to_merge_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        merge([])


def test_kinds_of_one_name_become_one() -> None:
    merged = merge([workload(kinds=("voice",)), workload(kinds=("coding", "voice"))])
    assert merged.kinds == ("voice", "coding")
    assert Counter(merged.session_kind.tolist()) == {0: 6, 1: 2}


def test_a_stage_that_a_workload_lacks_takes_no_time() -> None:
    a, b = coding(1), voice(2)
    merged = merge([a, b])
    assert set(merged.before_ps) == set(b.before_ps)
    for name, column in merged.before_ps.items():
        assert column.sum() == b.before_ps[name].sum()


def test_a_merged_workload_runs_like_its_parts_on_a_pipeline_without_queues() -> None:
    """Sessions do not meet on a large pipeline with a server each, except by the time of its iterations."""
    a, b = workload(sessions=1), replace(workload(sessions=1), session_start_ps=np.array([10**13]))
    whole = simulate(colocated(), merge([a, b]), compiled=False)
    alone = [simulate(colocated(), work, compiled=False) for work in (a, b)]
    assert whole.finish_ps.tolist() == [*alone[0].finish_ps.tolist(), *alone[1].finish_ps.tolist()]


@settings(deadline=None, max_examples=60)
@given(DRAWN, st.data())
def test_a_cut_keeps_the_first_turns_of_each_session(work: Workload, data: st.DataObject) -> None:
    turns = data.draw(st.integers(1, work.num_turns + 3))
    cut = limit_turns(work, turns)
    assert cut.num_turns == min(turns, work.num_turns)
    whole = scripts_by_head(work)
    for session in range(cut.num_sessions):
        a, b = cut.session_first_request[session : session + 2]
        head = tuple(cut.prompt_tokens[a:b].tolist()), tuple(cut.gap_ps[a:b].tolist())
        assert any(p[: len(head[0])] == head[0] and g[: len(head[1])] == head[1] for p, g in whole)


def scripts_by_head(work: Workload) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    first = work.session_first_request
    return {
        (tuple(work.prompt_tokens[a:b].tolist()), tuple(work.gap_ps[a:b].tolist()))
        for a, b in itertools.pairwise(first)
    }


def test_sessions_are_cut_evenly() -> None:
    work = workload(sessions=4, requests=5)
    assert np.diff(limit_turns(work, 12).session_first_request).tolist() == [3, 3, 3, 3]
    assert np.diff(limit_turns(work, 14).session_first_request).tolist() == [4, 4, 3, 3]
    assert np.diff(limit_turns(work, 3).session_first_request).tolist() == [1, 1, 1]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.data())
def test_a_child_is_kept_only_with_its_parent_request(seed: int, data: st.DataObject) -> None:
    drawn = nested(seed)
    work = replace(drawn, gap_ps=np.arange(drawn.num_requests, dtype=np.int64))  # a request's gap is its old number
    cut = limit_turns(work, data.draw(st.integers(1, work.num_turns)))
    for session in np.flatnonzero(cut.session_parent_request >= 0):
        old_session = session_of(work, int(cut.gap_ps[cut.session_first_request[session]]))
        assert cut.gap_ps[cut.session_parent_request[session]] == work.session_parent_request[old_session]


def test_a_cut_that_takes_nothing_away_changes_nothing() -> None:
    work = voice(1)
    assert limit_turns(work, work.num_turns) is work


def test_a_cut_to_no_turns_is_refused() -> None:
    with pytest.raises(ValueError, match="turns"):
        limit_turns(workload(), 0)
