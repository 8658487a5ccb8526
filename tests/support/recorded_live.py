"""Live runs under a clock that a test moves, recorded as the service records them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from subsecond.agents.plan import plan_run
from subsecond.engine.commands import SetKnob
from subsecond.engine.core.config import Submission
from subsecond.engine.live.clock import PacedClock
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.live.outside import Conversation, Ticket
from subsecond.engine.recording.schema import Origin
from subsecond.engine.recording.writer import Recorder
from subsecond.engine.run import Plan
from subsecond.engine.scenario import FaultTable, apply_settings, parse_scenario

from .plans import Hand

S = 10**12

TABLES: dict[str, Any] = {
    "seed": 5,
    "pipelines": {"trn-cs3": {}, "gpu": {}},
    "agents": [
        {"kind": "coding", "sessions": 6, "ramp_s": 5.0, "max_turns": 4, "parameters": {"subagents.share": 0.5}},
        {"kind": "voice", "sessions": 6, "ramp_s": 5.0, "max_turns": 3, "parameters": {"tools.share": 0.4}},
    ],
    "budgets": {"coding": ["agent-step"], "voice": ["voice-sub-second"]},
}


class LiveRun:
    """A live run of the tables of above; it looks at its lanes ten times a virtual second."""

    def __init__(self, path: Path, tables: dict[str, Any] | None = None, *, outside: int = 8) -> None:
        self.hand = Hand()
        self.tables = tables or TABLES
        self._outside = outside
        self._settings: list[str] = []
        plan = self._plan()
        self.driver = LiveDriver(plan, PacedClock(1.0, self.hand))
        self.recorder = Recorder(
            path, self.driver.hello("live", ""), tables=plan.scenario.tables, origin=Origin.of(plan), batch_s=0.001
        )
        self.orders: list[tuple[int, Callable[[], None]]] = []
        self._replied: dict[int, Callable[[], None]] = {}

    def _plan(self) -> Plan:
        tables = copy.deepcopy(self.tables)
        apply_settings(tables, self._settings)
        return plan_run(
            parse_scenario(tables, Path("live.toml")), reserve=20, reserve_hours=0.01, outside=self._outside
        )

    def turn(self, lane: str, key: str, value: float) -> None:
        """Turn a knob that changes step times alone."""
        self._settings.append(f"pipelines.{lane}.{key}={value}")
        at_ps = self.driver.set_costs(lane, self._plan().pipelines[lane])
        assert at_ps is not None
        self.recorder.put(SetKnob(lane, key, value), at_ps)

    def inject(self, fault: FaultTable) -> None:
        """Let a fault happen."""
        for note in self.driver.inject(fault):
            self.recorder.put(note)

    def mend(self, kind: str, target: int, lane: str | None = None) -> None:
        """Let it end."""
        for note in self.driver.mend(kind, target, lane):
            self.recorder.put(note)

    def ask(
        self, conversation: Conversation, lane: int, ask: Submission, then: Callable[[], None] | None = None, **how: Any
    ) -> Ticket:
        """Send a request of an agent; `then` is called once it has the reply."""
        ticket = self.driver.outside.submit(conversation, lane, ask, self.driver.now_ps, agent=0, **how)
        if then is not None:
            self._replied[id(ticket)] = then
        return ticket

    def at_s(self, after_s: float, act: Callable[[], None]) -> None:
        """Do something after so many seconds."""
        self.orders.append((self.driver.now_ps + round(after_s * S), act))

    def go(self, seconds: float, step_s: float = 0.1) -> None:
        """Let time pass."""
        for _ in range(round(seconds / step_s)):
            self.hand.now_s += step_s
            self.driver.advance()
            due = [order for order in self.orders if order[0] <= self.driver.now_ps]
            self.orders = [order for order in self.orders if order not in due]
            for _, act in due:
                act()
            for progress in self.driver.outside.look(self.driver.now_ps):
                then = self._replied.pop(id(progress.ticket), None) if progress.end is not None else None
                if then is not None:
                    then()
            for messages in self.driver.look():
                for message in messages:
                    self.recorder.put(message)
            for note in self.driver.take_script():
                self.recorder.put(note)

    def close(self) -> None:
        """The run is over."""
        self.recorder.put(self.driver.clock_message(0.0))
        self.recorder.close()
