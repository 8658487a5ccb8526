"""The recorder beside a run that goes on: it never holds it up, drops no turn, and says once what is wrong."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from support.recordings import MS, S, gauges, hello, turn

from subsecond.engine.errors import InputError
from subsecond.engine.feed import Clock
from subsecond.engine.recording import places
from subsecond.engine.recording.places import check_target, new_path, path_of_run, recordings_folder
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.writer import Recorder

NEVER_S = 3600.0  # the thread writes when it is closed


def put_and_wait(recorder: Recorder, numbers: range, per_gauge: int = 10) -> None:
    for number in numbers:
        assert recorder.put(turn(number))
        if number % per_gauge == 0:
            assert recorder.put(gauges(number * 10 * MS))
    assert recorder.flush()


def test_what_has_been_written_is_read_while_the_run_goes_on(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello(), batch_s=0.001) as recorder:
        put_and_wait(recorder, range(1, 50))
        with Recording.open(tmp_path / "run") as recording:
            assert recording.turn_ends() == [turn(number) for number in range(1, 50)]
            assert not recording.metadata().is_finished
            put_and_wait(recorder, range(50, 100))
            assert recording.turn_ends(last=1) == [turn(99)]
            assert recording.gauges_at(10 * S) == {0: gauges(900 * MS)}
            assert recording.open_at(turn(99).start_ps) == [turn(number) for number in range(60, 100)]


def test_a_reader_holds_nobody_up_and_reads_on_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run"
    recorder = Recorder(path, hello(), batch_s=0.001)
    put_and_wait(recorder, range(1, 50))
    with Recording.open(path) as recording:
        stream = recording.messages()
        next(stream)
        recorder.close()
        assert recorder.error is None
        assert recording.metadata().is_finished
        assert sum(1 for _ in stream) == 49 + 4 - 1
    alone = tmp_path / "copy"
    shutil.copyfile(path, alone)  # the file alone holds everything
    with Recording.open(alone) as recording:
        assert recording.num_turns == 49


def test_a_finished_recording_is_one_plain_file(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        recorder.put(turn(1))
    assert os.listdir(tmp_path) == ["run"]


def test_a_full_queue_drops_gauges_and_counts_them_but_no_turn(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello(), queue=100, batch_s=NEVER_S) as recorder:
        assert all(recorder.put(turn(number)) for number in range(100))
        assert not recorder.put(gauges(S))
        assert not recorder.put(Clock(S, 0.0, 1.0, False, 0.0, 0.0))
        assert all(recorder.put(turn(number)) for number in range(100, 20_000))
        assert recorder.dropped_gauges == 2
    with Recording.open(tmp_path / "run") as recording:
        assert recording.num_turns == 20_000
        assert recording.metadata().dropped_gauges == 2
        assert recording.gauges_at(S) == {}


def test_a_recording_that_nobody_keeps_goes_away(tmp_path: Path) -> None:
    recorder = Recorder(None, hello(), folder=tmp_path, batch_s=0.001)
    put_and_wait(recorder, range(1, 10))
    assert recorder.path.parent == tmp_path
    assert recorder.path.exists()
    recorder.close()
    assert os.listdir(tmp_path) == []


def test_a_recording_that_is_kept_stays_where_it_is(tmp_path: Path) -> None:
    with Recorder(None, hello(), folder=tmp_path, batch_s=0.001) as recorder:
        put_and_wait(recorder, range(1, 10))
        with Recording.open(recorder.path) as recording:
            assert not recording.metadata().is_kept
            assert recorder.keep() == recorder.path
            assert recorder.flush()
            assert recording.metadata().is_kept
    assert os.listdir(tmp_path) == [recorder.path.name]
    with Recording.open(recorder.path) as recording:
        assert recording.num_turns == 9
        assert recording.metadata().is_kept


def test_a_recording_moves_with_all_that_it_holds_and_its_readers_stay_whole(tmp_path: Path) -> None:
    target = tmp_path / "kept" / "mine.subsecond"
    target.parent.mkdir()
    recorder = Recorder(None, hello(), folder=tmp_path, batch_s=0.001)
    put_and_wait(recorder, range(1, 50))
    first = recorder.path
    with Recording.open(first) as before:
        assert recorder.keep(target) == target
        assert recorder.flush()
        assert recorder.path == target
        put_and_wait(recorder, range(50, 100))
        assert before.turn_ends() == [turn(number) for number in range(1, 50)]
        recorder.close()
        assert before.num_turns == 49
    assert os.listdir(tmp_path) == ["kept"]
    assert os.listdir(target.parent) == [target.name]
    with Recording.open(target) as recording:
        assert recording.turn_ends() == [turn(number) for number in range(1, 100)]
        assert recording.metadata().is_finished


def test_a_recording_that_cannot_move_goes_on_where_it_is(tmp_path: Path) -> None:
    errors: list[str] = []
    with Recorder(None, hello(), folder=tmp_path, batch_s=0.001, on_error=errors.append) as recorder:
        put_and_wait(recorder, range(1, 10))
        path = recorder.path
        recorder.keep(tmp_path / "nowhere" / "run")
        assert recorder.flush()
        assert len(errors) == 1
        put_and_wait(recorder, range(10, 20))
        recorder.keep()
    assert len(errors) == 1
    assert errors[0].startswith("recording not kept there: ")
    assert errors[0].endswith(f"it goes on at {path}")
    with Recording.open(path) as recording:
        assert recording.num_turns == 19


def foreign_file(folder: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text("dear diary")
    return path


def foreign_database(folder: Path) -> Path:
    path = folder / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    return path


def folder_itself(folder: Path) -> Path:
    return folder


def nowhere(folder: Path) -> Path:
    return folder / "nowhere" / "run"


def below_a_file(folder: Path) -> Path:
    return foreign_file(folder) / "run"


def too_long(folder: Path) -> Path:
    return folder / ("x" * 300)


def loop_of_links(folder: Path) -> Path:
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a"


WRONG = (foreign_file, foreign_database, folder_itself, nowhere, below_a_file, too_long, loop_of_links)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_place_that_will_not_do_is_told_once_and_left_as_it_is(tmp_path: Path, wrong: Callable[[Path], Path]) -> None:
    path = wrong(tmp_path)
    before = sorted(os.listdir(tmp_path))
    errors: list[str] = []
    with Recorder(path, hello(), batch_s=0.001, on_error=errors.append) as recorder:
        for number in range(1000):
            recorder.put(turn(number))  # whatever happens, the run goes on
    assert len(errors) == 1
    assert errors[0].startswith("not recorded: recording: got ")
    assert recorder.error == errors[0]
    assert not recorder.put(turn(1))
    assert sorted(os.listdir(tmp_path)) == before
    with pytest.raises(InputError):
        check_target(path)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder here that nobody can write to")
def test_a_folder_that_cannot_be_written_is_told_once() -> None:
    errors: list[str] = []
    with Recorder(Path("/proc/run"), hello(), on_error=errors.append) as recorder:
        recorder.put(turn(1))
    assert len(errors) == 1
    assert errors[0].startswith("not recorded: ")


def test_a_recording_is_replaced_by_another_one_but_not_while_it_is_written(tmp_path: Path) -> None:
    path, errors = tmp_path / "run", list[str]()
    with Recorder(path, hello()) as recorder:
        recorder.put(turn(1))
    with Recorder(path, hello(), batch_s=0.001) as second:
        put_and_wait(second, range(2, 5))
        Recorder(path, hello(), on_error=errors.append).close()
    assert len(errors) == 1
    assert f"process {os.getpid()} does" in errors[0]
    with Recording.open(path) as recording:
        assert recording.turn_ends() == [turn(number) for number in (2, 3, 4)]


def test_a_message_that_does_not_fit_stops_the_recording_and_nothing_else(tmp_path: Path) -> None:
    errors: list[str] = []
    with Recorder(tmp_path / "run", hello(), batch_s=0.001, on_error=errors.append) as recorder:
        put_and_wait(recorder, range(1, 5))
        recorder.put(turn(5, stages_ps=(1, 2)))
        assert not recorder.flush()
    assert len(errors) == 1
    with Recording.open(tmp_path / "run") as recording:
        assert recording.num_turns == 4


def test_closing_twice_does_nothing_more(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run", hello())
    recorder.close()
    recorder.close()
    assert not recorder.put(turn(1))
    assert not recorder.flush()


def test_names_of_new_recordings_are_plain_and_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places.time, "strftime", lambda form: "20260101-000000")
    first = new_path("../a b/ü", tmp_path)
    assert first.parent == tmp_path
    first.touch()
    second = new_path("../a b/ü", tmp_path)
    assert second != first
    assert not second.exists()
    assert new_path("...", tmp_path).name.startswith("run-")


def test_runs_of_one_process_have_files_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "my.run.subsecond"
    assert path_of_run(path, 1) == path
    assert path_of_run(path, 2) == tmp_path / "my.run-2.subsecond"


def test_the_folder_of_recordings_is_the_users_or_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert recordings_folder() == tmp_path / "data" / "subsecond" / "recordings"
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(tmp_path))
    assert recordings_folder() == tmp_path
