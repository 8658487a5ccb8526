"""Designs of sweeps: which points there are, and how their runs are cut into tasks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sweeps import many_tasks, small_sweep

from subsecond.agents.sweep.design import points_of, setting_of
from subsecond.agents.sweep.spec import AxisSpec, Range, Spec
from subsecond.agents.sweep.tasks import partition
from subsecond.engine.scenario import apply_settings


def spec(*random: AxisSpec, points: int = 8, seed: int = 1) -> Spec:
    return Spec("s", "", "s", "playground", None, None, None, 1, None, {}, (), random, points, seed, "")


@given(st.floats(0.001, 100), st.floats(1.5, 100), st.booleans(), st.integers(1, 60), st.integers(0, 2**63 - 1))
def test_each_slice_of_a_range_is_drawn_from_once(
    low: float, factor: float, is_log: bool, points: int, seed: int
) -> None:
    span = Range(low, low * factor, None, is_log)
    drawn = [point[0] for point in points_of(spec(AxisSpec("x", span), points=points, seed=seed))]
    edges = [span.at(i / points) for i in range(points + 1)]
    for value, lower, upper in zip(sorted(map(float, drawn)), edges[:-1], edges[1:], strict=True):
        assert lower * (1 - 1e-5) <= value <= upper * (1 + 1e-5)


@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 1000))
def test_a_list_is_drawn_from_evenly(values: int, points: int, seed: int) -> None:
    drawn = [p[0] for p in points_of(spec(AxisSpec("x", tuple(range(values))), points=points, seed=seed))]
    counts = [drawn.count(value) for value in range(values)]
    assert max(counts) - min(counts) <= (points % values > 0)


def test_whole_ranges_reach_both_ends() -> None:
    drawn = [point[0] for point in points_of(spec(AxisSpec("x", Range(1, 4, None, False)), points=40))]
    assert sorted(drawn) == [1] * 10 + [2] * 10 + [3] * 10 + [4] * 10
    assert all(isinstance(value, int) for value in drawn)


def test_another_axis_leaves_the_draws_of_the_first_as_they_are() -> None:
    first, second = AxisSpec("x", Range(0.0, 1.0, None, False)), AxisSpec("y", Range(0.0, 1.0, None, False))
    alone = [point[0] for point in points_of(spec(first))]
    assert [point[1] for point in points_of(spec(second, first))] == alone
    assert [point[0] for point in points_of(spec(second, first))] != alone
    assert [point[0] for point in points_of(spec(first, seed=2))] != alone


@given(
    st.one_of(
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_characters="\x7f", exclude_categories=["Cs"])),
    )
)
def test_a_setting_says_the_value_that_was_meant(value: bool | int | float | str) -> None:
    tables: dict[str, object] = {}
    apply_settings(tables, [setting_of("x", value)])
    assert tables["x"] == value
    assert type(tables["x"]) is type(value)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(1, 4),
    st.lists(st.floats(1, 1e7), min_size=30, max_size=30),
)
def test_every_run_is_in_one_task(points: list[tuple[int, int]], replicas: int, work: list[float]) -> None:
    tasks = partition(points, ["coding.sessions", "gpu.replicas"], ["gpu"], replicas, work)
    runs = [run for task in tasks for run in task]
    assert sorted(runs) == [(point, replica) for point in range(len(points)) for replica in range(replicas)]
    assert all(tasks)


def test_runs_with_the_same_sessions_follow_one_another() -> None:
    points = [(a, b) for a in range(3) for b in range(3)]
    for keys in (["coding.sessions", "gpu.replicas"], ["gpu.replicas", "coding.sessions"]):
        (task,) = partition(points, keys, ["gpu"], 2, [1.0] * 9)
        drawn = [(points[point][keys.index("coding.sessions")], replica) for point, replica in task]
        assert len(dict.fromkeys(drawn)) == 6
        assert drawn == [run for run in dict.fromkeys(drawn) for _ in range(3)]


def test_tasks_grow_with_the_sweep_and_stay_within_seconds() -> None:
    for runs, most in ((10, 1), (1000, 70), (20_000, 140)):
        tasks = partition([(i,) for i in range(runs)], ["gpu.replicas"], ["gpu"], 1, [15_000.0] * runs)
        assert 1 <= len(tasks) <= most
        assert max(len(task) for task in tasks) * 15_000 <= 3_000_000
    big = partition([(i,) for i in range(5)], ["gpu.replicas"], ["gpu"], 1, [1e7] * 5)
    assert [len(task) for task in big] == [1] * 5


def test_work_is_in_proportion_to_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_tasks(monkeypatch)
    text = 'scenario = "coding-fleet"\n[grid]\n"coding.sessions" = [160, 1600]\n'
    small, large = small_sweep(tmp_path, text).work
    assert 5 * small < large < 10 * small
