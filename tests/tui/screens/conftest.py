"""The dashboard on a list of messages, driven by keys, and what is on its screen as text."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import playground
from support.sweeps import QUICK, many_tasks, perform, small_sweep
from textual.pilot import Pilot

from subsecond.agents.sweep.threads import Threads
from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import Hello, Message
from subsecond.engine.recording.writer import Recorder
from subsecond.tui.app import SubsecondApp
from subsecond.tui.source import Item, ListSource
from subsecond.tui.widgets.timeline import Timeline

GOLDEN = Path(__file__).with_name("goldens")
SIZES = ((80, 24), (120, 40), (200, 60))

Body = Callable[[SubsecondApp, Pilot[None]], Awaitable[None]]


class WallClock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def text_of(app: SubsecondApp) -> str:
    """What is on the screen, without colours."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines) + "\n"


async def settle(app: SubsecondApp, pilot: Pilot[None]) -> None:
    """Wait until nothing is left to do, and draw."""
    await pilot.pause()
    await _drawn(app, pilot)


async def _drawn(app: SubsecondApp, pilot: Pilot[None]) -> None:
    app.draw()
    app.redraw()
    await pilot.pause()


async def press(app: SubsecondApp, pilot: Pilot[None], *keys: str) -> None:
    """Press keys one by one, and draw after each."""
    for key in keys:
        await pilot.press(key)  # which waits until what it does is done
        await _drawn(app, pilot)


def run(
    body: Body,
    messages: Iterable[Item] | None = None,
    size: tuple[int, int] = (120, 40),
    place: str = "recording",
    **options: object,
) -> ListSource:
    """Show the dashboard on messages (the recorded minute), and do something with it; gives the source."""
    source = ListSource(playground() if messages is None else messages, place)

    async def main() -> None:
        app = SubsecondApp(source, fps=None, monotonic=WallClock(), **options)
        async with app.run_test(size=size) as pilot:
            await app.is_over.wait()
            await settle(app, pilot)
            await body(app, pilot)

    asyncio.run(asyncio.wait_for(main(), 120))
    return source


def record(path: Path, messages: Iterable[Message | SetKnob] | None = None) -> list[Message]:
    """The recorded minute, and a recording of it where its first message says."""
    hello, *rest = playground() if messages is None else messages
    assert isinstance(hello, Hello)
    hello = msgspec.structs.replace(hello, recording=str(path))
    with Recorder(path, hello) as recorder:
        for message in rest:
            recorder.put(message)
    return [hello, *(message for message in rest if not isinstance(message, SetKnob))]


async def until(app: SubsecondApp, pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    """Wait for something that a thread or a recording brings."""

    async def look() -> None:
        while not is_so():
            await settle(app, pilot)

    await asyncio.wait_for(look(), 60)
    await settle(app, pilot)


async def until_at(app: SubsecondApp, pilot: Pilot[None], at_s: float) -> None:
    """Wait until an instant is shown, with the timeline."""
    at_ps = round(at_s * 10**12)
    await until(app, pilot, lambda: app.snapshot is not None and app.snapshot.at_ps == at_ps)
    await until(app, pilot, lambda: app.view is not None and app.view.query_one(Timeline).display)


def check_golden(name: str, text: str) -> None:
    """Compare with the file; SUBSECOND_UPDATE_GOLDENS=1 writes it instead."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("SUBSECOND_UPDATE_GOLDENS") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def keys_of(app: SubsecondApp) -> Sequence[str]:
    """Descriptions of the keys that the footer shows."""
    return [a.binding.description for a in app.screen.active_bindings.values() if a.binding.show]


@pytest.fixture(autouse=True)
def _folder_of_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own recordings are no business of a test."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def kit() -> SimpleNamespace:
    """All of the above, for test modules that cannot import this file."""
    return SimpleNamespace(**{name: value for name, value in globals().items() if not name.startswith("_")})


@pytest.fixture
def sweep_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a sweep of twelve tasks, of which four failed."""
    many_tasks(monkeypatch)
    path = tmp_path / "small.sweep"
    perform(small_sweep(tmp_path, QUICK), path, Threads(1))
    return path
