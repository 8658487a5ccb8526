"""What all drawn behaviours share: contexts that start again in time, cuts that keep what can still be sent."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from subsecond.agents.population import Draw, grown_prompts, sendable, session_starts
from subsecond.engine.workload.runs import gather, heads, offsets, ranks

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=8).map(lambda ls: np.array(ls, np.int64))


def naive_prompts(growth: list[int], base: int, limit: int, restart: list[int]) -> list[int]:
    prompts = [base]
    for more, again in zip(growth[1:], restart[1:], strict=True):
        prompts.append(prompts[-1] + more if prompts[-1] + more <= limit else min(again, limit))
    return prompts


@given(LENGTHS, st.data())
def test_prompts_grow_and_start_again_as_one_by_one(lengths: np.ndarray, data: st.DataObject) -> None:
    first = offsets(lengths)
    n = int(first[-1])
    growth = np.array(data.draw(st.lists(st.integers(0, 60), min_size=n, max_size=n)), np.int64)
    restart = np.array(data.draw(st.lists(st.integers(1, 120), min_size=n, max_size=n)), np.int64)
    limit = np.array(data.draw(st.lists(st.integers(50, 100), min_size=len(lengths), max_size=len(lengths))), np.int64)
    base = np.array(data.draw(st.lists(st.integers(1, 50), min_size=len(lengths), max_size=len(lengths))), np.int64)
    prompt, again = grown_prompts(growth, first, base, limit, restart)
    expected: list[int] = []
    for s, (a, b) in enumerate(itertools.pairwise(first.tolist())):
        expected += naive_prompts(growth[a:b].tolist(), int(base[s]), int(limit[s]), restart[a:b].tolist())
    assert prompt.tolist() == expected
    assert (prompt <= np.repeat(limit, lengths)).all()
    assert len(set(again.tolist())) == len(again)


@given(LENGTHS, st.data())
def test_what_is_sendable_begins_before_the_end(lengths: np.ndarray, data: st.DataObject) -> None:
    second = 10**12
    n, duration = int(lengths.sum()), 20 * second
    starts = np.array(data.draw(st.lists(st.integers(0, 19), min_size=len(lengths), max_size=len(lengths))), np.int64)
    waits = np.array(data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)), np.int64)
    kept = sendable(starts * second, lengths, waits * second, duration)
    first = offsets(lengths)
    for session, count in enumerate(kept.tolist()):
        own = waits[first[session] : first[session + 1]]
        begins = starts[session] + np.concatenate(([0], np.cumsum(own[1:])))
        assert count >= 1
        assert count >= (begins < 20).sum()
        assert count <= max(1, (begins <= 20).sum())


@given(LENGTHS, st.data())
def test_runs_are_gathered_whole_and_headed(lengths: np.ndarray, data: st.DataObject) -> None:
    runs = np.split(np.arange(lengths.sum()), np.cumsum(lengths)[:-1])
    order = np.array(data.draw(st.permutations(range(len(lengths)))), np.int64)
    assert gather(lengths, order).tolist() == np.concatenate([runs[i] for i in order]).tolist()
    kept = np.array([data.draw(st.integers(0, n)) for n in lengths.tolist()], np.int64)
    assert heads(lengths, kept).tolist() == np.concatenate([r[:k] for r, k in zip(runs, kept, strict=True)]).tolist()
    assert ranks(lengths).tolist() == [i for n in lengths.tolist() for i in range(n)]


def test_starts_spread_over_the_ramp() -> None:
    starts = session_starts(Draw("coding", 10_000, 1, ramp_s=100.0))
    assert (np.diff(starts) >= 0).all()
    assert 49e12 < starts.mean() < 51e12
    assert starts[-1] <= 100 * 10**12
    assert not session_starts(Draw("coding", 5, 1)).any()


def test_a_duration_keeps_the_same_starts() -> None:
    whole = session_starts(Draw("voice", 1000, 1, arrival_rate_per_s=5.0))
    short = session_starts(Draw("voice", 1000, 1, arrival_rate_per_s=5.0, duration_s=20.0))
    assert short.tolist() == whole[whole < 20 * 10**12].tolist()
    assert len(session_starts(Draw("voice", 1000, 1, arrival_rate_per_s=0.01, duration_s=1e-6))) == 1
