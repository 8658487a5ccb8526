"""Observers that are slow, stuck or late: they lose gauges and never turns, and nobody waits for them."""

from __future__ import annotations

import asyncio

import pytest
from support.live_service import WAIT_S

from subsecond.agents import observers
from subsecond.agents.observers import Observers
from subsecond.engine.feed import (
    Clock,
    Gauges,
    Message,
    Notice,
    TurnEnd,
    decode_message,
    encode,
)


def test_a_slow_observer_loses_gauges_and_no_turn() -> None:
    """Nothing is read until much has been published: turns wait in order, of gauges the latest alone."""

    class Socket:
        closed = False

        def __init__(self) -> None:
            self.sent: list[Message] = []

        async def send_str(self, data: str) -> None:
            self.sent.append(decode_message(data))

    async def run() -> None:
        from subsecond.agents.observers import Observer

        socket = Socket()
        observer = Observer(socket)  # type: ignore[arg-type]  # what it uses of a socket
        everybody = Observers()
        everybody.add(observer, Notice("info", "hello"))
        turns = [TurnEnd(0, i, 0, i, 0, 1, i, 1, 0, 0, (), (), 1, 1, 0, 1, 0) for i in range(500)]
        for turn in turns:
            gauges = [Gauges(turn.start_ps, lane, 0, (), (), 0, ()) for lane in (0, 1)]
            everybody.publish([turn, *gauges, Clock(turn.start_ps, 0.0, 1.0, False, 0.0, 0.0)])
        sending = asyncio.create_task(observer.send_all())
        while len(socket.sent) < len(turns) + 5 and not sending.done():
            await asyncio.sleep(0)
        assert not sending.done()
        sending.cancel()
        assert [m for m in socket.sent if isinstance(m, TurnEnd)] == turns
        assert [m.at_ps for m in socket.sent if isinstance(m, Gauges)] == [499, 499]
        assert [m.dropped for m in socket.sent if isinstance(m, Notice)] == [0, 3 * 499]

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


class Stuck:
    """A connection whose other end reads nothing and does not answer."""

    closed = False
    code = 0

    async def send_str(self, data: str) -> None:
        await asyncio.Event().wait()

    async def close(self, *, code: int, message: bytes) -> None:
        self.code = code
        await asyncio.Event().wait()


def test_an_observer_too_far_behind_is_let_go_and_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observers, "MOST_WAITING", 100)
    monkeypatch.setattr(observers, "CLOSE_S", 0.01)

    async def run() -> None:
        all_of_them, socket = Observers(), Stuck()
        all_of_them.add(observers.Observer(socket), Notice("info", "hello"))  # type: ignore[arg-type]  # as above
        for _ in range(200):
            all_of_them.publish([Notice("info", "something")])
        assert len(all_of_them) == 0
        await all_of_them.close()
        assert socket.code == 1008

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_nothing_of_the_former_run_comes_after_the_hello_of_the_next() -> None:
    class Socket(Stuck):
        def __init__(self) -> None:
            self.sent: list[Message] = []

        async def send_str(self, data: str) -> None:
            self.sent.append(decode_message(data))

    async def run() -> None:
        all_of_them, socket = Observers(), Socket()
        observer = observers.Observer(socket)  # type: ignore[arg-type]  # as above
        all_of_them.add(observer, Notice("info", "first"))
        all_of_them.publish([Gauges(1, 0, 0, (), (), 0, ()), Notice("info", "of the first")])
        all_of_them.begin(Notice("info", "second"))
        sending = asyncio.create_task(observer.send_all())
        while len(socket.sent) < 3:
            await asyncio.sleep(0)
        sending.cancel()
        assert [m.text for m in socket.sent if isinstance(m, Notice)] == ["first", "of the first", "second"]
        assert not any(isinstance(message, Gauges) for message in socket.sent)

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_a_run_that_begins_while_gauges_are_sent_is_told_all_the_same() -> None:
    async def run() -> None:
        from subsecond.agents.observers import Observer

        sent: list[Message] = []

        class Socket:
            closed = False

            async def send_str(self, data: str) -> None:
                sent.append(decode_message(data))
                if isinstance(sent[-1], Gauges):
                    observer.begin(encode(Notice("info", "another run")))

        observer = Observer(Socket())  # type: ignore[arg-type]  # what it uses of a socket
        for lane in (0, 1):
            gauges = Gauges(1, lane, 0, (), (), 0, ())
            observer.put(gauges, encode(gauges))
        sending = asyncio.create_task(observer.send_all())
        while len(sent) < 2 and not sending.done():
            await asyncio.sleep(0)
        assert not sending.done()
        sending.cancel()
        assert [type(message) for message in sent] == [Gauges, Notice]

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
