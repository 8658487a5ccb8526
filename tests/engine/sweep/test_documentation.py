"""What `docs/sweep.md` shows is what there is."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
from hypothesis import given
from hypothesis import strategies as st
from support.sweeps import small_sweep, swept

from subsecond.agents.sweep.threads import Threads
from subsecond.engine.histogram import Histogram
from subsecond.engine.sweep.manifest import Axis

TEXT = (Path(__file__).parents[3] / "docs" / "sweep.md").read_text(encoding="utf-8")


def test_the_example_is_a_sweep(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    manifest = small_sweep(tmp_path, example).manifest
    keys = ["coding.sessions", "gpu.replicas", "trn-cs3.ingest_gb_s", "trn-cs3.residency"]
    assert [axis.key for axis in manifest.axes] == keys
    assert manifest.axes[1] == Axis("gpu.replicas", "grid", [1, 2, 4, 8])
    assert (len(manifest.points), manifest.seeds) == (3 * 4 * 20, [1, 2, 3])


def test_every_column_stands_in_the_document(tmp_path: Path) -> None:
    names = ds.dataset(swept(tmp_path, Threads(1)) / "tasks").schema.names
    section = TEXT.partition("## The tables")[2].partition("## The document")[0]
    documented = {
        name for row in re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE) for name in re.findall(r"`(.*?)`", row)
    }
    assert {name for name in names if not name.startswith("set.")} == documented - {"set.KEY"}


@given(st.integers(1, 1 << 49))
def test_the_formula_of_the_buckets_is_right(ns: int) -> None:
    histogram = Histogram()
    histogram.add(np.array([1000 * ns]))
    (bucket,) = histogram.sparse()[0].tolist()
    begin, end = ((1 << (b // 128)) * (1 + Fraction(b % 128, 128)) for b in (bucket - 1, bucket))
    assert begin <= ns < end
