"""Laws of prefix reuse, against plain computations on small random trees of prompts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.engine.workload.traces.prefix import (
    HOT_REQUESTS,
    PrefixReuse,
    block_nodes,
    known_blocks,
    reuse_of_blocks,
)

BLOCK = 16

Paths = list[list[int]]


def columns(paths: Paths) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, paths)]).astype(np.int64)
    return offsets, np.array([i for path in paths for i in path], np.int64)


def common(a: list[int], b: list[int]) -> int:
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return n


def naive_known(paths: Paths) -> list[int]:
    return [max((common(path, earlier) for earlier in paths[:i]), default=0) for i, path in enumerate(paths)]


def realised(paths: Paths, prompts: list[int], reuse: PrefixReuse) -> list[int]:
    """Hits of a run in which every request ends before the next one comes and nothing is evicted."""
    last: dict[int, int] = {}
    warm: set[int] = set()
    hits = []
    for i, prompt in enumerate(prompts):
        context, group = int(reuse.context[i]), int(reuse.group[i])
        hit = 0
        if context in last:
            shared = common(paths[i], paths[last[context]]) * BLOCK
            assert reuse.reuse_tokens[i] <= shared, "a request claims more than its context holds"
            hit = int(reuse.reuse_tokens[i])
        else:
            assert reuse.reuse_tokens[i] == 0, "the first of a context has nothing to reuse"
        if group in warm:
            hit = max(hit, min(int(reuse.group_tokens[group]), prompt - 1))
        if group >= 0:
            warm.add(group)
        last[context] = i
        hits.append(hit)
    return hits


@st.composite
def trees(draw: st.DrawFn) -> Paths:
    """Requests that branch off earlier ones anywhere; ids stand for whole paths, as in Mooncake."""
    paths: Paths = []
    fresh = 0
    for _ in range(draw(st.integers(1, 40))):
        path: list[int] = []
        if paths and draw(st.integers(0, 4)):
            base = paths[draw(st.integers(0, len(paths) - 1))]
            path = base[: draw(st.integers(0, len(base)))]
        for _ in range(draw(st.integers(0, 3))):
            path = [*path, fresh]
            fresh += 1
        paths.append(path)
    return paths


def prompts_of(paths: Paths, cut: int = 3) -> list[int]:
    """Prompts that end inside their last block."""
    return [max(1, len(path) * BLOCK - cut) for path in paths]


def reuse_of(paths: Paths) -> PrefixReuse:
    offsets, ids = columns(paths)
    return reuse_of_blocks(offsets, ids, np.array(prompts_of(paths), np.int32), BLOCK)


@given(trees())
def test_known_blocks_are_the_longest_common_prefix_with_any_earlier_request(paths: Paths) -> None:
    assert known_blocks(*columns(paths)).tolist() == naive_known(paths)


@given(st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=30))
def test_known_blocks_of_ids_that_stand_for_a_block_alone(paths: Paths) -> None:
    assert known_blocks(*columns(paths)).tolist() == naive_known(paths)


@given(st.lists(st.lists(st.sampled_from([-(2**63), -5, 7, 2**62, 2**63 - 1]), max_size=4), min_size=1, max_size=20))
def test_nodes_are_equal_where_paths_are_equal(paths: Paths) -> None:
    offsets, ids = columns(paths)
    if not len(ids):
        return
    node, count = block_nodes(offsets, ids)
    walked = [tuple(path[: i + 1]) for path in paths for i in range(len(path))]
    assert len(set(walked)) == len(set(node.tolist()))
    assert len(set(zip(walked, node.tolist(), strict=True))) == len(set(walked))
    assert 0 <= node.min() <= node.max() < count


@given(trees())
def test_nobody_gets_more_than_an_endless_cache_gives(paths: Paths) -> None:
    prompts = prompts_of(paths)
    hits = realised(paths, prompts, reuse_of(paths))
    ideal = [min(known * BLOCK, prompt - 1) for known, prompt in zip(naive_known(paths), prompts, strict=True)]
    assert all(hit <= best for hit, best in zip(hits, ideal, strict=True))


@given(trees())
def test_members_of_a_group_share_its_tokens(paths: Paths) -> None:
    reuse = reuse_of(paths)
    for group, tokens in enumerate(reuse.group_tokens.tolist()):
        members = np.flatnonzero(reuse.group == group).tolist()
        assert len(members) > 1
        assert all(common(paths[members[0]], paths[member]) * BLOCK >= tokens for member in members)


@given(trees())
def test_contexts_are_numbered_and_reuse_leaves_a_token(paths: Paths) -> None:
    reuse = reuse_of(paths)
    assert sorted(set(reuse.context.tolist())) == list(range(reuse.num_contexts))
    assert (reuse.reuse_tokens < np.array(prompts_of(paths))).all()


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_interleaved_conversations_reach_the_ideal(lengths: list[int], seed: int) -> None:
    """Conversations with one common first block: every request continues its own."""
    turns = [who for who, length in enumerate(lengths) for _ in range(length)]
    np.random.default_rng(seed).shuffle(turns)
    said: list[list[int]] = [[0] for _ in lengths]
    paths: Paths = []
    fresh = 1
    for who in turns:
        said[who] = [*said[who], fresh, fresh + 1]
        fresh += 2
        paths.append(said[who])
    prompts = prompts_of(paths)
    ideal = sum(min(known * BLOCK, prompt - 1) for known, prompt in zip(naive_known(paths), prompts, strict=True))
    begun = len(set(turns))
    # a common block that few share is no group: those that lose it to a continuation go without
    assert ideal - sum(realised(paths, prompts, reuse_of(paths))) <= BLOCK * begun


def test_a_prefix_that_many_share_becomes_a_group() -> None:
    paths = [[0, 1 + 2 * i, 2 + 2 * i] for i in range(HOT_REQUESTS + 1)]
    reuse = reuse_of(paths)
    assert reuse.group_tokens.tolist() == [BLOCK]
    assert (reuse.group == 0).all()
    assert not reuse.reuse_tokens.any()
    assert reuse.num_contexts == len(paths)


def test_one_fewer_makes_no_group() -> None:
    paths = [[0, 1 + 2 * i, 2 + 2 * i] for i in range(HOT_REQUESTS)]
    reuse = reuse_of(paths)
    assert not len(reuse.group_tokens)
    assert reuse.num_contexts == 1
    assert (reuse.reuse_tokens[1:] == BLOCK).all()


def test_the_longer_continuation_takes_the_context_and_the_other_a_group() -> None:
    trunk = list(range(10))
    paths = [trunk, [*trunk[:5], 90], [*trunk, 91]]
    reuse = reuse_of(paths)
    assert reuse.context.tolist() == [0, 1, 0]
    assert reuse.reuse_tokens.tolist() == [0, 0, 10 * BLOCK]
    assert reuse.group_tokens[reuse.group[1]] == 5 * BLOCK
    assert reuse.group[0] == reuse.group[1]
    assert realised(paths, prompts_of(paths), reuse) == [0, 5 * BLOCK, 10 * BLOCK]


def test_without_ids_nothing_is_shared() -> None:
    reuse = reuse_of_blocks(np.zeros(4, np.int64), np.zeros(0, np.int64), np.full(3, 5, np.int32), BLOCK)
    assert reuse.context.tolist() == [0, 1, 2]
    assert not reuse.reuse_tokens.any()
    assert (reuse.group == -1).all()


@pytest.mark.parametrize("count", [HOT_REQUESTS - 1, 3 * HOT_REQUESTS])
def test_equal_prompts_leave_one_token_to_compute(count: int) -> None:
    paths = [[4, 5, 6]] * count
    prompts = prompts_of(paths, cut=0)
    offsets, ids = columns(paths)
    reuse = reuse_of_blocks(offsets, ids, np.array(prompts, np.int32), BLOCK)
    hits = realised(paths, prompts, reuse)
    assert hits == [0] + [3 * BLOCK - 1] * (count - 1)


@given(trees(), st.integers(-(2**31), 2**31 - 2**12))
def test_narrow_ids_give_the_same_reuse(paths: Paths, shift: int) -> None:
    offsets, ids = columns(paths)
    prompts = np.array(prompts_of(paths), np.int32)
    wide = reuse_of_blocks(offsets, ids + shift, prompts, BLOCK)
    narrow = reuse_of_blocks(offsets, (ids + shift).astype(np.int32), prompts, BLOCK)
    assert wide.context.tolist() == narrow.context.tolist()
    assert wide.reuse_tokens.tolist() == narrow.reuse_tokens.tolist()
    assert wide.group.tolist() == narrow.group.tolist()
    assert wide.group_tokens.tolist() == narrow.group_tokens.tolist()
