"""Replays: a recording shows what the live run showed, at any instant, and pictures of it need no terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.feeds import playground
from textual.pilot import Pilot

from subsecond.engine.commands import InjectFault, Pause, Resume, SetSpeed, Step
from subsecond.engine.errors import InputError
from subsecond.engine.feed import Clock, Gauges, Hello, Notice, TurnEnd
from subsecond.engine.recording.writer import Recorder
from subsecond.tui.app import SubsecondApp
from subsecond.tui.cli import main
from subsecond.tui.cli.replay import VIEWS
from subsecond.tui.open_turns import OpenTurns
from subsecond.tui.replay import ReplaySource
from subsecond.tui.screen_picture import screen_text
from subsecond.tui.source import Item

S = 10**12


class Hand:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 5.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded first minute of the default scenario."""
    path = tmp_path_factory.mktemp("replay") / "minute.subsecond"
    hello, *messages = playground()
    assert isinstance(hello, Hello)
    with Recorder(path, hello) as recorder:
        for message in messages:
            assert recorder.put(message)
    return path


def until_clock(source: ReplaySource, rounds: int = 1, between: Callable[[], object] = lambda: None) -> list[Item]:
    """What the source says until it has told the time so often."""

    async def read() -> list[Item]:
        found: list[Item] = []
        left = rounds
        async for item in source.items():
            found.append(item)
            if isinstance(item, Clock):
                left -= 1
                if not left:
                    break
                result = between()
                if asyncio.iscoroutine(result):
                    await result
        return found

    return asyncio.run(asyncio.wait_for(read(), 60))


def turns(items: list[Item]) -> list[TurnEnd]:
    return [item for item in items if isinstance(item, TurnEnd)]


@pytest.fixture
def source(recording: Path) -> Iterator[ReplaySource]:
    source = ReplaySource(recording)
    yield source
    source.close()


def test_at_the_end_everything_has_been_told(source: ReplaySource) -> None:
    items = until_clock(source)
    assert isinstance(items[0], Hello)
    assert sorted((t.lane, t.turn) for t in turns(items)) == sorted(
        (m.lane, m.turn) for m in playground() if isinstance(m, TurnEnd)
    )
    clock = items[-1]
    assert isinstance(clock, Clock)
    assert clock.paused
    assert clock.at_ps == source.duration_ps


def test_an_instant_shows_what_was_known_then(recording: Path) -> None:
    source = ReplaySource(recording, at_ps=30 * S, paused=True)
    items = until_clock(source)
    source.close()
    expected = {(m.lane, m.turn) for m in playground() if isinstance(m, TurnEnd) and m.end_ps <= 30 * S}
    assert {(t.lane, t.turn) for t in turns(items)} == expected
    assert all(item.at_ps <= 30 * S for item in items if isinstance(item, Gauges | Clock))


def test_a_seek_begins_again_and_stays_paused(recording: Path) -> None:
    source = ReplaySource(recording, at_ps=40 * S, paused=True)
    items = until_clock(source, 2, lambda: source.seek(20 * S))
    source.close()
    assert sum(isinstance(item, Hello) for item in items) == 2
    again = items[next(i for i in range(len(items) - 1, -1, -1) if isinstance(items[i], Hello)) :]
    assert all(turn.end_ps <= 20 * S for turn in turns(again))
    clock = again[-1]
    assert isinstance(clock, Clock)
    assert (clock.at_ps, clock.paused) == (20 * S, True)


def test_it_plays_at_its_pace(recording: Path) -> None:
    hand = Hand()
    source = ReplaySource(recording, at_ps=10 * S, monotonic=hand)
    asyncio.run(source.send(SetSpeed(10.0)))

    def pass_time() -> None:
        hand.now_s += 1.0

    items = until_clock(source, 4, pass_time)
    source.close()
    assert [item.at_ps for item in items if isinstance(item, Clock)] == [10 * S, 20 * S, 30 * S, 40 * S]
    seen = [(t.lane, t.turn) for t in turns(items)]
    assert len(seen) == len(set(seen))


