"""The search for the largest load, held against a scan of all loads."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from subsecond.agents.study.search import NEIGHBOURS, Boundary, Trial, search
from subsecond.engine.confidence import Share

TARGET = 0.9
Attainment = Callable[[int], Share]


def found(most: int, attainment: Attainment, precision: float = 0.0) -> tuple[Boundary, list[int]]:
    """The boundary, and the loads in the order in which they were asked for."""
    asking, asked = search(most, precision), []
    load = next(asking)
    while True:
        asked.append(load)
        try:
            load = asking.send(Trial(load, attainment(load), TARGET))
        except StopIteration as end:
            return end.value, asked


def falling(kept: int, doubt: int = 0) -> Attainment:
    """Kept up to a load; so many loads around it are in doubt."""

    def attainment(load: int) -> Share:
        value = TARGET + (kept - load) * 1e-5 + 0.5e-5
        reach = (doubt + 0.25) * 1e-5
        return Share(value, value - reach, value + reach)

    return attainment


@settings(deadline=None)  # a busy machine
@given(st.integers(1, 3000), st.integers(0, 4000), st.integers(0, 50))
def test_where_attainment_falls_the_search_finds_what_a_scan_finds(most: int, kept: int, doubt: int) -> None:
    boundary, asked = found(most, falling(kept, doubt))
    assert boundary.load == min(kept, most)
    assert boundary.missed == (None if kept >= most else kept + 1)
    attainment = falling(kept, doubt)
    loads = range(1, most + 1)
    trials = {load: Trial(load, attainment(load), TARGET) for load in loads}
    assert boundary.surely_kept == max((n for n in loads if trials[n].is_surely_kept), default=0)
    missed = None if boundary.missed is None else min((n for n in loads if trials[n].is_surely_missed), default=None)
    assert boundary.surely_missed == missed
    assert boundary.exceptions == ()
    assert len(asked) == len(set(asked)) <= 4 * math.ceil(math.log2(most + 1)) + 2 * NEIGHBOURS + 4
    assert tuple(trial.load for trial in boundary.trials) == tuple(sorted(asked))


@settings(deadline=None)  # a busy machine
@given(st.integers(1, 200), st.lists(st.sampled_from([0.80, 0.89, 0.91, 1.0]), min_size=200, max_size=200))
def test_whatever_runs_show_the_boundary_is_one_and_what_disagrees_is_said(most: int, shares: list[float]) -> None:
    def attainment(load: int) -> Share:
        value = shares[load - 1]
        return Share(value, max(0.0, value - 0.05), min(1.0, value + 0.05))

    boundary, asked = found(most, attainment)
    kept = {load: shares[load - 1] >= TARGET for load in asked}
    assert boundary.load == 0 or kept[boundary.load]
    if boundary.missed is not None:
        assert not kept[boundary.missed]
        assert boundary.missed > boundary.load
        if boundary.load:
            assert boundary.missed == boundary.load + 1
            below = range(max(1, boundary.load - NEIGHBOURS), boundary.load)
            assert all(kept[load] for load in below)
    odd = [n for n in asked if n < boundary.load and not kept[n]]
    odd += [n for n in asked if boundary.missed is not None and n > boundary.missed and kept[n]]
    assert boundary.exceptions == tuple(sorted(odd))
    assert boundary.surely_kept <= boundary.load


def test_a_dip_below_the_boundary_is_found_by_its_neighbours() -> None:
    def attainment(load: int) -> Share:
        value = 1.0 if load <= 16 and load != 15 else 0.5
        return Share(value, value, value)

    boundary, _ = found(64, attainment)
    assert (boundary.load, boundary.missed, boundary.exceptions) == (14, 15, (16,))


def test_a_first_load_that_misses_by_chance_does_not_end_the_search() -> None:
    def attainment(load: int) -> Share:
        if load == 1:
            return Share(0.85, 0.6, 1.0)
        return falling(40)(load)

    boundary, _ = found(100, attainment)
    assert (boundary.load, boundary.missed, boundary.exceptions) == (40, 41, (1,))


def test_loads_may_lie_as_far_apart_as_precision_allows() -> None:
    boundary, asked = found(4096, falling(1000), 0.05)
    assert boundary.missed is not None
    assert boundary.load <= 1000 < boundary.missed
    assert boundary.missed - boundary.load <= 0.05 * boundary.load
    assert len(asked) < len(found(4096, falling(1000))[1])


def test_single_runs_have_a_boundary_and_nothing_sure() -> None:
    boundary, _ = found(64, lambda load: Share(float(load <= 20), None, None))
    assert (boundary.load, boundary.missed, boundary.surely_kept, boundary.surely_missed) == (20, 21, 0, None)
