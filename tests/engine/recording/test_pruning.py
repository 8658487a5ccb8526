"""Which recordings go, and that nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.recordings import hello, turn

from subsecond.engine.recording import writer
from subsecond.engine.recording.listing import list_recordings
from subsecond.engine.recording.pruning import Rule, prunable, prune
from subsecond.engine.recording.writer import Recorder

DAY_S = 86400.0
NOW_S = 1.7e9


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings of 0 to 4 days before, the third temporary and left behind, and other files."""
    (tmp_path / "temporary").mkdir()
    for age in range(5):
        with monkeypatch.context() as patch:
            patch.setattr(writer.time, "time", lambda age=age: NOW_S - age * DAY_S - 1)
            if age == 2:
                patch.setattr("os.getpid", lambda: 999_999_999)  # a process that there is not
                recorder = Recorder(None, hello(), folder=tmp_path / "temporary")
                recorder.put(turn(1))
                assert recorder.flush()
                (tmp_path / "2").write_bytes(recorder.path.read_bytes())
                (tmp_path / "2-wal").write_bytes(Path(f"{recorder.path}-wal").read_bytes())
                recorder.close()
                continue
            with Recorder(tmp_path / str(age), hello()) as recorder:
                recorder.put(turn(1))
    (tmp_path / "temporary").rmdir()
    (tmp_path / "notes.txt").write_text("dear diary")
    (tmp_path / "odd.subsecond").write_text("no recording at all")
    (tmp_path / "link").symlink_to("4")
    return tmp_path


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        (Rule(older_than_s=2.5 * DAY_S), "34"),
        (Rule(keep=1), "1234"),
        (Rule(keep=9), ""),
        (Rule(older_than_s=0, keep=4), "4"),
        (Rule(older_than_s=3.5 * DAY_S, keep=1), "4"),
        (Rule(temporary=True), "2"),
        (Rule(temporary=True, keep=1), ""),
        (Rule(temporary=True, older_than_s=10 * DAY_S), ""),
        (Rule(keep=0), "01234"),
    ],
)
def test_a_rule_chooses(folder: Path, rule: Rule, gone: str) -> None:
    chosen = prunable(list_recordings(folder), rule, NOW_S)
    assert "".join(sorted(listed.path.name for listed in chosen)) == gone
    everything = {path.name for path in folder.iterdir()}
    assert all(prune(listed) for listed in chosen)
    beside = {"2-wal", "2-shm"} if "2" in gone else set()  # reading has made the latter
    assert everything - {path.name for path in folder.iterdir()} == {*gone, *beside}


def test_what_is_written_when_it_is_to_go_stays(folder: Path) -> None:
    chosen = prunable(list_recordings(folder), Rule(keep=0), NOW_S)
    (own,) = [listed for listed in chosen if listed.path.name == "1"]
    with Recorder(folder / "1", hello()) as recorder:
        assert recorder.flush()
        assert not prune(own)
        assert own.path.name not in {one.path.name for one in prunable(list_recordings(folder), Rule(keep=0), NOW_S)}
    assert (folder / "1").exists()


def test_another_file_in_its_place_stays(folder: Path) -> None:
    chosen = prunable(list_recordings(folder), Rule(keep=0), NOW_S)
    for listed in chosen:
        listed.path.write_text("dear diary")
    assert not any(prune(listed) for listed in chosen)
    assert (folder / "3").read_text() == "dear diary"


def test_a_damaged_recording_may_go(folder: Path) -> None:
    (folder / "4").write_bytes((folder / "4").read_bytes()[:9000])
    (listed,) = [one for one in list_recordings(folder) if one.path.name == "4"]
    assert listed.problem
    assert prune(listed)
