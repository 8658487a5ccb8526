"""The fleet: all engines on a broker in one list, and the race of each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import playground
from textual.pilot import Pilot

from subsecond.engine.commands import Pause
from subsecond.engine.feed import Clock, Hello, Notice, OutsideAgent
from subsecond.engine.telemetry.listener import Away, Back, Event, Forgotten, Heard, Missed, Refused
from subsecond.engine.telemetry.topics import Status
from subsecond.tui.fleet_app import FleetApp
from subsecond.tui.screens.fleet import FleetView
from subsecond.tui.screens.race import RaceView

SIZES = ((80, 24), (120, 40), (200, 60))
PLACE = "mqtt://broker.lab:1883/team"
STATUS = Status(True, "run-a", "aaaa1111", "playground", "t", ("a",), "lab-1", 1e9, False)
AGENT = OutsideAgent(0, "tester", "realtime", "10.0.0.9", 0, 0, True, 0)

Body = Callable[[FleetApp, Pilot[None]], Awaitable[None]]


class Hand:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def heard(run: str, **changes: object) -> Iterator[Event]:
    """The recorded minute as an engine on a broker tells it."""
    yield Heard(run, msgspec.structs.replace(STATUS, run=run, **changes))
    for message in playground():
        if isinstance(message, Hello):
            message = msgspec.structs.replace(message, run=run, recording="")
        yield Heard(run, message)


def fleet() -> Iterator[Event]:
    """Three engines: one goes on, one is paused, one has died."""
    yield Back()
    yield from heard("run-a")
    yield Heard("run-a", AGENT)
    yield from heard("run-b", engine="bbbb2222", host="lab-2", scenario="call-center", takes_commands=True)
    clock = next(one for one in reversed(playground()) if isinstance(one, Clock))
    yield Heard("run-b", msgspec.structs.replace(clock, paused=True))
    gone = msgspec.structs.replace(STATUS, run="run-c", engine="cccc3333", host="lab-3", online=False, reason="lost")
    yield Heard("run-c", gone)


def run(kit: SimpleNamespace, body: Body, events: Iterator[Event], size: tuple[int, int] = (120, 40)) -> None:
    async def main() -> None:
        app = FleetApp(None, fps=None, place=PLACE, now_s=Hand())
        async with app.run_test(size=size) as pilot:
            for event in events:
                app.fleet.take(event)
            app.clear_notifications()
            await kit.settle(app, pilot)
            await body(app, pilot)

    asyncio.run(asyncio.wait_for(main(), 120))


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of day as they are in Greenwich."""
    monkeypatch.setattr("subsecond.tui.screens.fleet.time.localtime", __import__("time").gmtime)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_pictures(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    async def body(app: FleetApp, _pilot: Pilot[None]) -> None:
        kit.check_golden(f"fleet-{size[0]}x{size[1]}", kit.text_of(app))

    run(kit, body, fleet(), size)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_empty_fleet_says_what_to_do(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    async def body(app: FleetApp, _pilot: Pilot[None]) -> None:
        text = kit.text_of(app)
        assert f"subsecond serve --mqtt {PLACE}" in " ".join(text.replace("│", " ").split())
        kit.check_golden(f"fleet-empty-{size[0]}x{size[1]}", text)

    run(kit, body, iter([Back()]), size)


def test_a_broker_that_is_away_is_told_and_comes_back(kit: SimpleNamespace) -> None:
    async def body(app: FleetApp, pilot: Pilot[None]) -> None:
        app.fleet.take(Away("no broker at x (Connection refused)"))
        await kit.settle(app, pilot)
        assert "NO BROKER: no broker at x (Connection refused)" in kit.text_of(app)
        assert "lab-2" in kit.text_of(app)
        app.fleet.take(Back())
        await kit.settle(app, pilot)
        assert "NO BROKER" not in kit.text_of(app)

    run(kit, body, fleet(), (200, 60))


def test_enter_opens_the_race_and_escape_leads_back(kit: SimpleNamespace) -> None:
    async def body(app: FleetApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "slash", *"lab-2", "enter", "enter")
        assert isinstance(app.view, RaceView)
        assert "PAUSED" in kit.text_of(app)
        assert app.snapshot is not None
        assert app.snapshot.hello.run == "run-b"
        assert app.snapshot.has_turns
        await kit.press(app, pilot, "3", "escape", "escape")
        assert isinstance(app.view, FleetView)
        app.open_engine("aaaa1111")
        await kit.settle(app, pilot)
        assert app.snapshot.hello.run == "run-a"
        await kit.press(app, pilot, "0")
        assert isinstance(app.view, FleetView)

    run(kit, body, fleet())


def test_an_engine_that_dies_is_offline_in_the_list_and_in_its_race(kit: SimpleNamespace) -> None:
    async def body(app: FleetApp, pilot: Pilot[None]) -> None:
        app.open_engine("aaaa1111")
        await kit.settle(app, pilot)
        app.fleet.take(Heard("run-a", msgspec.structs.replace(STATUS, online=False, reason="lost")))
        await kit.settle(app, pilot)
        assert "NO SERVICE: the engine was cut off or has died" in kit.text_of(app)
        assert app.fleet.engines["aaaa1111"].state == "offline"
        app.fleet.take(Heard("run-a", STATUS))
        await kit.settle(app, pilot)
        assert "NO SERVICE" not in kit.text_of(app)

    run(kit, body, fleet())


def test_commands_are_refused_with_a_reason_where_the_engine_takes_none(kit: SimpleNamespace) -> None:
    async def body(app: FleetApp, pilot: Pilot[None]) -> None:
        app.open_engine("aaaa1111")
        await kit.press(app, pilot, "space")
        assert any("--mqtt-control" in one.message for one in app._notifications)

    run(kit, body, fleet())


def test_commands_go_to_the_run_where_the_engine_takes_them(kit: SimpleNamespace) -> None:
    async def body(app: FleetApp, _pilot: Pilot[None]) -> None:
        sent = []

        async def send(run: str, command: object) -> bool:
            sent.append((run, command))
            return True

        source = app.fleet.engines["bbbb2222"].source
        source._send = lambda run, command: asyncio.ensure_future(send(run, command))
        assert await source.send(Pause())
        assert sent == [("run-b", Pause())]

    run(kit, body, fleet())


def test_a_run_that_starts_anew_keeps_its_line(kit: SimpleNamespace) -> None:
    async def body(app: FleetApp, pilot: Pilot[None]) -> None:
        app.open_engine("aaaa1111")
        app.fleet.take(Heard("run-a", msgspec.structs.replace(STATUS, online=False, reason="replaced")))
        for event in heard("run-z", since_unix_s=2e9):
            app.fleet.take(event)
        app.fleet.take(Forgotten("run-a"))
        await kit.settle(app, pilot)
        assert app.snapshot is not None
        assert app.snapshot.hello.run == "run-z"
        assert set(app.fleet.engines) == {"aaaa1111", "bbbb2222", "cccc3333"}
        app.fleet.take(Forgotten("run-c"))
        assert set(app.fleet.engines) == {"aaaa1111", "bbbb2222"}

    run(kit, body, fleet())


def test_what_was_lost_or_not_understood_is_told(kit: SimpleNamespace) -> None:
    async def body(app: FleetApp, pilot: Pilot[None]) -> None:
        app.fleet.take(Refused("garbage"))
        app.fleet.take(Missed("run-a", "turns", 3))
        app.fleet.take(Missed("nobody", "turns", 3))
        await kit.settle(app, pilot)
        assert "1 not understood" in kit.text_of(app)
        model = app.fleet.engines["aaaa1111"].watch.model
        assert model is not None
        assert Notice("warning", "3 batches of turns were lost on the way here") in model.notices

    run(kit, body, fleet())


def test_only_an_engine_that_is_gone_is_forgotten_and_only_after_a_question(kit: SimpleNamespace) -> None:
    async def body(app: FleetApp, pilot: Pilot[None]) -> None:
        forgotten: list[str] = []

        class Ears:
            async def forget(self, run: str) -> bool:
                forgotten.append(run)
                return len(forgotten) > 1

        app._listener = Ears()  # type: ignore[assignment]  # as far as it is asked
        await kit.press(app, pilot, "delete")
        assert any("only one that has ended or died" in one.message for one in app._notifications)
        await kit.press(app, pilot, "end", "delete", "escape")
        assert forgotten == []
        await kit.press(app, pilot, "delete")
        kit.check_golden("fleet-forget-120x40", kit.text_of(app))
        await kit.press(app, pilot, "enter")
        assert forgotten == ["run-c"]
        assert any("The broker has not taken it" in one.message for one in app._notifications)
        await kit.press(app, pilot, "delete", "enter")
        assert forgotten == ["run-c", "run-c"]
        await app.forget_engine("aaaa1111")
        await app.forget_engine("nobody")
        assert len(forgotten) == 2

    run(kit, body, fleet())


def test_keys_of_a_run_are_not_offered_in_the_list(kit: SimpleNamespace) -> None:
    async def body(app: FleetApp, pilot: Pilot[None]) -> None:
        assert not {"Pause", "Freeze", "Load"} & set(kit.keys_of(app))
        await kit.press(app, pilot, "1")
        assert isinstance(app.view, FleetView)
        assert any("Choose an engine" in one.message for one in app._notifications)

    run(kit, body, fleet())
