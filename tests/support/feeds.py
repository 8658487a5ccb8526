"""Messages of live runs for tests of the dashboard: a recorded minute, the same for ever, and runs made on the spot.

`python -m support.feeds`, in `tests`, records the minute anew.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import msgspec

from subsecond.agents.plan import plan_run
from subsecond.engine.feed import Message, decode_message, encode
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario

__all__ = ["live", "playground"]

PS_PER_S = 10**12
RECORDED = Path(__file__).with_name("playground-minute.jsonl.gz")


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
def playground() -> tuple[Message, ...]:
    """The recorded first minute of the scenario `playground`."""
    return tuple(decode_message(line) for line in gzip.decompress(RECORDED.read_bytes()).splitlines())


def live(seconds: int, scenario: str = "playground", settings: tuple[str, ...] = ()) -> list[Message]:
    """Messages of the first seconds of a scenario that ships, as the service would send them twice a second."""
    tables, path = load_tables(scenario)
    tables.pop("duration_s", None)
    apply_settings(tables, list(settings))
    clock = HandClock()
    plan = plan_run(parse_scenario(tables, path))
    driver = LiveDriver(plan, clock, compiled=False)  # type: ignore[arg-type]  # as good as the real clock
    messages: list[Message] = [driver.hello("fixture", "/tmp/fixture.subsecond")]
    for tenth in range(1, 10 * seconds + 1):
        clock.at_ps = tenth * PS_PER_S // 10
        driver.advance()
        messages += driver.turn_ends()
        if tenth % 5 == 0:
            messages += driver.gauges()
            clock_message = driver.clock_message(tenth / 10)
            messages.append(msgspec.structs.replace(clock_message, late_p50_ms=0.4, late_p99_ms=1.6))
            messages.append(driver.load())
    return messages


if __name__ == "__main__":
    RECORDED.write_bytes(gzip.compress(b"\n".join(encode(message) for message in live(60)), mtime=0))
