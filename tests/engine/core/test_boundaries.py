"""Ended iterations of many servers at once: those of each server by itself."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from subsecond.engine.core.boundaries import boundaries_by
from subsecond.engine.core.kernel.segment import boundaries_until, boundary

SEGMENT = st.tuples(
    st.integers(0, 10**15), st.integers(1, 10**12), st.integers(0, 10**6), st.integers(1, 10**5), st.integers(0, 1)
)


@given(st.lists(st.tuples(SEGMENT, st.integers(0, 10**5), st.integers(-2, 2)), min_size=1, max_size=8))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_all_at_once_is_one_by_one(cases: list[tuple[tuple[int, int, int, int, int], int, int]]) -> None:
    """Asked around the ends of iterations, where a guess goes wrong."""
    columns = np.array([segment for segment, _, _ in cases], np.int64)
    start, base, slope, count, busy = columns.T
    for (first, length, grows, most, _), step, off in cases:
        at = boundary(first, length, grows, min(step, most)) + off
        expected = [
            boundaries_until(SimpleNamespace(start=s, base=b, slope=g, count=c, busy=i), at)  # type: ignore[arg-type]  # as far as it is read
            for s, b, g, c, i in columns.tolist()
        ]
        found = boundaries_by(at, start, base, slope, np.where(busy == 1, count, 0))
        assert found.tolist() == [max(0, e) for e in expected]
