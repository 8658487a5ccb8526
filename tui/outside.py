"""Agents connected from outside, as the feed tells them: bounded, and their own words made safe to show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from subsecond.engine.feed import Hello, OutsideAgent
from subsecond.engine.turns import TurnState
from subsecond.tui.turnlog import Field, TurnTable
from subsecond.tui.widgets.text import clean

__all__ = ["MARK", "AgentTable", "AgentTurns", "Agents"]

Int64 = NDArray[np.int64]

#: Stands in front of the name of an agent from outside.
MARK: Final = "◆"
#: Agents that are remembered, and sessions of each.
KEEP: Final = 2048
KEEP_SESSIONS: Final = 64
#: Letters of a name, and of the words about an error, that are kept.
LONGEST_NAME: Final = 80
LONGEST_WORDS: Final = 400
_LIMIT: Final = 1 << 60
_MAX_SESSIONS: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class AgentTurns:
    """What the remembered turns of one agent came to on one lane.

    Attributes:
        p50_ps, p95_ps: latency of the answered ones; None: there is none.
        kept: share of those with a budget that met every budget of their kind; None: none has one.
    """

    turns: int
    p50_ps: int | None
    p95_ps: int | None
    kept: float | None


@dataclass(frozen=True, slots=True, eq=False)
class AgentTable:
    """Agents at a moment.

    Attributes:
        agents: by their number, in the order in which they came; names are clean and never empty.
        by_session: number of the agent whose session has a number.
    """

    agents: Mapping[int, OutsideAgent] = field(default_factory=lambda: MappingProxyType({}))
    by_session: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))

    def __len__(self) -> int:
        return len(self.agents)

    def __iter__(self) -> Iterator[OutsideAgent]:
        return iter(self.agents.values())

    @property
    def num_connected(self) -> int:
        """How many are connected."""
        return sum(agent.is_connected for agent in self)

    def owner(self, session: int) -> OutsideAgent | None:
        """Whose session it is; None: it is none of an agent from outside."""
        number = self.by_session.get(session)
        return None if number is None else self.agents.get(number)

    def name_of(self, session: int) -> str:
        """The mark and the name of the agent whose session it is; empty: of none from outside."""
        agent = self.owner(session)
        return "" if agent is None else f"{MARK}{agent.name}"

    def turns(self, table: TurnTable) -> dict[int, AgentTurns]:
        """What the turns of a table came to, by the agent's number; agents without a turn are left out."""
        if not self.by_session or not len(table):
            return {}
        sessions = np.fromiter(self.by_session, np.int64, len(self.by_session))
        owners = np.fromiter(self.by_session.values(), np.int64, len(self.by_session))
        order = np.argsort(sessions)
        sessions, owners = sessions[order], owners[order]
        asked = table.of(Field.SESSION)
        place = np.minimum(np.searchsorted(sessions, asked), len(sessions) - 1)
        rows = np.flatnonzero(sessions[place] == asked)
        if not len(rows):
            return {}
        numbers, owner = np.unique(owners[place[rows]], return_inverse=True)
        found = _turns_by_owner(table, rows, owner, len(numbers))
        return dict(zip(numbers.tolist(), found, strict=True))


def _turns_by_owner(table: TurnTable, rows: Int64, owner: Int64, num_owners: int) -> list[AgentTurns]:
    """What turns came to, owner by owner; sorted once for all of them, which a screen of hundreds needs."""
    state, met = table.of(Field.STATE)[rows], table.met[:, rows]
    answered = state == TurnState.ANSWERED
    counts = (met >= 0).any(axis=0) & (answered | (state == TurnState.FAILED))
    good = counts & answered & (met != 0).all(axis=0)
    turns, counted, kept, latencies = (
        np.bincount(owner[pick], minlength=num_owners).tolist() for pick in (slice(None), counts, good, answered)
    )
    latency = table.of(Field.LATENCY_PS)[rows[answered]]
    ordered = latency[np.lexsort((latency, owner[answered]))].tolist()
    found, begin = [], 0
    for place in range(num_owners):
        own = ordered[begin : begin + latencies[place]]
        begin += len(own)
        share = kept[place] / counted[place] if counted[place] else None
        found.append(AgentTurns(turns[place], _of_rank(own, 0.5), _of_rank(own, 0.95), share))
    return found


