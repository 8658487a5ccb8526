"""Session traces of text agents against plain readings of the same files."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from subsecond.engine.core.config import Workload
from subsecond.engine.workload.traces import read_traces, sample_path

NS = 1000


def table(name: str) -> list[dict[str, str]]:
    path = sample_path(name)
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return list(csv.DictReader(file))


def ps(seconds: float) -> int:
    return round(seconds * 1e9) * NS


def sessions(workload: Workload) -> Iterator[tuple[int, slice]]:
    """(parent request, requests) of each session."""
    first = workload.session_first_request.tolist()
    for i, parent in enumerate(workload.session_parent_request.tolist()):
        yield parent, slice(first[i], first[i + 1])


def agents_of(rows: list[dict[str, str]]) -> dict[tuple[str, str], list[dict[str, str]]]:
    agents: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        agents.setdefault((row["session"], row["agent"]), []).append(row)
    return agents


def test_weka_table_keeps_calls_sizes_and_reuse() -> None:
    rows = table("weka")
    workload = read_traces([sample_path("weka")])
    agents = agents_of(rows)
    assert workload.num_sessions == len(agents) == 20
    assert workload.num_requests == len(rows)
    expected = sorted(
        [
            (
                int(r["input_tokens"]),
                min(int(r["cached_prev_tokens"]), int(r["input_tokens"]) - 1),
                int(r["output_tokens"]),
            )
            for r in calls
        ]
        for calls in agents.values()
    )
    found = sorted(
        list(
            zip(
                workload.prompt_tokens[rows_].tolist(),
                workload.reuse_tokens[rows_].tolist(),
                workload.output_tokens[rows_].tolist(),
                strict=True,
            )
        )
        for _, rows_ in sessions(workload)
    )
    assert found == expected
    assert workload.kinds == ("coding",)


def test_weka_gaps_are_the_recorded_ones_but_after_sub_agents() -> None:
    agents = agents_of(table("weka"))
    spawning = {session for session, agent in agents if agent != "main"}
    workload = read_traces([sample_path("weka")])
    plain = sorted(
        [ps(float(row["gap_before_s"])) for row in calls] for (s, _), calls in agents.items() if s not in spawning
    )
    sizes = {tuple(int(r["input_tokens"]) for r in calls) for (s, _), calls in agents.items() if s not in spawning}
    found = sorted(
        workload.gap_ps[rows].tolist()
        for _, rows in sessions(workload)
        if tuple(workload.prompt_tokens[rows].tolist()) in sizes
    )
    assert found == plain


def test_weka_parent_waits_for_its_sub_agents_and_then_the_rest_of_its_gap() -> None:
    workload = read_traces([sample_path("weka")])
    agents = agents_of(table("weka"))
    children = [(parent, rows) for parent, rows in sessions(workload) if parent >= 0]
    assert len(children) == sum(agent != "main" for _, agent in agents)
    for (session, agent), calls in agents.items():
        if agent == "main":
            continue
        main = agents[session, "main"]
        spawner = max(i for i, row in enumerate(main) if float(row["t_s"]) <= float(calls[0]["t_s"]))
        mine = next(
            (parent, rows)
            for parent, rows in children
            if workload.prompt_tokens[rows].tolist() == [int(row["input_tokens"]) for row in calls]
        )
        parent, rows = mine
        assert workload.prompt_tokens[parent] == int(main[spawner]["input_tokens"])
        spawner_end = float(main[spawner]["t_s"]) + float(main[spawner]["api_time_s"])
        assert workload.gap_ps[rows.start] == ps(max(0.0, float(calls[0]["t_s"]) - spawner_end))
        if spawner + 1 < len(main):
            siblings = [c for (s, a), c in agents.items() if s == session and a != "main"]
            mates = [
                c
                for c in siblings
                if max(i for i, row in enumerate(main) if float(row["t_s"]) <= float(c[0]["t_s"])) == spawner
            ]
            ends = [float(c[-1]["t_s"]) + float(c[-1]["api_time_s"] or 0) for c in mates]
            rest = max(0.0, float(main[spawner + 1]["t_s"]) - max(*ends, spawner_end))
            assert workload.gap_ps[parent + 1] == ps(rest)
            assert rest < float(main[spawner + 1]["gap_before_s"]) + 1.5


def test_weka_tool_prompts_of_equal_size_and_model_are_shared() -> None:
    heads = {key: calls[0] for key, calls in agents_of(table("weka")).items()}
    groups = {(row["model"], row["tool_prefix_tokens"]) for row in heads.values()}
    workload = read_traces([sample_path("weka")])
    assert sorted(workload.group_tokens.tolist()) == sorted(int(tokens) for _, tokens in groups)
    assert (workload.session_group >= 0).all()


def test_weka_raw_and_table_of_one_session_agree() -> None:
    raw = read_traces([sample_path("weka-raw")])
    calls = agents_of(table("weka"))["trace_0015", "main"]
    assert raw.num_sessions == 1
    assert raw.prompt_tokens.tolist() == [int(row["input_tokens"]) for row in calls]
    assert raw.output_tokens.tolist() == [int(row["output_tokens"]) for row in calls]
    assert raw.reuse_tokens.tolist() == [int(row["cached_prev_tokens"]) for row in calls]
    assert raw.gap_ps.tolist() == [ps(float(row["gap_before_s"])) for row in calls]


def raw_call(t: float, tokens: int, blocks: list[int], **more: object) -> dict[str, object]:
    return {
        "t": t,
        "type": "n",
        "in": tokens,
        "out": 10,
        "hash_ids": blocks,
        "api_time": 2.0,
        "think_time": 1.0,
        **more,
    }


def raw_session(requests: list[dict[str, object]]) -> dict[str, object]:
    return {"id": "x", "block_size": 64, "tool_tokens": 50, "requests": requests}


def test_weka_raw_sub_agents_come_from_their_end_and_length(tmp_path: Path) -> None:
    run = {
        "t": 20.0,
        "type": "subagent",
        "duration_ms": 15000,
        "tool_tokens": 30,
        "requests": [raw_call(0.0, 100, [9]), raw_call(8.0, 200, [9, 8, 7], out=0)],
    }
    requests = [raw_call(0.0, 130, [1, 2]), run, raw_call(30.0, 260, [1, 2, 3, 4], type="s", ttft=0.5)]
    # many lines, as a pretty printer leaves it
    (tmp_path / "a.json").write_text(json.dumps(raw_session(requests), indent=1))
    workload = read_traces([tmp_path / "a.json"])
    assert workload.session_parent_request.tolist() == [-1, 0]
    assert workload.prompt_tokens.tolist() == [130, 260, 100, 200]
    assert workload.reuse_tokens.tolist() == [0, 128, 0, 64]
    assert workload.output_tokens.tolist() == [10, 10, 10, 1]
    # the run spans 5..20 s on the session's clock, its last call ends at 5 + 8 + 2
    assert workload.gap_ps.tolist() == [ps(1), ps(15), ps(3), ps(1)]


def test_a_folder_of_raw_weka_files(tmp_path: Path) -> None:
    for name, size in (("b.json", 300), ("a.json", 200)):
        (tmp_path / name).write_text(json.dumps(raw_session([raw_call(0.0, size, [1])])))
    (tmp_path / "notes.txt").write_text("not a trace")
    workload = read_traces([tmp_path])
    assert workload.num_sessions == 2
    assert sorted(workload.prompt_tokens.tolist()) == [200, 300]
    assert workload.group_tokens.tolist() == [50]


def test_openhands_gaps_are_what_the_model_did_not_take() -> None:
    rows = table("openhands")
    workload = read_traces([sample_path("openhands")])
    names = list(dict.fromkeys(row["session"] for row in rows))
    assert workload.num_sessions == len(names) == 3
    assert workload.prompt_tokens.tolist() == [int(row["input_tokens"]) for row in rows]
    assert workload.output_tokens.tolist() == [int(row["output_tokens"]) for row in rows]
    for name, (_, part) in zip(names, sessions(workload), strict=True):
        own = [row for row in rows if row["session"] == name]
        gaps = [0.0] + [
            float(b["t_action_s"]) - float(b["llm_latency_s"]) - float(a["t_action_s"])
            for a, b in itertools.pairwise(own)
        ]
        assert np.abs(workload.gap_ps[part] / 1e12 - gaps).max() < 1e-6
        inputs = [int(row["input_tokens"]) for row in own]
        assert workload.reuse_tokens[part].tolist() == [0, *inputs[:-1]]


def test_tracelab_rounds_are_sent_when_their_last_input_is_there() -> None:
    with gzip.open(sample_path("tracelab"), "rt") as file:
        rows = [json.loads(line) for line in file]
    workload = read_traces([sample_path("tracelab")])
    assert workload.num_sessions == 2
    assert workload.prompt_tokens.tolist() == [row["input_tokens_total"] for row in rows]
    assert workload.output_tokens.tolist() == [row["output_tokens"] for row in rows]
    assert workload.reuse_tokens.tolist() == [row["prefix_tokens"] if row["round_index"] else 0 for row in rows]
    assert workload.group_tokens.tolist() == [row["prefix_tokens"] for row in rows if not row["round_index"]]
    index = 1
    stamp = datetime.fromisoformat
    sent = stamp("2026-06-01T05:40:50.938+00:00")
    answered = stamp("2026-06-01T05:40:31.647+00:00")
    assert workload.gap_ps[index] == ps((sent - answered).total_seconds())


def test_taubench_turns_run_from_user_to_user() -> None:
    rows = table("taubench")
    workload = read_traces([sample_path("taubench")])
    replies = [row for row in rows if row["role"] == "assistant"]
    assert workload.num_requests == len(replies)
    assert workload.prompt_tokens.tolist() == [int(row["context_tokens_before"]) for row in replies]
    spoken = [int(row["content_tokens"]) + int(row["tool_call_tokens"]) for row in replies]
    assert workload.output_tokens.tolist() == spoken
    turns = sum(a["role"] in ("user", "system") and b["role"] == "assistant" for a, b in itertools.pairwise(rows))
    assert workload.num_turns == turns
    assert workload.kinds == ("chat",)
    assert workload.group_tokens.tolist() == [int(rows[0]["content_tokens"])]
    # whatever was said before is in the cache: the next prompt adds the message in between
    for _, part in sessions(workload):
        held = workload.prompt_tokens[part] + workload.output_tokens[part]
        assert (workload.reuse_tokens[part][1:] <= held[:-1]).all()


@pytest.mark.parametrize("name", ["weka", "openhands", "taubench", "tracelab", "eva-lengths"])
def test_sessions_without_a_clock_start_at_drawn_times(name: str) -> None:
    a, b, c = (read_traces([sample_path(name)], seed=seed) for seed in (1, 1, 2))
    roots = a.session_parent_request < 0
    assert a.session_start_ps.tobytes() == b.session_start_ps.tobytes()
    assert a.session_start_ps.tolist() != c.session_start_ps.tolist()
    assert (np.diff(a.session_start_ps[roots]) >= 0).all()
    assert a.session_start_ps[roots].max() < 40 * 10**12 * roots.sum()


def test_time_scale_presses_the_gaps_of_sessions() -> None:
    plain = read_traces([sample_path("weka")])
    pressed = read_traces([sample_path("weka")], time_scale=0.5)
    assert pressed.gap_ps.sum() == plain.gap_ps.sum() // 2
    assert pressed.session_start_ps.max() <= plain.session_start_ps.max() // 2 + NS


def test_a_sample_of_sessions_takes_sub_agents_along() -> None:
    whole = read_traces([sample_path("weka")])
    sizes = {tuple(whole.prompt_tokens[rows].tolist()) for _, rows in sessions(whole)}
    num_roots = int((whole.session_parent_request < 0).sum())
    with_child = 0
    for seed in range(12):
        part = read_traces([sample_path("weka")], sample=6, seed=seed)
        assert int((part.session_parent_request < 0).sum()) == 6 < num_roots
        assert {tuple(part.prompt_tokens[rows].tolist()) for _, rows in sessions(part)} <= sizes
        assert part.num_contexts == part.num_sessions
        for parent, rows in sessions(part):
            if parent >= 0:
                with_child += 1
                before = _parent_prompt(whole, part.prompt_tokens[rows].tolist())
                assert part.prompt_tokens[parent] == before
    assert with_child


def _parent_prompt(workload: Workload, prompts: list[int]) -> int:
    """Prompt of the request that spawned the session with these prompts."""
    parents = [parent for parent, rows in sessions(workload) if workload.prompt_tokens[rows].tolist() == prompts]
    return int(workload.prompt_tokens[parents[0]])
