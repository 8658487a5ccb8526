"""A short live run as a list of feed messages: the same for every test, made by the engine itself."""

from __future__ import annotations

from functools import cache

import msgspec

from subsecond.agents.plan import plan_run
from subsecond.engine.feed import Message
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario

PS_PER_S = 10**12


class HandClock:
    """A clock that stands where a test puts it; it has what the driver asks of `PacedClock`."""

    speed = 1.0
    is_paused = False

    def __init__(self) -> None:
        self.at_ps = 0

    def now_ps(self) -> int:
        return self.at_ps

    def wall_of(self, at_ps: int) -> float:
        return at_ps / PS_PER_S


@cache
def playground(seconds: int = 60, scenario: str = "playground", settings: tuple[str, ...] = ()) -> tuple[Message, ...]:
    """Messages of the first seconds of a scenario that ships, as the service would send them."""
    tables, path = load_tables(scenario)
    tables.pop("duration_s", None)
    apply_settings(tables, list(settings))
    clock = HandClock()
    driver = LiveDriver(plan_run(parse_scenario(tables, path)), clock, compiled=False)  # type: ignore[arg-type]  # a fake
    messages: list[Message] = [driver.hello("fixture", "/tmp/fixture.subsecond")]
    for tenth in range(1, 10 * seconds + 1):
        clock.at_ps = tenth * PS_PER_S // 10
        driver.advance()
        messages += driver.turn_ends()
        if tenth % 5 == 0:
            messages += driver.gauges()
            messages.append(msgspec.structs.replace(driver.clock_message(tenth / 10), late_p50_ms=0.4, late_p99_ms=1.6))
            messages.append(driver.load())
    return tuple(messages)
