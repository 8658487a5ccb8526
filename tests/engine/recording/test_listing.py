"""The list of a folder's recordings: the youngest first, with what they hold, whatever else lies there."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.recordings import hello, turn

from subsecond.engine.errors import InputError
from subsecond.engine.recording import writer
from subsecond.engine.recording.listing import list_recordings
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.writer import Recorder


def test_recordings_are_listed_with_what_they_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, name in enumerate(("young", "old")):
        monkeypatch.setattr(writer.time, "time", lambda age=age: 1000.0 - age)
        with Recorder(tmp_path / name, hello()) as recorder:
            for number in range(age + 1):
                recorder.put(turn(number))
    (tmp_path / "notes.txt").write_text("dear diary")
    (tmp_path / "folder").mkdir()
    (tmp_path / ".old.1.part").write_bytes((tmp_path / "old").read_bytes())
    young, old = list_recordings(tmp_path)
    assert (young.path.name, young.num_turns, old.path.name, old.num_turns) == ("young", 1, "old", 2)
    assert (old.scenario, old.driver, old.lanes, old.created_unix_s) == (
        "small scenario",
        "live",
        ("lane0", "lane1"),
        999.0,
    )
    assert old.duration_ps == turn(1).end_ps
    assert old.is_finished
    assert old.problem == ""
    assert old.size_bytes == (tmp_path / "old").stat().st_size


def test_a_damaged_recording_is_listed_with_its_problem(tmp_path: Path) -> None:
    Recorder(tmp_path / "run", hello()).close()
    (tmp_path / "run").write_bytes((tmp_path / "run").read_bytes()[:5000])
    (listed,) = list_recordings(tmp_path)
    assert "cut off or damaged" in listed.problem
    assert not listed.is_finished


def test_a_recording_under_way_is_listed(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        recorder.put(turn(1))
        assert recorder.flush()
        (listed,) = list_recordings(tmp_path)
        assert (listed.num_turns, listed.is_finished, listed.is_being_written) == (1, False, True)


def test_a_file_with_the_name_of_a_recording_is_listed_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "diary.subsecond").write_text("dear diary")
    (tmp_path / "empty.subsecond").touch()
    (tmp_path / "folder.subsecond").mkdir()
    found = {listed.path.name: listed.problem for listed in list_recordings(tmp_path)}
    assert set(found) == {"diary.subsecond", "empty.subsecond"}
    assert "another kind" in found["diary.subsecond"]
    assert "empty" in found["empty.subsecond"]


def test_turns_within_every_budget_are_counted_by_lane(tmp_path: Path) -> None:
    turns = [turn(number, number % 2) for number in range(100)]
    with Recorder(tmp_path / "run", hello()) as recorder:
        for one in turns:
            recorder.put(one)
    with Recording.open(tmp_path / "run") as recording:
        found = recording.within_budgets()
    for lane in (0, 1):
        own = [one for one in turns if one.lane == lane]
        assert found[lane] == (sum(one.state == 1 and 0 not in one.met for one in own), len(own))


def test_no_such_folder(tmp_path: Path) -> None:
    assert list_recordings(tmp_path) == []
    with pytest.raises(InputError, match="nowhere"):
        list_recordings(tmp_path / "nowhere")
