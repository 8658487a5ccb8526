"""Published measurements that the parameters were not first fitted to: the target holds on them too."""

from __future__ import annotations

from pathlib import Path

import pytest

from subsecond.engine.catalog import MEASUREMENTS
from subsecond.engine.latency.measurements import Measurement, read_measurements
from subsecond.engine.latency.validation import predict_rows, summarise

HELD_OUT = Path(__file__).parent / "heldout.csv"


def rows_of(part: str) -> list[Measurement]:
    return [row for row in read_measurements(HELD_OUT) if row.pairs["set"] == part]


@pytest.mark.parametrize(
    ("part", "median", "within"),
    [
        ("development", 0.20, 0.80),
        ("last third", 0.20, 0.80),
        ("fresh", 0.20, 0.80),
    ],
)
def test_the_target_holds_on_held_out_rows(part: str, median: float, within: float) -> None:
    rows = rows_of(part)
    summary = summarise(predict_rows(rows))
    assert summary.rows > 50
    assert summary.predicted == summary.rows
    assert summary.median_abs_error is not None
    assert summary.within_35_percent is not None
    assert summary.median_abs_error <= median
    assert summary.within_35_percent >= within


def test_no_held_out_row_is_a_shipped_one() -> None:
    def setup(row: Measurement) -> tuple[object, ...]:
        return (
            row.kind,
            row.engine,
            row.device,
            row.model,
            row.weight_dtype,
            row.tp,
            row.parallel,
            row.input_tokens,
            row.cached_tokens,
            row.output_tokens,
            row.concurrency,
            row.spec_decode,
            row.metric,
            row.value,
        )

    shipped = {setup(row) for row in read_measurements(MEASUREMENTS)}
    assert not [row.id for row in read_measurements(HELD_OUT) if setup(row) in shipped]


def test_every_held_out_row_names_its_source() -> None:
    lines = HELD_OUT.read_text(encoding="utf-8").splitlines()
    column = lines[0].split(",").index("source")
    assert column > 0
    rows = read_measurements(HELD_OUT)
    assert len({row.id for row in rows}) == len(rows)
    assert all(row.pairs["family"] and row.pairs["set"] for row in rows)
