"""The gauge of room on the pipelines screen and in short on the race."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from msgspec import structs
from support.feeds import playground
from textual.pilot import Pilot

from subsecond.agents.study.room_messages import LaneRoom, RoomAnswer, RoomQuestion
from subsecond.engine.feed import Gauges, Hello, Message
from subsecond.tui.app import SubsecondApp
from subsecond.tui.room import Room
from subsecond.tui.screens.panel import Panel

SIZES = ((80, 24), (120, 40), (200, 60))
MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)


class AtOnce:
    """A search that knows."""

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.asked: list[RoomQuestion] = []
        self.is_closed = False

    async def answer(self, question: RoomQuestion) -> RoomAnswer:
        self.asked.append(question)
        if self.error:
            return RoomAnswer(error=self.error)
        most = 35 if question.kind == "coding" else 40
        return RoomAnswer("a budget", 95.0, (LaneRoom("trn-cs3", most), LaneRoom("gpu", 0)))

    async def close(self) -> None:
        self.is_closed = True


async def answered(kit: SimpleNamespace, app: SubsecondApp, pilot: Pilot[None]) -> None:
    """Look at the pipelines until there is an answer."""
    app.room._quiet_s = 0.0
    await kit.press(app, pilot, "4")
    snapshot = app.snapshot
    assert snapshot is not None
    await kit.until(app, pilot, lambda: all(one.answer is not None for one in app.room.of(snapshot)))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_pictures(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    search = AtOnce()
    pictures = {}

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await answered(kit, app, pilot)
        pictures["room"] = kit.text_of(app)
        await kit.press(app, pilot, "1")
        pictures["room-race"] = kit.text_of(app)

    kit.run(body, size=size, search=search)
    assert search.is_closed, "nothing is left behind"
    assert [question.kind for question in search.asked] == ["coding", "voice"]
    for name, text in pictures.items():
        assert max(map(len, text.splitlines())) <= size[0]
        kit.check_golden(f"{name}-{size[0]}x{size[1]}", text)


def test_nothing_is_searched_for_before_somebody_looks(kit: SimpleNamespace) -> None:
    search = AtOnce()

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        app.room._quiet_s = 0.0
        for key in ("2", "3", "5", "6", "7", "8", "1"):
            await kit.press(app, pilot, key)

    kit.run(body, search=search)
    assert search.asked == []


def test_why_nothing_is_known_is_said(kit: SimpleNamespace) -> None:
    async def failed(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await answered(kit, app, pilot)
        assert "Not known here: the search ended by itself" in kit.text_of(app)

    async def untold(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        assert "Not known here: this service or recording does not carry its scenario." in kit.text_of(app)

    kit.run(failed, search=AtOnce("the search ended by itself"))
    search = AtOnce()
    kit.run(untold, [msgspec.structs.replace(HELLO, tables={}), *MESSAGES[1:]], search=search)
    assert search.asked == []


def test_without_a_search_there_is_no_gauge(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert not app.room.is_there
        await kit.press(app, pilot, "4")
        assert not app.screen.query_one("#room", Panel).display

    kit.run(body)


def test_the_gauge_says_what_it_is(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert isinstance(app.room, Room)
        await kit.press(app, pilot, "4")
        app.screen.query_one("#room", Panel).focus()
        await kit.press(app, pilot, "question_mark")
        assert "Room for more: how many more sessions" in kit.text_of(app)
        await kit.press(app, pilot, "escape")
        app.screen.query_one("#parameters").focus()
        await kit.press(app, pilot, "question_mark")
        inside = " ".join(line.split("│")[1] for line in kit.text_of(app).splitlines() if line.count("│") > 1)
        assert "not even 1 that a single one would miss" in " ".join(inside.split())

    kit.run(body, size=(200, 60), search=AtOnce())


def broken() -> list[Message]:
    """The recorded minute, with a fault at its end in the second pipeline."""
    gauges = next(m for m in reversed(MESSAGES) if isinstance(m, Gauges) and m.lane == 1)
    return [*MESSAGES, structs.replace(gauges, faults=("gpu_down 0",))]


def test_while_something_is_broken_it_says_what_it_leaves_out(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await answered(kit, app, pilot)
        text = kit.text_of(app)
        assert "Room if nothing were broken: coding" in text
        assert "room for about 11 more coding" in text
        await kit.press(app, pilot, "1")
        first = next(line for line in kit.text_of(app).splitlines() if "A trn-cs3" in line)
        assert first.count("room ") == 1, "nothing is claimed of a pipeline in which something is broken"
        assert "room ~11 coding, 0 voice, 0:00 ago" in first

    kit.run(body, broken(), search=AtOnce())


def test_in_the_past_it_is_about_then(kit: SimpleNamespace, tmp_path: Path) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await answered(kit, app, pilot)
        await kit.press(app, pilot, "left_square_bracket")
        await kit.until(app, pilot, lambda: app.travel.replay is not None and not app.travel.shown.is_jumping)
        assert "Room for more then while budgets hold: coding" in kit.text_of(app)
        await kit.press(app, pilot, "1")
        assert "room " not in kit.text_of(app)

    kit.run(body, kit.record(tmp_path / "minute.subsecond"), search=AtOnce())


def test_the_age_goes_before_the_words_do(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await answered(kit, app, pilot)
        text = kit.text_of(app)
        assert "B gpu      not even 1 coding !   not even 1 voice !" in text
        assert "A trn-cs3  room for ~11 coding   ~8 voice too many !" in text
        assert " ago" not in text

    kit.run(body, size=(60, 16), search=AtOnce())
