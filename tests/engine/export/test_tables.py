"""What is exported is what the recording holds: every value of every table, read back by other programs."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest
from support.recordings import MS, S, hello, turn

from subsecond.engine.errors import InputError
from subsecond.engine.export import formats, tables
from subsecond.engine.export.formats import FORMATS, export, format_of
from subsecond.engine.export.tables import TABLES, Window, chunks, table_of
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.writer import Recorder

Rows = list[dict[str, Any]]
#: Table -> what it holds, in plain SQL of the recording, its columns called as in the export.
QUERIES = {
    "turns": '''SELECT seq, l.name AS lane, turn, session, turn_index, a.name AS agent, s.name AS state, start_ps,
        end_ps, latency_ps, ttft_ps, tpot_ps, requests, prompt_tokens, hit_tokens, output_tokens, attempts,
        stage_network_ps, stage_prefill_ps, stage_decode_first_ps, stage_tools_ps, met_0 AS "met agent-step",
        met_1 AS "met it's ""fast""" FROM turns JOIN lanes AS l USING (lane) JOIN agents AS a USING (agent)
        JOIN states AS s USING (state) ORDER BY seq''',
    "gauges": """SELECT seq, at_ps, l.name AS lane, open_turns, flows, faults FROM gauges JOIN lanes AS l USING (lane)
        ORDER BY seq""",
    "server_gauges": """SELECT NULL AS seq, at_ps, l.name AS lane, s.name AS server, up, queued, batch, used_tokens,
        retained_tokens, busy_ps, preemptions, evictions, flows, received_tokens, prefill_tokens, hit_tokens
        FROM server_gauges AS g JOIN lanes AS l USING (lane) JOIN servers AS s USING (lane, server)""",
    "clocks": "SELECT seq, at_ps, wall_s, speed, paused, late_p50_ms, late_p99_ms FROM clocks",
    "faults": """SELECT seq, at_ps, l.name AS lane, kind, target, value, until_ps FROM faults
        JOIN lanes AS l USING (lane) ORDER BY seq""",
    "knobs": "SELECT seq, at_ps, lane, key, value FROM knobs",
    "notices": "SELECT seq, at_ps, level, text, dropped FROM notices",
    "annotations": "SELECT seq, at_ps, text FROM annotations",
    "contents": """SELECT seq, at_ps, l.name AS lane, turn, role, text FROM contents JOIN lanes AS l USING (lane)
        ORDER BY seq""",
    "outside_agents": """SELECT seq, at_ps, o.agent, o.name, protocol, address, a.name AS kind, l.name AS lane,
        is_connected, since_ps, sessions, turns, missed, open_requests, stage, bytes_in, bytes_out, errors, last_error,
        lag_ms FROM outside_agents AS o LEFT JOIN lanes AS l USING (lane) JOIN agents AS a ON a.agent = o.kind""",
    "parameters": """SELECT l.name AS lane, key, value, unit, provenance, source FROM parameters
        JOIN lanes AS l USING (lane)""",
    "loads": """SELECT seq, at_ps, 'coding' AS agent, json_extract(sessions, '$[0]') AS sessions,
        json_extract(wanted, '$[0]') AS wanted, json_extract(arrivals_per_s, '$[0]') AS arrivals_per_s FROM loads
        UNION SELECT seq, at_ps, 'voice', json_extract(sessions, '$[1]'), json_extract(wanted, '$[1]'),
        json_extract(arrivals_per_s, '$[1]') FROM loads ORDER BY seq, agent""",
}
BOOLS = {"paused", "is_connected", "up"}
JSON = {("gauges", "faults"), ("knobs", "value"), ("outside_agents", "sessions")}


def held(path: Path, name: str) -> Rows:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute(QUERIES[name])]
    connection.close()
    return rows


def bools(rows: Rows) -> Rows:
    """Rows with truth values for the ones and noughts that SQLite has."""
    is_bool = {name: name in BOOLS or name.startswith("met ") for name in rows[0]}
    return [{k: bool(v) if is_bool[k] and v is not None else v for k, v in row.items()} for row in rows]


def read_parquet(path: Path, _name: str) -> Rows:
    rows: Rows = pyarrow.parquet.read_table(path).to_pylist()
    return rows


def read_jsonl(path: Path, name: str) -> Rows:
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [{k: compact(v) if (name, k) in JSON else v for k, v in row.items()} for row in rows]


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def read_csv(path: Path, name: str) -> Rows:
    """By Python's reader, which takes everything for text."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def as_csv(rows: Rows) -> Rows:
    def cell(value: object) -> str:
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    return [{key: cell(value) for key, value in row.items()} for row in rows]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    ("kind", "read", "adapt"),
    [("parquet", read_parquet, list), ("jsonl", read_jsonl, list), ("csv", read_csv, as_csv)],
)
def test_every_value_comes_back(
    kind: str,
    read: Callable[[Path, str], Rows],
    adapt: Callable[[Rows], Rows],
    name: str,
    recorded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables.chunks, "__defaults__", (7,))  # several chunks, the last one short
    with Recording.open(recorded) as recording:
        count = export(recording, kind, tmp_path / "out", table=name, window=Window())
    expected = bools(held(recorded, name))
    found = read(tmp_path / "out", name)
    if name == "server_gauges":  # the view has no number of the row
        found = [{**row, "seq": None if kind != "csv" else ""} for row in found]
    assert found == adapt(expected)
    assert count == len(expected) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_null_and_an_empty_text_differ_in_csv(recorded: Path, tmp_path: Path) -> None:
    with Recording.open(recorded) as recording:
        export(recording, "csv", tmp_path / "n", table="annotations", window=Window())
        export(recording, "csv", tmp_path / "t", window=Window())
        export(recording, "parquet", tmp_path / "p", window=Window())
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])
    multi = pyarrow.csv.ParseOptions(newlines_in_values=True)
    notes = pyarrow.csv.read_csv(tmp_path / "n", convert_options=options, parse_options=multi)
    assert "" in notes["text"].to_pylist()
    assert notes["text"].null_count == 0
    turns = pyarrow.csv.read_csv(tmp_path / "t", convert_options=options)
    expected = pyarrow.parquet.read_table(tmp_path / "p")
    assert turns.to_pylist() == expected.to_pylist()
    assert expected.schema.metadata[b"subsecond.run"] == b"run-1"


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_a_window_and_a_lane_choose_rows(kind: str, recorded: Path, tmp_path: Path) -> None:
    window = Window("lane1", S // 2, S)
    reader = {"parquet": read_parquet, "csv": read_csv, "jsonl": read_jsonl}[kind]
    with Recording.open(recorded) as recording:
        export(recording, kind, tmp_path / "out", window=window)
        expected = [t.turn for t in recording.turn_ends(1, S // 2, S)]
    assert [int(row["turn"]) for row in reader(tmp_path / "out", "turns")] == expected != []


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "otlp-json"])
def test_no_rows_are_a_file_of_its_kind(kind: str, recorded: Path, tmp_path: Path) -> None:
    with Recording.open(recorded) as recording:
        assert export(recording, kind, tmp_path / "out", window=Window(since_ps=10**18)) == 0
    assert (tmp_path / "out").is_file()
    if kind == "parquet":
        assert pyarrow.parquet.read_table(tmp_path / "out").num_rows == 0


@pytest.mark.parametrize(
    ("table", "window", "word"),
    [
        ("turns", Window("tpu"), "one of lane0, lane1"),
        ("clocks", Window("lane0"), "of the whole run"),
        ("parameters", Window(since_ps=1), "whose rows have an instant"),
        ("dreams", Window(), "one of turns, gauges"),
    ],
)
def test_what_cannot_be_chosen_is_told_and_nothing_written(
    table: str, window: Window, word: str, recorded: Path, tmp_path: Path
) -> None:
    with Recording.open(recorded) as recording, pytest.raises(InputError, match=word):
        export(recording, "csv", tmp_path / "out", table=table, window=window)
    assert list(tmp_path.iterdir()) == []


def test_budgets_of_the_same_name_have_columns_of_their_own(tmp_path: Path) -> None:
    import msgspec

    first = hello()
    (budget, _) = first.budgets
    first = msgspec.structs.replace(first, budgets=(budget, msgspec.structs.replace(budget, agents="voice")))
    with Recorder(tmp_path / "run", first) as recorder:
        recorder.put(turn(1))
    with Recording.open(tmp_path / "run") as recording:
        names = [column.name for column in table_of("turns", recording.hello()).columns]
    assert names[-2:] == ["met agent-step", "met agent-step 2"]


def test_an_older_recording_lacks_tables_and_columns(recorded: Path, tmp_path: Path) -> None:
    path = tmp_path / "older"
    path.write_bytes(recorded.read_bytes())
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE annotations")
    connection.execute("CREATE TABLE older AS SELECT seq, at_ps, sessions, wanted FROM loads")
    connection.execute("DROP TABLE loads")
    connection.execute("ALTER TABLE older RENAME TO loads")
    connection.commit()
    connection.close()
    with Recording.open(path) as recording:
        assert export(recording, "csv", tmp_path / "a", table="annotations", window=Window()) == 0
        export(recording, "jsonl", tmp_path / "l", table="loads", window=Window())
    assert [row["arrivals_per_s"] for row in read_jsonl(tmp_path / "l", "loads")] == [None] * 4


@pytest.mark.parametrize("kind", list(FORMATS))
@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE turns SET latency_ps = 'soon' WHERE seq = 50",
        "UPDATE turns SET latency_ps = 1e300 WHERE seq = 50",
        "UPDATE turns SET met_0 = 7 WHERE seq = 50",
        "UPDATE turns SET start_ps = x'00' WHERE seq = 50",
    ],
)
def test_a_value_of_another_kind_is_damage(damage: str, kind: str, recorded: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(recorded.read_bytes())
    connection = sqlite3.connect(path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    with Recording.open(path) as recording, pytest.raises(InputError, match="damaged"):
        export(recording, kind, tmp_path / "out", window=Window())
    assert [path.name for path in tmp_path.iterdir()] == ["damaged"]


def test_what_is_read_while_a_run_goes_on_is_one_moment_of_it(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        for number in range(100):
            recorder.put(turn(number))
        assert recorder.flush()
        with Recording.open(tmp_path / "run") as recording:
            parts = chunks(recording, table_of("turns", recording.hello()), Window(), 10)
            first = next(parts)
            recorder.put(turn(1000, latency_ps=MS))
            assert recorder.flush()
            rest = list(parts)
    assert [number for part in (first, *rest) for number in part[2]] == list(range(100))


def test_the_format_is_that_of_the_suffix_unless_one_is_asked_for() -> None:
    names = {"a.parquet": "parquet", "a.CSV": "csv", "b.ndjson": "jsonl", "c.json": "otlp-json"}
    assert {name: format_of(None, Path(name)) for name in names} == names
    assert format_of("csv", Path("a.json")) == "csv"
    for wanted, out in ((None, "a"), ("xml", "a.xml"), ("parquet", "-"), (None, "-")):
        with pytest.raises(InputError):
            format_of(wanted, Path(out))


def test_without_pyarrow_there_is_one_line(monkeypatch: pytest.MonkeyPatch, recorded: Path, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with Recording.open(recorded) as recording:
        with pytest.raises(InputError, match="pip install"):
            export(recording, "parquet", tmp_path / "out", window=Window())
        assert export(recording, "csv", tmp_path / "a.csv", window=Window()) == 120
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert formats.FORMATS
