"""Where an export goes: seen when it is whole, never over something else, and one line about what is wrong."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from subsecond.engine.errors import InputError
from subsecond.engine.export.formats import FORMATS, export
from subsecond.engine.export.tables import Window
from subsecond.engine.export.target import STDOUT, writing
from subsecond.engine.recording.reader import Recording


def write(recorded: Path, kind: str, out: Path, *, force: bool = False) -> None:
    with Recording.open(recorded) as recording:
        export(recording, kind, out, window=Window(), force=force)


@pytest.mark.parametrize("kind", list(FORMATS))
def test_the_same_kind_is_replaced_and_another_is_not(kind: str, recorded: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(recorded, kind, out)
    whole = out.read_bytes()
    out.write_bytes(whole[: len(whole) // 2])
    out.chmod(0o640)
    write(recorded, kind, out)
    assert out.read_bytes() == whole
    assert out.stat().st_mode & 0o777 == 0o640
    out.write_bytes(b"dear diary")
    with pytest.raises(InputError, match="--force"):
        write(recorded, kind, out)
    assert out.read_bytes() == b"dear diary"
    write(recorded, kind, out, force=True)
    assert out.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_terminal_gets_nothing_that_steers_it_and_a_pipe_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'name,"\x1b[31mré\x1b]0;x\x07\x9b\u202e"\t\r\n'.encode()
    for is_terminal, shown in ((False, text), (True, 'name,"?[31mré?]0;x???"\t\r\n'.encode())):
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        monkeypatch.setattr(out, "isatty", lambda is_terminal=is_terminal: is_terminal, raising=False)
        monkeypatch.setattr(sys, "stdout", out)
        with writing(STDOUT, b"", force=False) as file:
            file.write(text)
        assert out.buffer.getvalue() == shown  # type: ignore[attr-defined]  # a stream made here


def test_a_recording_is_never_replaced(recorded: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(recorded.read_bytes())
    for out in (copy, recorded):
        with pytest.raises(InputError, match="no recording"):
            write(copy, "csv", out, force=True)
    assert copy.read_bytes() == recorded.read_bytes()


@pytest.mark.parametrize("name", ["nowhere/out.csv", "/proc/out.csv", ".", "x" * 300, "a\0b"])
def test_a_place_that_will_not_do_is_told(name: str, recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="-o"):
        write(recorded, "csv", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", list(FORMATS))
def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(kind: str, recorded: Path, tmp_path: Path) -> None:
    """A limit on the size of files fails in the same way."""

    def limit() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    command = [sys.executable, "-B", "-m", "subsecond.tui.cli", "export", str(recorded), "--format", kind, "-o", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=limit)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("subsecond: -o: got 'out', expected a file that can be written (")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_written_to_as_it_is(recorded: Path, tmp_path: Path) -> None:
    write(recorded, "csv", Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
    write(recorded, "csv", tmp_path / "file")
    (tmp_path / "link").symlink_to("file")
    write(recorded, "csv", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
