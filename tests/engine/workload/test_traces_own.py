"""Our own JSON lines: what is written is what is replayed, in whatever order the lines stand."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.engine.core.config import Workload
from subsecond.engine.errors import InputError
from subsecond.engine.workload.traces import read_traces, sample_path

PS = 10**12


def replay(folder: Path, *lines: dict[str, object], **options: object) -> Workload:
    file = folder / "trace.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    return read_traces([file], **options)  # type: ignore[arg-type]  # a test's own options


def request(session: str, prompt: int = 100, output: int = 10, **more: object) -> dict[str, object]:
    return {"session": session, "prompt_tokens": prompt, "output_tokens": output, **more}


def test_the_shipped_example() -> None:
    workload = read_traces([sample_path("subsecond")])
    assert workload.kinds == ("coding", "voice", "request")
    assert workload.session_parent_request.tolist() == [-1, -1, -1, 1]
    # the call begins at 2.5 s, its first request is sent 2.9 s + 0.5 s later; "batch" at 4 s comes before it
    assert workload.session_start_ps.tolist() == [0, 4 * PS, round(5.9 * PS), 0]
    assert workload.group_tokens.tolist() == [12000]
    assert workload.num_requests == 10
    assert workload.num_turns == 9
    assert workload.before_ps["endpointing"].sum() == PS
    assert workload.is_barge_in.sum() == 1


def test_fields_become_columns(tmp_path: Path) -> None:
    workload = replay(
        tmp_path,
        request("a", 100, 20, kind="voice", start_s=1.5, gap_s=2, before_s={"vad": 0.5}, milestone_tokens=7, hold_s=3),
        request("a", 200, 30, gap_s=4, reuse_tokens=120, hold_s=1.5, barge_in=True, after_s={"tts": 0.25}),
        request("a", 300, 40, gap_s=0.5, same_turn=True, hold_s=0.25),
    )
    assert workload.session_start_ps.tolist() == [4 * PS]
    assert workload.prompt_tokens.tolist() == [100, 200, 300]
    assert workload.reuse_tokens.tolist() == [0, 120, 0]
    assert workload.output_tokens.tolist() == [20, 30, 40]
    assert workload.milestone_tokens.tolist() == [7, 30, 40]
    assert workload.gap_ps.tolist() == [int(2.5 * PS), 4 * PS, PS // 2]
    assert workload.hold_ps.tolist() == [3 * PS, int(1.5 * PS), PS // 4]
    assert workload.is_barge_in.tolist() == [False, True, False]
    assert workload.turn.tolist() == [0, 1, 1]
    assert {name: column.tolist() for name, column in workload.before_ps.items()} == {"vad": [PS // 2, 0]}
    assert {name: column.tolist() for name, column in workload.after_ps.items()} == {"tts": [0, PS // 4]}


def test_a_turn_of_several_requests_has_its_stages_once(tmp_path: Path) -> None:
    workload = replay(
        tmp_path,
        request("a", before_s={"vad": 0.5}, after_s={"tts": 0.25}),
        request("a", 200, gap_s=1, same_turn=True, hold_s=2),
    )
    assert workload.num_turns == 1
    assert workload.before_ps["vad"].tolist() == [PS // 2]
    assert workload.after_ps["tts"].tolist() == [PS // 4]
    assert workload.gap_ps.tolist() == [PS // 2, PS]


def test_time_scale_leaves_speech_alone(tmp_path: Path) -> None:
    line = request("a", start_s=2, gap_s=4, before_s={"vad": 0.5}, hold_s=3, after_s={"tts": 0.25})
    workload = replay(tmp_path, line, time_scale=0.5)
    assert workload.session_start_ps.tolist() == [int(3.5 * PS)]
    assert workload.hold_ps.tolist() == [3 * PS]
    assert workload.before_ps["vad"].tolist() == [PS // 2]


def test_hashes_share_with_the_request_before_in_the_session(tmp_path: Path) -> None:
    workload = replay(
        tmp_path,
        request("a", 40, hash_ids=[1, 2, 3], block_tokens=16),
        request("b", 40, hash_ids=[1, 2, 3], block_tokens=16),
        request("a", 70, hash_ids=[1, 2, 9, 4, 5], block_tokens=16),
        request("a", 32, hash_ids=[1, 2], block_tokens=16),
    )
    by_context = dict(zip(workload.session_context.tolist(), workload.session_first_request.tolist(), strict=False))
    a = by_context[0]
    assert workload.reuse_tokens[a : a + 3].tolist() == [0, 32, 31]
    assert int(workload.reuse_tokens.sum()) == 63


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_any_order_of_lines_and_any_tree_of_sessions(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n: int
) -> None:
    """Parents, children and grandchildren, interleaved: each request keeps its session, each child its parent."""
    draw = random.Random(seed)
    lines: list[dict[str, object]] = []
    counts: dict[str, int] = {}
    parent_of: dict[str, int | None] = {}
    for i in range(n):
        name = f"s{i}"
        parent = draw.choice([*counts, None]) if counts else None
        parent_of[name] = None
        head = request(name, 1000 + len(lines))
        if parent is None:
            head["start_s"] = draw.randrange(5)
        else:
            head["parent"] = parent
            parent_of[name] = max(int(str(x["prompt_tokens"])) for x in lines if x["session"] == parent)
        lines.append(head)
        counts[name] = 1
        for _ in range(draw.randrange(4)):
            again = draw.choice(list(counts))
            counts[again] += 1
            lines.append(request(again, 1000 + len(lines), gap_s=draw.randrange(3)))
    workload = replay(tmp_path_factory.mktemp("own"), *lines)
    expected = {
        tuple(int(str(x["prompt_tokens"])) for x in lines if x["session"] == name): parent_of[name] for name in counts
    }
    first = workload.session_first_request.tolist()
    found = {}
    for i, parent_request in enumerate(workload.session_parent_request.tolist()):
        prompts = tuple(workload.prompt_tokens[first[i] : first[i + 1]].tolist())
        found[prompts] = None if parent_request < 0 else int(workload.prompt_tokens[parent_request])
    assert found == expected
    sampled = replay(tmp_path_factory.mktemp("own"), *lines, sample=2, seed=seed)
    assert int((sampled.session_parent_request < 0).sum()) == min(2, sum(p is None for p in parent_of.values()))


@pytest.mark.parametrize(
    ("lines", "field", "line"),
    [
        ([request("a", reuse_tokens=100)], "reuse_tokens", 1),
        ([request("a", reuse_tokens=1, hash_ids=[1])], "reuse_tokens", 1),
        ([request("a", milestone_tokens=11)], "milestone_tokens", 1),
        ([request("a", hash_ids=[1, 2, 3])], "hash_ids", 1),
        ([request("a"), request("a", kind="coding")], "kind", 2),
        ([request("a"), request("a", start_s=3)], "start_s", 2),
        ([request("a", start_s=1), request("b")], "start_s", 2),
        ([request("a"), request("b", parent="c")], "parent", 2),
        ([request("a", parent="a")], "parent", 1),
        ([request("a"), request("b", parent="a", start_s=1)], "start_s", 2),
        ([request("a", after_s={"tts": 2}, hold_s=1)], "hold_s", 1),
        ([request("a", after_s={"tts": 2}, hold_s=3), request("a", same_turn=True, hold_s=1)], "hold_s", 2),
        ([request("a"), request("a", same_turn=True, before_s={"x": 1})], "same_turn", 2),
        ([request("a", shared_prefix="p")], "shared_prefix", 1),
        (
            [request(n, shared_prefix="p", shared_prefix_tokens=t) for n, t in (("a", 5), ("b", 6))],
            "shared_prefix_tokens",
            2,
        ),
        ([request("a"), request("a", promt=3)], "promt", 2),
        ([request("a"), request("", 5)], "session", 2),
        ([request("a"), request("b", gap_s=-1)], "gap_s", 2),
        ([request("a"), request("b", before_s={"x": -1})], "before_s[...]", 2),
    ],
)
def test_contradictions_are_named(tmp_path: Path, lines: list[dict[str, object]], field: str, line: int) -> None:
    with pytest.raises(InputError) as caught:
        replay(tmp_path, *lines)
    assert caught.value.where == f"{tmp_path / 'trace.jsonl'}:{line}"
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("lines", "place", "field"),
    [
        ([request("a", kind="all")], 1, "kind"),
        ([request("a", kind="x" * 41)], 1, "kind"),
        ([request("a", kind="red\x1b[31m")], 1, "kind"),
        ([request("a", before_s={"prefill": 1})], 1, "before_s"),
        ([request("a"), request("b", before_s={"tools": 1})], 2, "before_s"),
        ([request("a", hold_s=9, after_s={"retry": 1})], 1, "after_s"),
        ([request("a", before_s={"x": 1}), request("b", hold_s=9, after_s={"x": 1})], 2, "after_s"),
        ([request(f"s{i}", kind=f"k{i}") for i in range(65)], 65, "kind"),
        ([request(f"s{i}", before_s={f"stage {i}": 1}) for i in range(65)], 65, "before_s"),
    ],
)
def test_names_that_results_could_not_tell_apart_are_refused(
    tmp_path: Path, lines: list[dict[str, object]], place: int, field: str
) -> None:
    with pytest.raises(InputError) as caught:
        replay(tmp_path, *lines)
    assert caught.value.where.endswith(f"trace.jsonl:{place}")
    assert caught.value.field == field


def test_many_kinds_and_stages_are_fine(tmp_path: Path) -> None:
    lines = [request(f"s{i}", kind=f"k{i}", before_s={f"stage {i}": 1}) for i in range(63)]
    workload = replay(tmp_path, *lines)
    assert len(workload.kinds) == 63
    assert len(workload.before_ps) == 63
