"""The sessions that a plan holds in reserve for a live run."""

from __future__ import annotations

import numpy as np
import pytest
from support.feeds import HandClock

from subsecond.agents.plan import MOST_WAITING, plan_run
from subsecond.engine.core.config import NOT_SCHEDULED
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.run import Plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario

PS_PER_S = 10**12


def plan(coding: int, voice: int, reserve: int, hours: float) -> Plan:
    tables, path = load_tables("playground")
    tables.pop("duration_s")
    apply_settings(tables, [f"coding.sessions={coding}", f"voice.sessions={voice}"])
    return plan_run(parse_scenario(tables, path), reserve=reserve, reserve_hours=hours)


@pytest.mark.parametrize(
    ("reserve", "hours", "waiting"),
    [(0, 0.0, 0), (7, 0.0, 14), (7, 1.0, 7 + 24), (0, 0.5, 2 + 12), (0, 1e6, 2 * MOST_WAITING)],
)
def test_so_many_wait_as_are_to_replace_those_that_end(reserve: int, hours: float, waiting: int) -> None:
    starts = plan(2, 2, reserve, hours).workload.session_start_ps
    assert int(np.count_nonzero(starts == NOT_SCHEDULED)) == waiting


def test_the_reserve_lasts() -> None:
    """So many are at work at the end of the time that it is meant for as at its beginning."""
    clock = HandClock()
    driver = LiveDriver(plan(1, 4, 0, 1.0), clock, compiled=False)  # type: ignore[arg-type]  # as good as the real clock
    for _ in range(360):
        clock.at_ps += 10 * PS_PER_S
        driver.advance()
        driver.turn_ends()
    assert driver.load().sessions == (1, 4)
