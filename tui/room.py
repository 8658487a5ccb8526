"""Room for more sessions at the load of a snapshot: asks for it, remembers answers, and says how old they are."""

from __future__ import annotations

import asyncio
import copy
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from subsecond.agents.study.room_messages import LaneRoom, RoomAnswer, RoomQuestion
from subsecond.engine.feed import Hello, LaneInfo, Load, ParameterInfo
from subsecond.tui.knobs import SET, number_of, shown, typed_value
from subsecond.tui.room_search import Search
from subsecond.tui.snapshot import Snapshot

__all__ = ["KindRoom", "Room", "tables_now"]

#: Seconds for which a question must stay the same before it is worked on.
QUIET_S: Final = 2.0
#: Answers that are remembered.
_MOST_ANSWERS: Final = 64
#: How far the number of sessions that come and go may move before it is another load.
_SLACK, _LEAST_SLACK = 0.1, 2


@dataclass(frozen=True, slots=True)
class KindRoom:
    """What is known of one agent kind.

    Attributes:
        sessions: at work now.
        answer: None: there is none yet.
        age_s: of the answer.
        is_searching: whether the answer, if there is one, is for another load or other parameters, and a new one is on
            its way.
    """

    kind: str
    sessions: int
    answer: RoomAnswer | None
    age_s: float
    is_searching: bool

    def on(self, lane: str) -> LaneRoom | None:
        """The answer for a lane; None: there is none."""
        return None if self.answer is None else next((one for one in self.answer.lanes if one.lane == lane), None)


@dataclass(frozen=True, slots=True)
class _Known:
    answer: RoomAnswer
    at_s: float


class Room:
    """Keeps one search going for what is looked at.

    Args:
        search: None: nothing is ever searched for.
        monotonic: seconds of the wall clock.
        quiet_s: see `QUIET_S`.
    """

    def __init__(
        self, search: Search | None, monotonic: Callable[[], float] = time.monotonic, *, quiet_s: float = QUIET_S
    ) -> None:
        self._search = search
        self._monotonic = monotonic
        self._quiet_s = quiet_s
        self._wanted: dict[bytes, RoomQuestion] = {}
        self._wanted_since_s = 0.0
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        #: By scenario and agent kind the question that was answered last.
        self._latest: dict[tuple[str, str], bytes] = {}
        self._sessions: dict[tuple[str, str], int] = {}
        #: What the questions were last made of, and they.
        self._made_of: tuple[Hello, tuple[LaneInfo, ...], dict[str, int]] | None = None
        self._made: dict[bytes, RoomQuestion] = {}
        self._wake = asyncio.Event()

    @property
    def is_there(self) -> bool:
        """Whether anything is ever searched for."""
        return self._search is not None

    # -- asking

    def ask(self, snapshot: Snapshot) -> None:
        """Want to know the room at this load; what was wanted before is not any more."""
        questions = self._questions(snapshot)
        if self._search is not None and questions.keys() != self._wanted.keys():
            self._wanted_since_s = self._monotonic()
            self._wanted = questions
            self._wake.set()

    def of(self, snapshot: Snapshot) -> list[KindRoom]:
        """What is known for each agent kind that is at work."""
        return [self._of_kind(key, question) for key, question in self._questions(snapshot).items()]

    def _of_kind(self, key: bytes, question: RoomQuestion) -> KindRoom:
        kind, sessions = question.kind, question.sessions[question.kind]
        found, is_searching = self._known.get(key), False
        if found is None:
            latest = self._latest.get((question.name, kind))
            found, is_searching = None if latest is None else self._known.get(latest), key in self._wanted
        if found is None:
            return KindRoom(kind, sessions, None, 0.0, is_searching)
        return KindRoom(kind, sessions, found.answer, self._monotonic() - found.at_s, is_searching)

    def _questions(self, snapshot: Snapshot) -> dict[bytes, RoomQuestion]:
        """A question for each agent kind that is at work, by its bytes."""
        hello, lanes = snapshot.hello, tuple(lane.info for lane in snapshot.lanes)
        if not hello.tables or snapshot.load is None:
            return {}
        sessions = self._present(hello, snapshot.load)
        made_of = self._made_of
        is_same = made_of is not None and made_of[0] is hello and made_of[2] == sessions
        if made_of is None or not is_same or any(a is not b for a, b in zip(made_of[1], lanes, strict=True)):
            tables = tables_now(hello.tables, lanes)
            asked = [RoomQuestion(hello.scenario, tables, kind, sessions) for kind in hello.agents if sessions[kind]]
            self._made_of = hello, lanes, sessions
            self._made = {msgspec.json.encode(question): question for question in asked}
        return self._made

    def _present(self, hello: Hello, load: Load) -> dict[str, int]:
        """Sessions at work by kind; where they come and go, a number that stays for small changes."""
        found = {}
        for place, kind in enumerate(hello.agents):
            key, now = (hello.run, kind), max(0, load.sessions[place])
            before = self._sessions.setdefault(key, now)
            if abs(now - before) > max(_LEAST_SLACK, _SLACK * before):
                self._sessions[key] = now
            found[kind] = load.wanted[place] if load.wanted[place] > 0 else self._sessions[key]
        return found

    # -- working

    async def keep(self) -> None:
        """Work on what is wanted until cancelled; the search is ended then."""
        if self._search is None:
            return
        try:
            while True:
                key = next((key for key in self._wanted if key not in self._known), None)
                wait_s = self._wanted_since_s + self._quiet_s - self._monotonic()
                if key is not None and wait_s <= 0:
                    await self._work(self._search, key)
                else:
                    await self._woken(None if key is None else wait_s)
        finally:
            await self._search.close()

    async def _woken(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _work(self, search: Search, key: bytes) -> None:
        """Search until there is an answer, or nobody wants it any more."""
        question = self._wanted[key]
        searching = asyncio.ensure_future(search.answer(question))
        try:
            while not searching.done() and key in self._wanted:
                waking = asyncio.ensure_future(self._woken(None))
                try:
                    await asyncio.wait((searching, waking), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waking.cancel()
        finally:
            if not searching.done():
                searching.cancel()
                await asyncio.wait((searching,))
        if not searching.cancelled():
            self._remember(key, question, searching.result())

    def _remember(self, key: bytes, question: RoomQuestion, answer: RoomAnswer) -> None:
        self._known[key] = _Known(answer, self._monotonic())
        self._latest[question.name, question.kind] = key
        while len(self._known) > _MOST_ANSWERS:
            self._known.popitem(last=False)


def tables_now(tables: dict[str, Any], lanes: tuple[LaneInfo, ...]) -> dict[str, Any]:
    """A scenario's tables with the parameters that were set since it was read."""
    found = copy.deepcopy(tables)
    pipelines = found.get("pipelines")
    if not isinstance(pipelines, dict):
        return found
    for lane in lanes:
        own = pipelines.get(lane.name)
        if isinstance(own, dict):
            _set(own, lane)
    return found


def _set(own: dict[str, Any], lane: LaneInfo) -> None:
    for parameter in lane.parameters:
        if parameter.source != SET:
            continue
        names = [key for key in own if key.replace(".", "_") == parameter.key]
        if not any(_says(own[name], parameter) for name in names):
            for name in names:
                del own[name]
            number = number_of(parameter)
            own[parameter.key] = typed_value(parameter.value) if number is None else number


def _says(value: object, parameter: ParameterInfo) -> bool:
    """Whether a value of the tables is the one that is shown, which has fewer figures."""
    if isinstance(value, int | float):
        return shown(float(value), parameter.unit) == parameter.value
    return str(value) == parameter.value
