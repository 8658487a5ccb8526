"""Rows of sweeps hold all of an outcome: there and back, through Parquet, and merged over replicas."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.agents.study.points import Base, Point, lane_turns, load_base, plan_point, run_point
from subsecond.engine.errors import InputError
from subsecond.engine.histogram import Histogram
from subsecond.engine.outcome import LaneOutcome, merged
from subsecond.engine.sweep.manifest import SCHEMA, Axis, Manifest, Value, differences
from subsecond.engine.sweep.parquet import read_rows, write_rows
from subsecond.engine.sweep.reader import results_of
from subsecond.engine.sweep.rows import Row, digest_of, failed_row, outcomes_of, rows_of
from subsecond.engine.turns import TurnState

SEEDS = (3, 4, 5)


@pytest.fixture(scope="module")
def base() -> Base:
    return load_base("playground", settings=["duration_s=30", "coding.sessions=4", "voice.sessions=6"])


@pytest.fixture(scope="module")
def runs(base: Base) -> list[list[LaneOutcome]]:
    return [run_point(base, Point(seed=seed)) for seed in SEEDS]


def manifest(points: list[list[Value]], axes: list[Axis], replicas: int = 3) -> Manifest:
    seeds = list(SEEDS[:replicas])
    tasks = [[(point, replica) for point in range(len(points)) for replica in range(replicas)]]
    return Manifest(
        SCHEMA, "s", "", "1", "c", "f", "playground", {}, {}, {"duration_s": 30}, axes, seeds, points, tasks
    )


def rows(runs: list[list[LaneOutcome]]) -> list[Row]:
    return [row for replica, outcomes in enumerate(runs) for row in rows_of(0, replica, SEEDS[replica], outcomes)]


def same(first: LaneOutcome, second: LaneOutcome) -> bool:
    for kind, group in first.groups.items():
        other = second.groups[kind]
        if (group.histogram.counts != other.histogram.counts).any():
            return False
        names = [name for name in group.__dataclass_fields__ if name != "histogram"]
        if [getattr(group, name) for name in names] != [getattr(other, name) for name in names]:
            return False
    parts = "lane", "span_ps", "pools", "link_busy", "runs"
    return list(first.groups) == list(second.groups) and all(getattr(first, p) == getattr(second, p) for p in parts)


def test_rows_hold_all_of_an_outcome(runs: list[list[LaneOutcome]]) -> None:
    for outcomes in runs:
        back = outcomes_of(rows_of(0, 0, 3, outcomes))
        assert [lane.lane for lane in back] == ["trn-cs3", "gpu"]
        assert all(same(first, second) for first, second in zip(outcomes, back, strict=True))


def test_parquet_gives_rows_back_as_they_were(runs: list[list[LaneOutcome]], tmp_path: Path) -> None:
    own = [*rows(runs), failed_row(1, 0, 3, "coding.sessions: got 0")]
    made = manifest(
        [[1, "a"], [2, "b"]], [Axis("gpu.replicas", "grid", [1, 2]), Axis("gpu.kv_dtype", "grid", ["a", "b"])]
    )
    path = tmp_path / "t.parquet"
    with path.open("wb") as file:
        write_rows(file, made, 0, own)
    assert list(read_rows(path)) == own
    again = BytesIO()
    write_rows(again, made, 0, own)
    assert again.getvalue() == path.read_bytes()


def test_settings_are_columns_of_one_type_in_all_files(runs: list[list[LaneOutcome]], tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    values: list[list[Value]] = [[1, 1, True, "a"], [2, 2.5, False, 3]]
    axes = [Axis(key, "grid") for key in ("whole", "mixed", "switch", "words")]
    schemas = []
    for point in (0, 1):
        path = tmp_path / f"{point}.parquet"
        with path.open("wb") as file:
            write_rows(file, manifest(values, axes), point, [failed_row(point, 0, 3, "x")])
        schemas.append(pq.read_schema(path).remove_metadata())
    assert schemas[0] == schemas[1]
    types = {
        name: str(schemas[0].field(f"set.{name}").type) for name in ("whole", "mixed", "switch", "words", "duration_s")
    }
    assert types == {"whole": "int64", "mixed": "double", "switch": "bool", "words": "string", "duration_s": "int64"}


def test_the_merged_histogram_is_that_of_all_turns(base: Base, runs: list[list[LaneOutcome]]) -> None:
    results = results_of(manifest([[]], []), rows(runs))
    (point,) = results.points
    for name in ("trn-cs3", "gpu"):
        latencies: dict[str, list[int]] = {"coding": [], "voice": []}
        for seed in SEEDS:
            turns = lane_turns(plan_point(base, Point(seed=seed)), name)
            for number, kind in enumerate(turns.kinds):
                picked = turns.counted & (turns.kind == number) & (turns.state == TurnState.ANSWERED)
                latencies[kind] += turns.latency_ps[picked].tolist()
        for kind, group in point.lanes[name].groups.items():
            every = Histogram()
            every.add(np.array(latencies[kind], np.int64))
            assert (every.counts == group.histogram.counts).all()
            assert group.answered == len(latencies[kind])


def test_results_merge_as_outcomes_do(runs: list[list[LaneOutcome]]) -> None:
    (point,) = results_of(manifest([[]], []), rows(runs)).points
    for place, lane in enumerate(point.lanes.values()):
        assert same(lane, merged([outcomes[place] for outcomes in runs]))
    assert len(point.replicas) == 3


@given(st.permutations(range(3)))
def test_the_digest_does_not_depend_on_the_order_of_runs(order: list[int]) -> None:
    parts = [[failed_row(0, replica, 3, "a"), failed_row(0, replica, 3, "b")] for replica in range(3)]
    shuffled = [row for place in order for row in parts[place]]
    assert digest_of(shuffled) == digest_of(row for part in parts for row in part)
    assert digest_of(shuffled) != digest_of(shuffled[1:])


def test_a_point_with_failed_and_other_runs_has_both(runs: list[list[LaneOutcome]]) -> None:
    own = [*rows(runs[:2]), failed_row(0, 2, 5, "crash")]
    results = results_of(manifest([[]], []), own)
    (point,) = results.points
    assert point.lanes["gpu"].runs == 2
    assert [failure.error for failure in results.failures] == ["crash"]
    assert results.is_finished


def test_rows_of_no_run_of_the_sweep_are_refused() -> None:
    with pytest.raises(InputError, match="a run of this sweep"):
        results_of(manifest([[]], []), [failed_row(1, 0, 3, "x")])


def test_differences_name_what_has_changed() -> None:
    before = manifest([[1]], [Axis("gpu.replicas", "grid", [1])])
    after = manifest([[1], [2]], [Axis("gpu.replicas", "grid", [1, 2])], replicas=2)
    words = ", ".join(differences(before, after))
    assert "the axes (gpu.replicas)" in words
    assert "the seeds of the replicas" in words
    assert list(differences(before, before)) == []
    assert before.digest != after.digest
