"""Open-loop traces (Mooncake, Azure) against plain readings of the same files."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subsecond.engine.core.config import Workload
from subsecond.engine.workload.traces import read_traces, sample_path

BLOCK = 512


def mooncake_rows() -> list[dict[str, object]]:
    with gzip.open(sample_path("mooncake"), "rt") as file:
        return [json.loads(line) for line in file]


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ideal_tokens(rows: list[dict[str, object]]) -> list[int]:
    """Hits of an endless cache, by a set of all blocks seen."""
    seen: set[int] = set()
    hits = []
    for row in rows:
        ids = row["hash_ids"]
        assert isinstance(ids, list)
        known = 0
        while known < len(ids) and ids[known] in seen:
            known += 1
        seen.update(ids)
        hits.append(min(known * BLOCK, int(str(row["input_length"])) - 1))
    return hits


def realised_tokens(workload: Workload) -> list[int]:
    """Hits if every request ended before the next one came."""
    warm: set[int] = set()
    hits = []
    for i in range(workload.num_requests):
        group = int(workload.session_group[i])
        hit = int(workload.reuse_tokens[i])
        if group in warm:
            hit = max(hit, min(int(workload.group_tokens[group]), int(workload.prompt_tokens[i]) - 1))
        if group >= 0:
            warm.add(group)
        hits.append(hit)
    return hits


def test_mooncake_keeps_every_request_and_its_arrival() -> None:
    rows = mooncake_rows()
    workload = read_traces([sample_path("mooncake")])
    assert workload.num_sessions == workload.num_requests == workload.num_turns == len(rows) == 1000
    assert workload.session_start_ps.tolist() == [row["timestamp"] * 10**9 for row in rows]  # type: ignore[operator]  # ms
    assert workload.prompt_tokens.tolist() == [row["input_length"] for row in rows]
    assert workload.output_tokens.tolist() == [row["output_length"] for row in rows]
    assert workload.milestone_tokens.tolist() == workload.output_tokens.tolist()
    assert workload.kinds == ("request",)
    assert not workload.gap_ps.any()
    assert not workload.hold_ps.any()


def test_mooncake_reaches_the_trace_s_ideal_hit_ratio() -> None:
    ideal = ideal_tokens(mooncake_rows())
    hits = realised_tokens(read_traces([sample_path("mooncake")]))
    assert all(hit <= best for hit, best in zip(hits, ideal, strict=True))
    assert sum(hits) >= 0.99 * sum(ideal)


def test_mooncake_sampled_claims_no_hits_on_requests_left_out() -> None:
    rows = mooncake_rows()
    workload = read_traces([sample_path("mooncake")], sample=300, seed=5)
    starts = [int(start) for start in workload.session_start_ps // 10**9]
    kept, index = [], 0
    for start, prompt in zip(starts, workload.prompt_tokens.tolist(), strict=True):
        while (rows[index]["timestamp"], rows[index]["input_length"]) != (start, prompt):
            index += 1
        kept.append(rows[index])
        index += 1
    ideal = ideal_tokens(kept)
    assert len(kept) == 300
    assert all(hit <= best for hit, best in zip(realised_tokens(workload), ideal, strict=True))


def test_mooncake_time_scale_stretches_arrivals() -> None:
    plain = read_traces([sample_path("mooncake")])
    doubled = read_traces([sample_path("mooncake")], time_scale=2.0)
    assert doubled.session_start_ps.tolist() == (2 * plain.session_start_ps).tolist()
    assert doubled.reuse_tokens.tolist() == plain.reuse_tokens.tolist()


def test_mooncake_without_hashes_and_with_fractions_of_a_millisecond(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"timestamp": 0.5, "input_length": 10, "output_length": 2, "priority": 1},
        {"timestamp": 1.25, "input_length": 20, "output_length": 3},
    ]
    workload = read_traces([written(tmp_path / "a", rows)])
    assert workload.session_start_ps.tolist() == [500_000_000, 1_250_000_000]
    assert workload.num_contexts == 2


def test_mooncake_ids_of_64_bits(tmp_path: Path) -> None:
    big = 2**64 - 3
    rows: list[dict[str, object]] = [
        {"timestamp": i, "input_length": 1024, "output_length": 2, "hash_ids": [big, big + 1]} for i in range(2)
    ]
    workload = read_traces([written(tmp_path / "a", rows)])
    assert workload.reuse_tokens.tolist() == [0, 1023]


def test_mooncake_passes_over_a_block_that_begins_where_the_prompt_ends(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"timestamp": 0, "input_length": 512, "output_length": 2, "hash_ids": [1, 2]},
        {"timestamp": 1, "input_length": 2000, "output_length": 2, "hash_ids": [1, 2, 3]},
    ]
    workload = read_traces([written(tmp_path / "a", rows)])
    assert workload.reuse_tokens.tolist() == [0, 512]


@settings(max_examples=15)  # each reads the file three times
@given(st.integers(1, 60), st.integers(0, 1000))
def test_a_sample_is_drawn_by_the_seed_and_keeps_the_order(size: int, seed: int) -> None:
    path = [sample_path("azure")]
    whole = read_traces(path)
    first, second = (read_traces(path, sample=size, seed=seed) for _ in range(2))
    assert first.session_start_ps.tobytes() == second.session_start_ps.tobytes()
    assert first.num_sessions == size
    everything = list(zip(whole.session_start_ps.tolist(), whole.prompt_tokens.tolist(), strict=True))
    kept = list(zip(first.session_start_ps.tolist(), first.prompt_tokens.tolist(), strict=True))
    remaining = iter(everything)
    assert all(row in remaining for row in kept)


def test_another_seed_draws_another_sample() -> None:
    a, b = (read_traces([sample_path("azure")], sample=50, seed=seed) for seed in (1, 2))
    assert a.session_start_ps.tolist() != b.session_start_ps.tolist()


def test_a_sample_as_large_as_the_trace_is_the_trace() -> None:
    whole, sampled = (read_traces([sample_path("mooncake")], sample=size) for size in (None, 1000))
    assert whole.reuse_tokens.tolist() == sampled.reuse_tokens.tolist()


def test_azure_times_count_from_the_first_request() -> None:
    with gzip.open(sample_path("azure"), "rt") as file:
        rows = list(csv.DictReader(file))
    begin = datetime.fromisoformat(rows[0]["TIMESTAMP"][:26])
    seconds = [(datetime.fromisoformat(row["TIMESTAMP"][:26]) - begin).total_seconds() for row in rows]
    workload = read_traces([sample_path("azure")])
    assert workload.kinds == ("coding",)
    assert np.abs(workload.session_start_ps / 1e12 - seconds).max() < 2e-6
    assert workload.prompt_tokens.tolist() == [int(row["ContextTokens"]) for row in rows]
    assert workload.output_tokens.tolist() == [int(row["GeneratedTokens"]) for row in rows]
    assert workload.num_contexts == workload.num_sessions == 2000


@pytest.mark.parametrize("stamp", ["2024-05-10 00:00:00.009930+00:00", "2024-05-10T00:00:00.00993Z"])
def test_azure_times_with_a_zone(tmp_path: Path, stamp: str) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00,5,6\n{stamp},7,8\n")
    workload = read_traces([file])
    assert workload.session_start_ps.tolist() == [0, 9_930_000_000]
    assert workload.kinds == ("request",)


def test_several_files_keep_their_own_contexts_and_groups() -> None:
    one = read_traces([sample_path("mooncake")])
    two = read_traces([sample_path("mooncake"), sample_path("mooncake")])
    assert two.num_sessions == 2 * one.num_sessions
    assert two.num_contexts == 2 * one.num_contexts
    assert two.group_tokens.tolist() == [*one.group_tokens, *one.group_tokens]
    # equal times: the first file comes first
    assert two.session_start_ps.tolist() == np.sort(np.tile(one.session_start_ps, 2)).tolist()
    assert int(two.reuse_tokens.sum()) == 2 * int(one.reuse_tokens.sum())
    first = two.session_context < one.num_contexts
    assert two.reuse_tokens[first].tolist() == one.reuse_tokens.tolist()
    assert two.session_context[first].tolist() == one.session_context.tolist()


def test_memory_per_request_stays_small() -> None:
    workload = read_traces([sample_path("mooncake")])
    names = (name for name in workload.__dataclass_fields__ if isinstance(getattr(workload, name), np.ndarray))
    owned = {}
    for column in (getattr(workload, name) for name in names):
        if column.strides != (0,):
            owned[column.__array_interface__["data"][0]] = column.nbytes
    assert sum(owned.values()) <= 100 * workload.num_requests
