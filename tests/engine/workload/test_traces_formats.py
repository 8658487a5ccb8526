"""Every format is recognised by content, and every shipped or shared trace becomes a sane workload."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.small import colocated, disaggregated

from subsecond.engine.core.config import Pipeline, Status, Workload
from subsecond.engine.core.engine import Engine
from subsecond.engine.errors import InputError
from subsecond.engine.workload import traces
from subsecond.engine.workload.traces import FORMATS, read_traces, sample_names, sample_path
from subsecond.engine.workload.traces.formats import format_named, format_of
from subsecond.engine.workload.traces.source import Source

FORMAT_OF = {"weka-raw": "weka", "eva-lengths": "eva"}
NO_REQUESTS = ("servegen_", "voice_ami", "voice_letsgo", "voice_tau2_interaction")
SHARED = Path(__file__).parents[4] / "shared" / "traces"


def check_sane(workload: Workload) -> None:
    assert workload.num_requests >= workload.num_turns >= workload.num_sessions >= 1
    assert len(np.unique(workload.session_context)) == workload.num_contexts
    assert (workload.prompt_tokens <= 10_000_000).all()
    used = workload.session_group[workload.session_group >= 0]
    assert len(np.unique(used)) <= len(workload.group_tokens)
    before = sum(column.sum() for column in workload.before_ps.values())
    assert before <= workload.gap_ps.sum()


def test_public_names() -> None:
    assert sorted(traces.__all__) == ["FORMATS", "SAMPLE_PREFIX", "read_traces", "sample_names", "sample_path"]
    assert FORMATS[:3] == ("weka", "mooncake", "azure")
    assert {"openhands", "tracelab", "tau2-ticks", "subsecond"} < set(FORMATS)


def test_every_format_has_a_sample() -> None:
    assert {FORMAT_OF.get(name, name) for name in sample_names()} == set(FORMATS)


@pytest.mark.parametrize("name", sample_names())
def test_samples_are_recognised_under_any_name_and_load(tmp_path: Path, name: str) -> None:
    anonymous = tmp_path / "x"
    shutil.copyfile(sample_path(name), anonymous)
    form = format_of(Source(anonymous))
    assert form.format == FORMAT_OF.get(name, name)
    assert format_named(form.format, Source(anonymous)) is form
    found, forced = read_traces([anonymous]), read_traces([anonymous], trace_format=form.format)
    check_sane(found)
    assert found.gap_ps.tobytes() == forced.gap_ps.tobytes()


@pytest.mark.parametrize("name", sample_names())
def test_samples_are_named_like_paths(name: str) -> None:
    by_name, by_path = read_traces([Path(f"sample:{name}")]), read_traces([sample_path(name)])
    assert by_name.prompt_tokens.tobytes() == by_path.prompt_tokens.tobytes()


@pytest.mark.parametrize("name", sample_names())
def test_samples_are_small_and_their_source_and_licence_are_told(name: str) -> None:
    path = sample_path(name)
    assert path.stat().st_size <= 100_000
    notice = (path.parent / "README.md").read_text()
    row = next(line for line in notice.splitlines() if f"| `{name}` |" in line)
    assert path.name in row
    assert any((path.parent / "LICENSES" / f"{licence}.txt").exists() for licence in _licences(row))


def _licences(row: str) -> list[str]:
    known = ["Apache-2.0", "CC-BY-4.0", "MIT-OpenHands", "MIT-tau-bench", "MIT-tau2-bench", "MIT-eva"]
    return [licence for licence in known if licence in row.replace("CC BY 4.0", "CC-BY-4.0")]


def test_all_samples_together_are_one_workload() -> None:
    parts = [read_traces([sample_path(name)]) for name in sample_names()]
    whole = read_traces([sample_path(name) for name in sample_names()])
    check_sane(whole)
    assert whole.num_sessions == sum(part.num_sessions for part in parts)
    assert whole.num_turns == sum(part.num_turns for part in parts)
    assert whole.num_contexts == sum(part.num_contexts for part in parts)
    assert int(whole.reuse_tokens.sum()) == sum(int(part.reuse_tokens.sum()) for part in parts)
    assert int(whole.hold_ps.sum()) == sum(int(part.hold_ps.sum()) for part in parts)
    assert int(whole.before_ps["endpointing"].sum()) == sum(
        int(part.before_ps["endpointing"].sum()) for part in parts if part.before_ps
    )
    assert set(whole.kinds) == {kind for part in parts for kind in part.kinds}


@pytest.mark.parametrize("pipeline", [colocated(capacity=600_000), disaggregated(capacity=600_000)])
@pytest.mark.parametrize("name", ["subsecond", "harpervalley", "eva", "tracelab"])
def test_a_replayed_trace_runs_to_its_end(name: str, pipeline: Pipeline) -> None:
    workload = read_traces([sample_path(name)])
    engine = Engine(pipeline, workload, seed=1)
    engine.run()
    results = engine.results()
    assert set(results.status.tolist()) <= {Status.FINISHED, Status.CANCELLED, Status.TOO_LONG}
    assert (results.status == Status.FINISHED).any()


if SHARED.exists():  # traces beside the repository, larger than the samples

    def test_every_shared_trace_loads_or_says_that_it_holds_no_requests() -> None:
        files = sorted(path for path in SHARED.glob("*.*") if path.suffix in (".gz", ".csv", ".jsonl"))
        loaded = 0
        for path in files:
            if path.name.startswith(NO_REQUESTS):
                with pytest.raises(InputError, match="expected a trace in one of the formats"):
                    read_traces([path])
            else:
                check_sane(read_traces([path]))
                loaded += 1
        assert loaded >= 10
        check_sane(read_traces([SHARED / "weka_raw_examples"]))