def test_pause_step_and_resume(recording: Path) -> None:
    hand = Hand()
    source = ReplaySource(recording, at_ps=10 * S, monotonic=hand)
    asyncio.run(source.send(Pause()))
    hand.now_s += 100
    assert source.at_ps == 10 * S
    asyncio.run(source.send(Step(500.0)))
    assert source.at_ps == 10 * S + S // 2
    asyncio.run(source.send(Resume()))
    hand.now_s += 1
    assert source.at_ps == 11 * S + S // 2
    source.close()


def test_what_is_over_cannot_be_changed(source: ReplaySource) -> None:
    asyncio.run(source.send(InjectFault("decode_down")))
    notices = [item for item in until_clock(source) if isinstance(item, Notice)]
    assert "cannot be changed" in notices[-1].text


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("not one")
    for path in (other, tmp_path / "missing"):
        with pytest.raises(InputError):
            ReplaySource(path)


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["subsecond", "replay", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.mark.parametrize("view", ["race", "turn", "sessions", "pipelines", "feel", "economics"])
def test_a_picture_needs_no_terminal(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    text, svg = tmp_path / "out.txt", tmp_path / "out.svg"
    for out in (text, svg):
        options = ("--at", "40s", "--size", "100x30", "--view", view, "--screenshot", out)
        assert not command(monkeypatch, recording, *options)
    lines = text.read_text().splitlines()
    assert len(lines) == 30
    assert "0:40" in lines[0] or "0:39" in lines[0]
    assert svg.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--at", "soon"], "--at"),
        (["--at", "9" * 20], "--at"),
        (["--screenshot", "out.png"], "out.png"),
        (["--screenshot", "out.txt", "--size", "1x1"], "--size"),
        (["--screenshot", "out.txt", "--view", "nothing"], "--view"),
        ([], "terminal"),
    ],
)
def test_bad_options_are_refused_in_one_line(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], word: str
) -> None:
    assert command(monkeypatch, recording, *options) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert word in err


@pytest.mark.parametrize("view", ["race", "turn", "sessions", "pipelines", "feel", "economics"])
def test_every_screen_shows_the_instant(recording: Path, view: str) -> None:
    """Whatever was looked at before: a jump shows what the same instant shows at once."""
    pictures = []

    async def at(app: SubsecondApp, pilot: Pilot[None], at_ps: int) -> str:
        while app.snapshot is None or app.snapshot.at_ps != at_ps:
            await pilot.pause()
            app.draw()
        app.clear_notifications()
        await pilot.pause()
        app.redraw()
        await pilot.pause()
        return screen_text(app)

    async def show(*instants_s: int) -> None:
        source = ReplaySource(recording, at_ps=instants_s[0] * S, paused=True)
        app = SubsecondApp(source, fps=None, monotonic=Hand())
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.press({"agents": "7", "economics": "8"}.get(view) or str(VIEWS.index(view) + 1))
            text = await at(app, pilot, instants_s[0] * S)
            for instant in instants_s[1:]:
                app.go_to(instant * S)
                text = await at(app, pilot, instant * S)
            pictures.append(text)
        source.close()

    for instants_s in ((30,), (60, 30), (10, 30), (30, 60, 5, 30)):
        asyncio.run(asyncio.wait_for(show(*instants_s), 60))
    assert set(pictures) == {pictures[0]}


def test_without_gauges_open_turns_are_shown_from_what_they_came_to(tmp_path: Path) -> None:
    path = tmp_path / "bare.subsecond"
    hello, *messages = playground()
    assert isinstance(hello, Hello)
    with Recorder(path, hello) as recorder:
        for message in messages:
            if isinstance(message, TurnEnd):
                recorder.put(message)
    source = ReplaySource(path, at_ps=30 * S, paused=True)
    items = until_clock(source)
    source.close()
    shown = {(lane.lane, turn.turn) for lane in items if isinstance(lane, OpenTurns) for turn in lane.oldest}
    assert shown == {(m.lane, m.turn) for m in messages if isinstance(m, TurnEnd) and m.start_ps <= 30 * S < m.end_ps}
    assert shown