def _of_rank(ordered: list[int], q: float) -> int | None:
    """As `stats.quantile_ps`, of sorted values."""
    return ordered[math.ceil(q * len(ordered)) - 1] if ordered else None


class Agents:
    """Takes messages about agents; of too many, those that have gone and came first are forgotten."""

    def __init__(self, hello: Hello) -> None:
        self._num_kinds, self._num_lanes = len(hello.agents), len(hello.lanes)
        self._all: dict[int, OutsideAgent] = {}
        self._by_session: dict[int, int] = {}
        self._table: AgentTable | None = AgentTable()
        self._sessions: Mapping[int, int] | None = self._table.by_session

    def add(self, message: OutsideAgent) -> None:
        """Take what is new about an agent.

        Raises:
            ValueError: it has a number that no agent has, or names what the run does not have.
        """
        self._check(message)
        before = self._all.get(message.agent)
        known = dict.fromkeys((*(before.sessions if before else ()), *message.sessions))
        sessions = tuple(known)[-KEEP_SESSIONS:]
        if before is None or before.sessions != sessions:
            self._replace_sessions(message.agent, before.sessions if before else (), sessions)
        self._all[message.agent] = msgspec.structs.replace(
            message,
            name=clean(message.name[:LONGEST_NAME]).strip() or f"agent {message.agent}",
            protocol=clean(message.protocol[:LONGEST_NAME]),
            address=clean(message.address[:LONGEST_NAME]),
            stage=clean(message.stage[:LONGEST_NAME]),
            last_error=clean(message.last_error[:LONGEST_WORDS]),
            sessions=sessions,
        )
        self._table = None
        if len(self._all) > KEEP:
            self._forget()

    def _check(self, message: OutsideAgent) -> None:
        m = message
        if not 0 <= m.kind < self._num_kinds or not -1 <= m.lane < self._num_lanes:
            raise ValueError(f"an agent from outside of kind {m.kind} on lane {m.lane}")
        counts = (m.agent, m.since_ps, m.turns, m.missed, m.open_requests, m.bytes_in, m.bytes_out, m.errors)
        if not all(0 <= count < _LIMIT for count in counts):
            raise ValueError(f"agent {m.agent} from outside has a number that none has")
        if not all(0 <= session < _MAX_SESSIONS for session in m.sessions):
            raise ValueError(f"agent {m.agent} from outside has a session that no run has")
        if m.lag_ms is not None and not abs(m.lag_ms) < _LIMIT:
            raise ValueError(f"requests of agent {m.agent} from outside are on their way for {m.lag_ms} ms")

    def _replace_sessions(self, agent: int, old: tuple[int, ...], new: tuple[int, ...]) -> None:
        for session in old:
            if self._by_session.get(session) == agent:
                del self._by_session[session]
        self._by_session.update(dict.fromkeys(new, agent))
        self._sessions = None

    def _forget(self) -> None:
        """Make room: the first that has gone, or the first of all."""
        gone = next((number for number, one in self._all.items() if not one.is_connected), next(iter(self._all)))
        self._replace_sessions(gone, self._all.pop(gone).sessions, ())

    def is_first(self, message: OutsideAgent) -> bool:
        """Whether a message tells of one that has connected while no other is there."""
        is_new = message.is_connected and message.agent not in self._all
        return is_new and not any(agent.is_connected for agent in self._all.values())

    def table(self) -> AgentTable:
        """All of them at this moment; what comes later does not change it."""
        if self._sessions is None:
            self._sessions = MappingProxyType(dict(self._by_session))
        if self._table is None:
            self._table = AgentTable(MappingProxyType(dict(self._all)), self._sessions)
        return self._table
