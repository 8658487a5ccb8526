"""The dashboard by itself: frames come by the clock, fewer out of focus, and a real service is watched and steered."""

from __future__ import annotations

import asyncio

import msgspec
from support.feeds import playground
from websockets.asyncio.server import ServerConnection, serve

from subsecond.engine.commands import Pause, decode_command
from subsecond.engine.feed import Clock, Message, encode
from subsecond.tui.app import FPS, UNFOCUSED_FPS, SubsecondApp
from subsecond.tui.source import ListSource, LiveSource

MESSAGES = playground()


def test_frames_come_by_themselves() -> None:
    async def main() -> None:
        app = SubsecondApp(ListSource(MESSAGES))
        async with app.run_test(size=(80, 24)) as pilot:
            await app.is_over.wait()
            while app.snapshot is None:
                await pilot.pause(1 / FPS)
            assert app.snapshot.has_turns

    asyncio.run(main())


def test_fewer_frames_out_of_focus() -> None:
    async def main() -> None:
        app = SubsecondApp(ListSource(MESSAGES))
        async with app.run_test(size=(80, 24)) as pilot:
            from textual.events import AppBlur, AppFocus

            app.post_message(AppBlur())
            await pilot.pause()
            assert app._timer is not None
            assert app._timer._interval == 1 / UNFOCUSED_FPS
            app.post_message(AppFocus())
            await pilot.pause()
            assert app._timer._interval == 1 / FPS

    asyncio.run(main())


def test_no_work_without_news() -> None:
    async def main() -> None:
        app = SubsecondApp(ListSource(MESSAGES), fps=None)
        async with app.run_test(size=(80, 24)) as pilot:
            await app.is_over.wait()
            app.draw()
            await pilot.pause()
            first = app.snapshot
            app.draw()
            assert app.snapshot is first

    asyncio.run(main())


def test_a_service_is_watched_and_steered_over_a_websocket() -> None:
    got = []

    async def handler(socket: ServerConnection) -> None:
        for message in MESSAGES:
            await socket.send(encode(message).decode())
        got.append(decode_command(await socket.recv()))
        clock = next(m for m in reversed(MESSAGES) if isinstance(m, Clock))
        paused: Message = msgspec.structs.replace(clock, paused=True)
        await socket.send(encode(paused).decode())
        await socket.wait_closed()

    async def main() -> None:
        async with serve(handler, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            app = SubsecondApp(LiveSource(f"ws://127.0.0.1:{port}/v1/observe"), fps=50)
            async with app.run_test(size=(80, 24)) as pilot:
                while app.snapshot is None or app.snapshot.at_ps < 60 * 10**12:
                    await pilot.pause(0.02)
                await pilot.press("space")
                while not app.is_paused:
                    await pilot.pause(0.02)
                assert app.alert == "PAUSED"
                server.close()
                while not app.gone:
                    await pilot.pause(0.02)
                assert app.alert.startswith("NO SERVICE")
        assert got == [Pause()]

    asyncio.run(asyncio.wait_for(main(), 30))
