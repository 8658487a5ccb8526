"""What stays on the terminal: at most five lines, the last one about the recording, whatever was watched."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.feeds import playground

from subsecond.engine.feed import Hello, Notice
from subsecond.tui.farewell import farewell_lines, recording_of
from subsecond.tui.model import Model
from subsecond.tui.snapshot import Snapshot

MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)


def snapshot(*, with_turns: bool = True) -> Snapshot:
    assert isinstance(HELLO, Hello)
    model = Model(HELLO)
    for message in MESSAGES[1:] if with_turns else ():
        model.add(message)
    return model.snapshot()


@pytest.mark.parametrize("with_turns", [True, False])
@pytest.mark.parametrize(
    ("is_there", "is_running", "words"),
    [(True, False, "the recording: "), (False, False, "was not kept"), (False, True, "the run goes on")],
)
def test_the_last_line_says_where_the_recording_is(
    tmp_path: Path, with_turns: bool, is_there: bool, is_running: bool, words: str
) -> None:
    path = tmp_path / "run.subsecond"
    if is_there:
        path.touch()
    lines = farewell_lines(snapshot(with_turns=with_turns), recording=path, is_running=is_running)
    assert len(lines) == (5 if with_turns else 3)
    assert words in lines[-1]
    assert (str(path) in lines[-1]) == (is_there or is_running)
    assert lines[0] == f"subsecond: playground, {'1:00.0' if with_turns else '0:00.0'} of virtual time"


def test_without_a_run_there_is_nothing_to_tell() -> None:
    assert farewell_lines(None) == ["subsecond: no run was seen"]


def test_a_recording_is_where_it_was_kept_last() -> None:
    assert isinstance(HELLO, Hello)
    assert recording_of(HELLO, []) == Path(HELLO.recording)
    notices = [Notice("info", "the recording is kept: a.subsecond"), Notice("info", "something else")]
    assert recording_of(HELLO, notices) == Path("a.subsecond")
