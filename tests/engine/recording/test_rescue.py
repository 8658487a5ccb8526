"""Damaged recordings: what can be read is saved, whatever the damage; nothing raises but the error for users."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.recordings import MS, S, gauges, hello, turn

from subsecond.engine.commands import SetKnob
from subsecond.engine.errors import InputError
from subsecond.engine.export.tables import TABLES, Window, chunks, table_of
from subsecond.engine.feed import Annotation, Clock, FaultNote, Load, Message, Notice, TurnEnd
from subsecond.engine.recording.content import Content
from subsecond.engine.recording.listing import list_recordings
from subsecond.engine.recording.overview import overview
from subsecond.engine.recording.places import companions
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.rescue import _READ, Rescued, rescue
from subsecond.engine.recording.rows import TABLES as TABLE_COLUMNS
from subsecond.engine.recording.summary import summarise
from subsecond.engine.recording.writer import Recorder

PAGE = 4096
MESSAGES: list[Message | SetKnob | Content] = [
    *(turn(number, lane=lane) for number in range(600) for lane in (0, 1)),
    *(gauges(number * 100 * MS, lane=number % 2, queued=number) for number in range(300)),
    *(Clock(number * S, float(number), 1.0, False, 0.1, 0.2) for number in range(40)),
    *(Load(number * S, (1, 2), (1, 2)) for number in range(40)),
    *(Annotation(number * S, f"note {number}") for number in range(40)),
    FaultNote(S, 0, "slow", 0, 0.5, None),
    SetKnob("lane0", "network_ms", 9.5),
    Notice("info", "hello"),
    Content(S, 0, 1, "user", "hello"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "whole"
    with Recorder(path, hello()) as recorder:
        for message in MESSAGES:
            recorder.put(message)
    return path


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a writer leaves that is killed: most of it is in the log."""
    folder = tmp_path_factory.mktemp("recordings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 999_999_999)  # a process that there is not
        with Recorder(folder / "run", hello()) as recorder:
            for message in MESSAGES:
                recorder.put(message)
            assert recorder.flush()
            for beside in ("", "-wal"):
                shutil.copyfile(folder / f"run{beside}", folder / f"killed{beside}")
    return folder / "killed"


def messages(path: Path) -> list[Message]:
    with Recording.open(path) as recording:
        return list(recording.messages())


def rescued(path: Path) -> tuple[Rescued, list[Message]]:
    """What is saved of a file, beside it."""
    out = path.with_name("out")
    found = rescue(path, out)
    with Recording.open(out) as recording:
        connection = sqlite3.connect(out)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        assert recording.metadata().is_finished == (found.is_whole and recording.metadata().end_ps is not None)
        return found, list(recording.messages())


def test_a_whole_recording_is_saved_as_it_is(whole: Path, tmp_path: Path) -> None:
    found = rescue(whole, tmp_path / "out")
    assert found.is_whole
    assert found.rows["turns"] == 1200
    assert messages(tmp_path / "out") == messages(whole)
    with Recording.open(whole) as before, Recording.open(tmp_path / "out") as after:
        assert before.metadata() == after.metadata()
        assert before.knobs() == after.knobs()


def test_the_log_of_a_killed_writer_is_saved_up_to_its_damage(killed: Path, tmp_path: Path) -> None:
    everything = messages(killed)
    log = companions(killed)[0].read_bytes()
    before = -1
    for share in (0.0, 0.001, 0.2, 0.5, 0.9, 1.0):
        folder = tmp_path / str(share)
        folder.mkdir()
        shutil.copyfile(killed, folder / "run")
        companions(folder / "run")[0].write_bytes(log[: int(len(log) * share)])
        found, saved = rescued(folder / "run")
        assert found.is_whole
        assert [message for message in everything if message in saved] == saved
        assert len(saved) >= before
        before = len(saved)
    assert saved == everything != []


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
def test_of_a_file_that_is_cut_off_the_beginning_is_saved(whole: Path, tmp_path: Path, share: float) -> None:
    data = whole.read_bytes()
    (tmp_path / "run").write_bytes(data[: int(len(data) * share)])
    try:
        found, saved = rescued(tmp_path / "run")
    except InputError:
        assert share < 0.3  # the first message, with parts and prices, takes some pages
        return
    everything = messages(whole)
    assert not found.is_whole
    assert [message for message in everything if message in saved] == saved
    assert share < 0.7 or len(saved) > len(everything) / 2  # names and indices come first


def test_a_page_that_is_lost_takes_its_rows_alone(whole: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(whole)
    leaves = connection.execute("SELECT pageno FROM dbstat WHERE name = 'turns' AND pagetype = 'leaf'").fetchall()
    connection.close()
    turns = {turn for turn in messages(whole) if isinstance(turn, TurnEnd)}
    for (page,) in leaves[:: max(1, len(leaves) // 6)]:
        data = bytearray(whole.read_bytes())
        data[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
        (tmp_path / "run").write_bytes(data)
        found, saved = rescued(tmp_path / "run")
        assert found.gaps == 1
        missing = turns - set(saved)
        assert 0 < len(missing) < 3 * len(turns) / len(leaves)
        assert set(saved) >= set(messages(whole)) - missing - set(saved)


def test_every_table_is_saved() -> None:
    assert set(_READ) == set(TABLE_COLUMNS)


def test_what_a_row_holds_that_no_recording_holds_is_dropped(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copyfile(whole, path)
    connection = sqlite3.connect(path)
    damages = (
        "lane = 9",
        "agent = -1",
        "state = 5",
        "latency_ps = 'x'",
        "start_ps = NULL",
        "end_ps = 1",
        "met_0 = 7",
        "stage_tools_ps = 1.5",
        "session = -2",
    )
    for number, damage in enumerate(damages):
        connection.execute(f"UPDATE turns SET {damage} WHERE seq = {number + 10}")
    connection.execute("UPDATE gauges SET servers = '[' WHERE seq = (SELECT min(seq) FROM gauges)")
    connection.execute("UPDATE clocks SET at_ps = 'soon' WHERE seq = (SELECT min(seq) FROM clocks)")
    connection.commit()
    connection.close()
    found, saved = rescued(path)
    assert (found.dropped, found.gaps) == (len(damages) + 2, 0)
    assert len(saved) == len(messages(whole)) - len(damages) - 2


@pytest.mark.parametrize("data", [b"", b"dear diary", b"SQLite format 3\0", b"SQLite format 3\0" + bytes(5000)])
def test_of_another_file_nothing_is_saved(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(data)
    with pytest.raises(InputError):
        rescue(tmp_path / "run", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_recording_being_written_and_a_wrong_place_are_refused(whole: Path, tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        assert recorder.flush()
        with pytest.raises(InputError, match="is writing"):
            rescue(tmp_path / "run", tmp_path / "out")
    (tmp_path / "notes.txt").write_text("dear diary")
    for out in (tmp_path / "notes.txt", tmp_path / "nowhere" / "out", whole):
        with pytest.raises(InputError):
            rescue(whole, out)
    with pytest.raises(InputError):
        rescue(tmp_path / "nothing", tmp_path / "out")


def look_at(path: Path) -> None:
    """Everything that commands read of a recording."""
    with Recording.open(path) as recording:
        summarise(recording)
        overview(recording)
        list(recording.messages())
        recording.state_at(3 * S)
        for name in TABLES:
            for _ in chunks(recording, table_of(name, recording.hello()), Window()):
                pass


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from(["bits", "bytes", "hole", "cut"]), st.booleans())
def test_damage_of_any_kind_is_read_or_refused(seed: int, kind: str, in_log: bool) -> None:
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "run"
        shutil.copyfile(DAMAGED[in_log], path)
        if in_log:
            shutil.copyfile(companions(DAMAGED[True])[0], companions(path)[0])
        damaged = companions(path)[0] if in_log and draw.random() < 0.7 else path
        damaged.write_bytes(spoiled(bytearray(damaged.read_bytes()), kind, draw))
        for attempt in (look_at, lambda path: list_recordings(path.parent), rescued):
            with suppress(InputError):
                attempt(path)


def spoiled(data: bytearray, kind: str, draw: random.Random) -> bytes:
    place = draw.randrange(len(data)) if draw.random() < 0.7 else draw.randrange(min(len(data), 3 * PAGE))
    if kind == "cut":
        return bytes(data[:place])
    if kind == "hole":
        data[place : place + draw.randrange(1, 2 * PAGE)] = b""
    for _ in range(draw.choice((1, 10, 200))):
        at = draw.randrange(len(data))
        data[at] = data[at] ^ (1 << draw.randrange(8)) if kind == "bits" else draw.randrange(256)
    return bytes(data)


#: Whether the damage is to be in a log -> a recording with one, or without.
DAMAGED: dict[bool, Path] = {}


@pytest.fixture(scope="module", autouse=True)
def _to_damage(whole: Path, killed: Path) -> None:
    DAMAGED.update({False: whole, True: killed})
