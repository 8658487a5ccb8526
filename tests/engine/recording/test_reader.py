"""Files that are no recordings, or not whole, are refused in one line; seeks read no more than they show."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from support.recordings import MS, S, gauges, hello, turn

from subsecond.engine.commands import SetKnob
from subsecond.engine.errors import InputError
from subsecond.engine.feed import Clock, FaultNote, Gauges, Load
from subsecond.engine.recording import opening
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.schema import FORMAT
from subsecond.engine.recording.writer import Recorder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A finished recording of 500 turns on each of two lanes."""
    with Recorder(tmp_path / "run.subsecond", hello(), tables={"seed": 7}) as recorder:
        for number in range(500):
            for lane in (0, 1):
                recorder.put(turn(number, lane))
                recorder.put(gauges(number * 10 * MS, lane))
            recorder.put(Clock(number * 10 * MS, float(number), 1.0, False, 0.1, 0.2))
            recorder.put(Load(number * 10 * MS, (1, 2), (3, 4)))
        recorder.put(FaultNote(S, 0, "gpu_down", 0, None, 2 * S))
        recorder.put(SetKnob("lane0", "router_ms", 2.0))
    return recorder.path


def missing(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("dear diary, " * 1000)


def short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50_000])


def foreign(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE turns (a)")
    connection.close()


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()


def without_hello(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'hello'")
    connection.close()


def without_tables(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE meta")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (missing, "No such file"),
        (folder, "directory"),
        (empty, "an empty file"),
        (text, "a file of another kind"),
        (short, "cut off or damaged"),
        (cut_off, "cut off or damaged"),
        (foreign, "another program"),
        (newer, f"format {FORMAT + 1}"),
        (without_hello, "damaged"),
        (without_tables, "no such table"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(path: Path, spoil: Callable[[Path], None], says: str) -> None:
    spoil(path)
    with pytest.raises(InputError, match=says) as caught:
        Recording.open(path)
    assert str(path) in str(caught.value)


def read_everything(path: Path) -> None:
    with Recording.open(path) as recording:
        recording.metadata()
        list(recording.messages())
        recording.turns()
        recording.state_at(S)
        recording.open_at(S)
        recording.session(3)
        assert recording.duration_ps is not None


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_is_read_or_refused(path: Path, seed: int) -> None:
    """Whatever bytes are lost or changed: no other error reaches the user."""
    rng = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 100, 10_000])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    if seed % 3 == 0:
        del data[rng.randrange(len(data)) :]
    path.write_bytes(data)
    with suppress(InputError):
        read_everything(path)


def test_reading_leaves_the_file_alone(path: Path) -> None:
    before = path.read_bytes()
    read_everything(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with Recording.open(path) as recording, pytest.raises(sqlite3.OperationalError, match="readonly"):
        recording._connection.execute("DELETE FROM turns")


def refuse_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SQLite fail as it does where it cannot write beside a file that needs its log."""
    connect = sqlite3.connect

    def refusing(place: str, **options: object) -> sqlite3.Connection:
        if f"{folder.as_uri()}/" in place and place.endswith("?mode=ro"):
            place = place.replace(folder.as_uri(), (folder / "nowhere").as_uri())
        return connect(place, **options)  # type: ignore[call-overload,no-any-return]  # passed on as they are

    monkeypatch.setattr(opening.sqlite3, "connect", refusing)


def test_a_finished_recording_is_read_from_read_only_media(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_in(path.parent, monkeypatch)
    with Recording.open(path) as recording:
        assert recording.num_turns == 1000


def test_an_unfinished_recording_is_read_from_read_only_media_as_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    with Recorder(tmp_path / "run", hello()) as recorder:
        assert recorder.put(turn(1))
        assert recorder.flush()
        for name in ("run", "run-wal"):
            shutil.copyfile(tmp_path / name, media / name)
    refuse_in(media, monkeypatch)
    with Recording.open(media / "run") as recording:
        assert recording.turn_ends() == [turn(1)]
        copy = recording._copy
        assert copy is not None
    assert not copy.exists()


def plan_of(recording: Recording, call: Callable[[], object]) -> str:
    """How SQLite goes about the statements of a call."""
    seen: list[str] = []
    connection = recording._connection
    connection.set_trace_callback(seen.append)
    call()
    connection.set_trace_callback(None)
    plans = [row[-1] for query in seen for row in connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()]
    assert plans
    return "\n".join(plans)


def test_seeks_use_indices(path: Path) -> None:
    """Nothing that the screen asks for reads or sorts a whole table, however long the recording is."""
    with Recording.open(path) as recording:
        recording.open_at(0)  # has seen all turns once
        calls: list[Callable[[], object]] = [
            lambda: recording.turn_ends(until_ps=S, last=100),
            lambda: recording.turn_ends(1, S, 2 * S),
            lambda: recording.turns(since_ps=S, until_ps=2 * S),
            lambda: recording.session(3, lane=1, until_ps=S),
            lambda: recording.open_at(S),
            lambda: recording.gauges_at(S),
            lambda: recording.state_at(S),
            lambda: list(recording.messages(S, 2 * S)),
        ]
        for call in calls:
            plan = plan_of(recording, call)
            assert "SCAN" not in plan
            assert "B-TREE" not in plan
        assert "SCAN" not in plan_of(recording, lambda: recording.turn(3))


def test_the_longest_turn_is_found_though_the_recording_grows(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        recorder.put(turn(1))
        assert recorder.flush()
        with Recording.open(tmp_path / "run") as recording:
            assert recording.open_at(turn(1).start_ps) == [turn(1)]
            long = turn(2, end_ps=100 * S, latency_ps=99 * S)
            recorder.put(long)
            assert recorder.flush()
            assert recording.open_at(50 * S) == [long]
            assert recording.open_at(100 * S) == []


def test_views_speak_in_names_and_milliseconds(path: Path) -> None:
    connection = sqlite3.connect(path)
    row = connection.execute(
        'SELECT lane, agent, state, latency_ms, stage_prefill_ms, "met agent-step" FROM named_turns WHERE turn = 2'
    ).fetchall()
    assert row == [("lane0", "coding", "answered", 400.0, 397.0, 1), ("lane1", "coding", "answered", 400.0, 397.0, 1)]
    gauge = connection.execute(
        "SELECT server, up, batch, busy_ps FROM server_gauges WHERE at_ps = ? AND lane = 1", (S,)
    ).fetchall()
    assert gauge == [(0, 1, 3, S // 2), (1, 1, 3, S // 2)]
    sessions = connection.execute("SELECT lane, session, turns, first_start_ps FROM sessions WHERE session = 4")
    assert sessions.fetchall() == [(0, 4, 100, 40 * MS), (1, 4, 100, 40 * MS)]
    assert connection.execute("SELECT turns_column FROM stages WHERE name = 'tools'").fetchone() == ("stage_tools_ps",)
    connection.close()


def test_a_fault_that_was_mended_early_has_its_real_end(tmp_path: Path) -> None:
    planned, lasting = FaultNote(S, 0, "gpu_down", 0, None, 9 * S), FaultNote(2 * S, 1, "throttle", 0, 0.5, None)
    mended = FaultNote(S, 0, "gpu_down", 0, None, 3 * S)
    with Recorder(tmp_path / "run", hello()) as recorder:
        for note in (planned, lasting, mended):
            recorder.put(note)
    with Recording.open(tmp_path / "run") as recording:
        assert recording.faults() == [mended, lasting]
        assert recording.state_at(3 * S - 1).faults == (mended, lasting)
        assert recording.state_at(3 * S).faults == (lasting,)
        assert list(recording.messages()) == [planned, mended, lasting]


def test_a_picture_needs_few_gauges_and_all_turns(path: Path) -> None:
    with Recording.open(path) as recording:
        everything = list(recording.messages(S, 4 * S))
        told = list(recording.told(S, 4 * S, gauges_ps=2 * S))
    rare = (Clock, Load, Gauges)
    assert [m for m in told if not isinstance(m, rare)] == [m for m in everything if not isinstance(m, rare)]
    assert not any(isinstance(m, Clock) for m in told)
    assert [m.at_ps for m in told if isinstance(m, Load)] == [4 * S]
    assert [(m.at_ps, m.lane) for m in told if isinstance(m, Gauges)] == [
        (at, lane) for at in (2990 * MS, 3990 * MS, 4 * S) for lane in (0, 1)
    ]
    assert [m for m in told if isinstance(m, Gauges)] == [m for m in everything if isinstance(m, Gauges) and m in told]
