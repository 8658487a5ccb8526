"""One dashboard for two engines on a real broker, while engines die and the broker restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

from support.feeds import playground

from subsecond.engine.feed import Clock, Gauges, Load
from subsecond.tui.fleet_app import FleetApp

WAIT_S = 60.0
LOOK_S = 0.02


async def until(fits: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not fits():
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {WAIT_S} s") from None


def test_two_engines_and_one_dashboard(mqtt: SimpleNamespace) -> None:
    latest = {type(one): one for one in playground() if isinstance(one, Clock | Load | Gauges)}

    async def run() -> None:
        voices = [mqtt.Voice(mqtt.broker, name) for name in ("run-a", "run-b")]
        for voice in voices:
            voice.put([*latest.values()])
        app = FleetApp(mqtt.broker, fps=None)
        async with app.run_test(size=(120, 40)) as pilot:
            engines = app.fleet.engines

            def states() -> list[str]:
                return sorted(engine.state for engine in engines.values())

            def turns(run: str) -> int:
                engine = next(one for one in engines.values() if one.status.run == run)
                assert engine.watch.model is not None
                return sum(len(lane.log) for lane in engine.watch.model.snapshot().lanes)

            await until(lambda: states() == ["online", "online"], "two engines")
            await until(lambda: all(one.watch.model and one.watch.model.clock for one in engines.values()), "clocks")
            voices[0].say(100)
            voices[1].say(50)
            await until(lambda: (turns("run-a"), turns("run-b")) == (100, 50), "turns")
            mqtt.mosquitto.kill()
            await until(lambda: app.fleet.away, "no broker")
            voices[0].say(11)
            mqtt.mosquitto.start()
            await until(lambda: not app.fleet.away and turns("run-a") == 111, "the broker, and what was told meanwhile")
            await voices[1].until_news("the broker is back")
            voices[1].abort()
            await until(lambda: states() == ["offline", "online"], "the last will")
            app.draw()
            await pilot.pause()
            late = FleetApp(mqtt.broker, fps=None)
            dead = next(one.status.engine for one in engines.values() if not one.status.online)
            await app.forget_engine(dead)
            await until(lambda: states() == ["online"], "that it is forgotten")
            assert app.fleet.refused == 0
        async with late.run_test(size=(120, 40)):
            engines = late.fleet.engines
            await until(lambda: engines and next(iter(engines.values())).watch.model, "a hello")
            await until(lambda: turns("run-a") == 111, "turns from before")
            assert states() == ["online"]
        await voices[0].close()

    asyncio.run(run())
