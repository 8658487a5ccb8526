"""What `docs/recording.md` shows works as written."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from support.recordings import MS, gauges, hello, turn

from subsecond.agents.plan import plan_run
from subsecond.engine.recording.from_run import write_run
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.schema import APPLICATION_ID, FORMAT
from subsecond.engine.recording.writer import Recorder
from subsecond.engine.run import run_plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario

TEXT = (Path(__file__).parents[3] / "docs" / "recording.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default scenario, shorter."""
    tables, path = load_tables("playground")
    apply_settings(tables, ["duration_s=60", "coding.sessions=30", "voice.sessions=30"])
    file = tmp_path_factory.mktemp("recordings") / "race.subsecond"
    write_run(file, run_plan(plan_run(parse_scenario(tables, path))))
    return file


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recordings") / "live.subsecond"
    with Recorder(file, hello()) as recorder:
        for number in range(20):
            recorder.put(turn(number))
            recorder.put(gauges(number * 100 * MS, queued=number))
    return file


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_gives_rows(query: str, recorded: Path, live: Path) -> None:
    connection = sqlite3.connect(live if "server_gauges" in query else recorded)
    rows = connection.execute(query).fetchall()
    connection.close()
    assert rows
    assert any(value is not None for value in rows[0])


def test_every_table_and_column_is_described(recorded: Path) -> None:
    connection = sqlite3.connect(recorded)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    assert [name for name in names if f"`{name}`" not in TEXT] == []
    fixed = [row[1] for name in names for row in connection.execute(f"PRAGMA table_info({name})")]
    connection.close()
    words = set(re.findall(r"\w+", TEXT))
    generated = re.compile(r"stage_\w+|met[_ ].*")
    assert sorted({name for name in fixed if not generated.fullmatch(name)} - words) == []


def test_every_key_of_the_run_is_described(recorded: Path) -> None:
    connection = sqlite3.connect(recorded)
    keys = [key for (key,) in connection.execute("SELECT key FROM meta")]
    connection.close()
    assert [key for key in [*keys, "writer_pid"] if f"`{key}`" not in TEXT] == []
    assert f"0x{APPLICATION_ID:x}" in TEXT
    assert f"the format, which is {FORMAT}." in TEXT


def test_the_percentile_is_the_one_that_the_results_have(recorded: Path) -> None:
    tables, path = load_tables("playground")
    apply_settings(tables, ["duration_s=60", "coding.sessions=30", "voice.sessions=30"])
    run = run_plan(plan_run(parse_scenario(tables, path)))
    (query,) = [query for query in QUERIES if "p95_ms" in query]
    connection = sqlite3.connect(recorded)
    found = {(lane, agent): p95_ms for lane, agent, p95_ms in connection.execute(query)}
    connection.close()
    expected = {
        (name, kind): lane.groups[kind].latency_ps["p95"] / MS
        for name, lane in run.lanes.items()
        for kind in ("coding", "voice")
    }
    assert found == pytest.approx(expected)


def test_the_python_example_runs(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(recorded.parent)
    printed: list[object] = []
    names: dict[str, object] = {"print": printed.append}
    exec(example, names)
    with Recording.open(recorded) as recording:
        assert printed == list(recording.messages(since_ps=60 * 10**12))
        assert names["turns"] == recording.turn_ends(until_ps=60 * 10**12)[-500:]
