"""The gauge of room: what is asked, when, what is remembered, and a search that dies or is not wanted any more."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from support.feeds import playground

from subsecond.agents.study.room_messages import LaneRoom, RoomAnswer, RoomQuestion
from subsecond.engine.feed import Hello, Load, Notice
from subsecond.tui.model import Model
from subsecond.tui.room import Room, tables_now
from subsecond.tui.room_search import ChildSearch
from subsecond.tui.screens.room_rows import room_brief, room_rows
from subsecond.tui.snapshot import Snapshot

MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)


def snapshot(coding: int = 24, voice: int = 48, *more: Notice, hello: Hello = HELLO, wanted: bool = True) -> Snapshot:
    model = Model(hello)
    model.add(Load(1, (coding, voice), (coding, voice) if wanted else (0, 0), (0.0, 0.0)))
    for one in more:
        model.add(one)
    return model.snapshot()


class FakeSearch:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[RoomQuestion] = []
        self.cancelled = 0
        self.is_closed = False
        self.may_answer = asyncio.Event()

    async def answer(self, question: RoomQuestion) -> RoomAnswer:
        self.asked.append(question)
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        most = 30 if question.kind == "coding" else 48
        return RoomAnswer("a budget", 95.0, (LaneRoom("trn-cs3", most), LaneRoom("gpu", 0)))

    async def close(self) -> None:
        self.is_closed = True


def keep(body: Callable[[Room, FakeSearch], Awaitable[None]], *, quiet_s: float = 0.0) -> FakeSearch:
    """Do something with a gauge that is kept going."""
    now_s = iter(range(10**6))

    async def main() -> FakeSearch:
        search = FakeSearch()
        room = Room(search, lambda: float(next(now_s)) / 1e3, quiet_s=quiet_s)
        keeping = asyncio.create_task(room.keep())
        await body(room, search)
        keeping.cancel()
        await asyncio.wait((keeping,))
        assert search.is_closed
        return search

    return asyncio.run(asyncio.wait_for(main(), 30))


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0)


def test_each_kind_is_asked_once_and_remembered() -> None:
    async def body(room: Room, search: FakeSearch) -> None:
        first, second = snapshot(), snapshot(25)
        search.may_answer.set()
        for _ in range(3):
            room.ask(first)
            await until(lambda: all(one.answer for one in room.of(first)))
        assert len(search.asked) == 2
        room.ask(second)
        assert [one.is_searching for one in room.of(second)] == [True, True]
        assert all(one.answer for one in room.of(second)), "the former answer is shown meanwhile"
        await until(lambda: not any(one.is_searching for one in room.of(second)))
        room.ask(first)
        assert not any(one.is_searching for one in room.of(first))

    search = keep(body)
    assert [(question.kind, question.sessions) for question in search.asked] == [
        ("coding", {"coding": 24, "voice": 48}),
        ("voice", {"coding": 24, "voice": 48}),
        ("coding", {"coding": 25, "voice": 48}),
        ("voice", {"coding": 25, "voice": 48}),
    ]
    assert {question.name for question in search.asked} == {"playground"}
    assert search.asked[0].tables == HELLO.tables


def test_a_search_that_nobody_wants_any_more_is_stopped() -> None:
    async def body(room: Room, search: FakeSearch) -> None:
        room.ask(snapshot())
        await until(lambda: len(search.asked) == 1)
        room.ask(snapshot(99))
        await until(lambda: len(search.asked) == 2)

    search = keep(body)
    assert search.cancelled == 2, "the second one at the end"
    assert search.asked[1].sessions == {"coding": 99, "voice": 48}


def test_a_load_that_moves_is_not_asked_about_until_it_stays() -> None:
    async def body(room: Room, search: FakeSearch) -> None:
        for sessions in range(10, 20):
            room.ask(snapshot(sessions))
            for _ in range(20):
                await asyncio.sleep(0)
        assert search.asked == []

    assert keep(body, quiet_s=60.0).asked == []


def is_found(room: Room, shown: Snapshot) -> bool:
    return not any(one.is_searching for one in room.of(shown))


def test_sessions_that_come_and_go_are_the_same_load_for_small_changes() -> None:
    async def body(room: Room, search: FakeSearch) -> None:
        search.may_answer.set()
        for coding, voice in ((20, 40), (21, 42), (19, 44), (20, 50), (26, 50)):
            room.ask(snapshot(coding, voice, wanted=False))
            await until(partial(is_found, room, snapshot(coding, voice, wanted=False)))

    loads = [tuple(question.sessions.values()) for question in keep(body).asked]
    assert loads == [(20, 40), (20, 40), (20, 50), (20, 50), (26, 50), (26, 50)]


def test_kinds_that_are_not_at_work_are_not_asked_about() -> None:
    async def body(room: Room, search: FakeSearch) -> None:
        search.may_answer.set()
        room.ask(snapshot(5, 0))
        await until(lambda: bool(search.asked))
        assert [one.kind for one in room.of(snapshot(5, 0))] == ["coding"]

    assert [question.kind for question in keep(body).asked] == ["coding"]


def test_a_change_of_a_parameter_is_asked_about() -> None:
    change = Notice("info", "gpu: router_ms is 20.0 from now on")
    tables = tables_now(HELLO.tables, tuple(lane.info for lane in snapshot(24, 48, change).lanes))
    assert tables["pipelines"]["gpu"] == {**HELLO.tables["pipelines"]["gpu"], "router_ms": 20.0}
    assert tables["pipelines"]["trn-cs3"] == HELLO.tables["pipelines"]["trn-cs3"]
    assert "router_ms" not in HELLO.tables["pipelines"]["gpu"], "what the service said stays as it was"


def test_a_setting_of_the_scenario_keeps_its_figures() -> None:
    change = Notice("info", "gpu: router_ms is 20.0 from now on")
    own = {**HELLO.tables, "pipelines": {"gpu": {"router.ms": 20.0}, "trn-cs3": {}}}
    lanes = tuple(lane.info for lane in snapshot(24, 48, change).lanes)
    assert tables_now(own, lanes) == own
    other = {**HELLO.tables, "pipelines": {"gpu": {"router.ms": 20.5}, "trn-cs3": {}}}
    assert tables_now(other, lanes)["pipelines"]["gpu"] == {"router_ms": 20.0}


def said(shown: Snapshot, room: Room, width: int = 120) -> list[str]:
    return ["".join(text for text, _ in row).rstrip() for row in room_rows(shown, room.of(shown), width)]


def test_room_is_said_by_pipeline_and_kind() -> None:
    async def body(room: Room, search: FakeSearch) -> None:
        shown, over, full = snapshot(), snapshot(35), snapshot(30)
        room.ask(shown)
        await until(lambda: bool(search.asked))
        assert said(shown, room)[0].split() == ["A", "trn-cs3", "coding", "…", "voice", "…"]
        search.may_answer.set()
        await until(lambda: not any(one.is_searching for one in room.of(shown)))
        first, second = said(shown, room)
        assert "room for about 6 more coding   full with 48 voice" in first
        assert "ago" in first
        assert "not even 1 coding !   not even 1 voice !" in second
        assert room_brief(room.of(shown), shown.lanes[0]) == "room ~6 coding, 0 voice, 0:00 ago"
        room.ask(over)
        assert "about 5 coding too many ! …" in said(over, room)[0]
        assert room_brief(room.of(over), over.lanes[0]) == "", "an answer for another load is none"
        room.ask(full)
        await until(lambda: not any(one.is_searching for one in room.of(full)))
        assert "full with 30 coding" in said(full, room)[0]

    keep(body)


def test_where_nothing_can_be_known_that_is_said() -> None:
    room = Room(None)
    assert not room.is_there
    bare = snapshot(hello=msgspec.structs.replace(HELLO, tables={}))
    assert said(bare, room) == ["Not known here: this service or recording does not carry its scenario."]
    assert said(Model(HELLO).snapshot(), room) == ["Waiting for the load…"]
    assert said(snapshot(0, 0), room) == ["No session is at work."]


def child(tmp_path: Path, body: str, limit_s: float = 30.0) -> ChildSearch:
    """A search by a program of one's own."""
    path = tmp_path / "child.py"
    path.write_text(f"import os, sys, time\nfor line in sys.stdin:\n    {body}\n")
    return ChildSearch((sys.executable, str(path)), limit_s)


