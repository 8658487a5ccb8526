"""Documents are written whole or not at all, and never in place of what is no file."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from subsecond.engine.errors import InputError
from subsecond.tui.cli.output import check_writable, write_json
from subsecond.tui.cli.validate import validate


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    check_writable(pipe)
    write_json(pipe, {"a": 1})
    reader.join()
    assert json.loads(read[0]) == {"a": 1}
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_link_is_followed_and_rights_stay(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)
    write_json(link, [1])
    assert link.is_symlink()
    assert json.loads(file.read_text()) == [1]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "out.json"
    file.write_text("old")
    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_json(file, [1])
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["no/folder/out.json", ".", "loop", "x" * 300])
def test_places_that_cannot_be_written_are_known_before(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="--json"):
        check_writable(tmp_path / name)


def test_validation_writes_to_standard_output_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "id,kind,engine,device,n_devices,model,tp,input_tokens,output_tokens,concurrency,metric,value,note\n"
        "A1,colocated,vllm,h100-sxm,1,qwen3-8b,1,1024,128,1,tpot_ms,8,family=first\n"
    )
    validate(rows, Path("-"))
    assert set(json.loads(capsys.readouterr().out)) == {"rows", "summary"}