QUESTION = RoomQuestion("a", {}, "coding", {"coding": 1})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("os._exit(3)", "ended by itself"),
        ("os.kill(os.getpid(), 9)", "ended by itself"),
        ("print('no answer', flush=True)", "ended by itself"),
        ("print('x' * 10**6, flush=True)", "ended by itself"),
        ("time.sleep(60)", "more than"),
    ],
)
def test_a_child_that_fails_is_said_and_nothing_is_left_of_it(tmp_path: Path, body: str, words: str) -> None:
    async def main() -> None:
        search = child(tmp_path, body, 0.5 if "sleep" in body else 30.0)
        for _ in range(2):  # the next question starts another one
            assert words in (await search.answer(QUESTION)).error
            assert search.process is None

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_program_that_cannot_be_started_is_said() -> None:
    search = ChildSearch(("/nowhere/at/all",))
    assert "ended by itself" in asyncio.run(search.answer(QUESTION)).error


def test_a_child_stays_for_the_next_question_and_ends_at_the_close(tmp_path: Path) -> None:
    async def main() -> int:
        search = child(tmp_path, 'print(\'{"budget": "b"}\', flush=True)')
        assert await search.answer(QUESTION) == RoomAnswer("b")
        assert search.process is not None
        pid = search.process.pid
        assert await search.answer(QUESTION) == RoomAnswer("b")
        assert search.process.pid == pid
        await search.close()
        await search.close()
        return pid

    pid = asyncio.run(asyncio.wait_for(main(), 60))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_search_that_is_cancelled_ends_its_child(tmp_path: Path) -> None:
    async def main() -> int:
        search = child(tmp_path, "time.sleep(60)")
        asking = asyncio.create_task(search.answer(QUESTION))
        while search.process is None:
            await asyncio.sleep(0.01)
        pid = search.process.pid
        asking.cancel()
        await asyncio.wait((asking,))
        assert search.process is None
        return pid

    pid = asyncio.run(asyncio.wait_for(main(), 60))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
