"""Who is connected from outside: one entry per agent, for the screen, the recording and the metrics."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from subsecond.engine.feed import OutsideAgent, TurnEnd
from subsecond.engine.turns import TurnState

from .limits import Rate

__all__ = ["AgentEntry", "Roster", "Totals", "shown"]

#: Agents that are remembered after they have gone, and sessions that are told of each.
KEEP: Final = 256
TOLD_SESSIONS: Final = 16
#: Sessions of which it is known whose they are: those of all conversations that go on, and as many before them.
MOST_SESSIONS: Final = 8192
#: Agents that are told of at a time; the others follow with the next look.
MOST_NEWS: Final = 256
#: Virtual seconds after its last request for which a client of single requests counts as connected.
LINGER_S: Final = 60.0
PS_PER_S = 10**12
#: Longest name and error that are kept of a client's own words.
LONGEST: Final = 200


@dataclass(slots=True, eq=False)
class AgentEntry:
    """An agent; fields as in `feed.OutsideAgent`."""

    number: int
    name: str
    protocol: str
    address: str
    kind: int
    since_ps: int
    lane: int = -1
    connections: int = 0
    seen_ps: int = 0
    sessions: deque[int] = field(default_factory=lambda: deque(maxlen=TOLD_SESSIONS))
    turns: int = 0
    missed: int = 0
    open_requests: int = 0
    stage: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    errors: int = 0
    last_error: str = ""
    lag_ms: float | None = None
    is_changed: bool = True
    permits: Rate | None = None

    def complain(self, words: str) -> None:
        """It has sent something that cannot be taken."""
        self.errors += 1
        self.last_error = shown(words)
        self.is_changed = True

    def serve(self, session: int, lane: int) -> None:
        """It has a request on a lane, in a session."""
        self.lane = lane
        if session not in self.sessions:
            self.sessions.append(session)
        self.is_changed = True

    def is_connected(self, now_ps: int) -> bool:
        """Whether a connection stands, or one stood lately."""
        return self.connections > 0 or self.open_requests > 0 or now_ps - self.seen_ps < LINGER_S * PS_PER_S

    def note(self, now_ps: int) -> OutsideAgent:
        """The entry as a message."""
        return OutsideAgent(
            agent=self.number,
            name=self.name,
            protocol=self.protocol,
            address=self.address,
            kind=self.kind,
            lane=self.lane,
            is_connected=self.is_connected(now_ps),
            since_ps=self.since_ps,
            sessions=tuple(self.sessions),
            turns=self.turns,
            missed=self.missed,
            open_requests=self.open_requests,
            stage=self.stage,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            errors=self.errors,
            last_error=self.last_error,
            lag_ms=self.lag_ms,
        )


@dataclass(slots=True)
class Totals:
    """What all agents of a protocol have done since the service began."""

    turns: int = 0
    missed: int = 0
    errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class Roster:
    """All agents of a run."""

    def __init__(self) -> None:
        self._all: OrderedDict[int, AgentEntry] = OrderedDict()
        self._keys: dict[int, str] = {}
        self._by_key: dict[str, AgentEntry] = {}
        #: Those without a connection, the one that left first at the front.
        self._gone: OrderedDict[int, AgentEntry] = OrderedDict()
        #: With the lane that serves it: an agent may have sessions on several.
        self._by_session: OrderedDict[int, tuple[AgentEntry, int]] = OrderedDict()
        self._count = 0
        self._were_connected: set[int] = set()
        self._forgotten: dict[str, Totals] = {}

    def __iter__(self) -> Iterator[AgentEntry]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def welcome(self, key: str, name: str, protocol: str, address: str, kind: int, now_ps: int) -> AgentEntry:
        """The entry of an agent that has connected, with one connection more.

        Args:
            key: says which agent it is; the same key finds the same entry.
        """
        found = self._by_key.get(key)
        if found is None:
            found = AgentEntry(self._count, shown(name), protocol, address, kind, now_ps)
            self._count += 1
            self._all[found.number] = self._by_key[key] = found
            self._keys[found.number] = key
        self._gone.pop(found.number, None)
        found.connections += 1
        found.seen_ps = now_ps
        found.is_changed = True
        return found

    def farewell(self, entry: AgentEntry, now_ps: int) -> None:
        """A connection of an agent has ended; of those who have gone the latest are remembered."""
        entry.connections -= 1
        entry.seen_ps = now_ps
        entry.is_changed = True
        if entry.connections > 0:
            return
        self._gone[entry.number] = entry
        while len(self._gone) > KEEP:
            self._forget(self._gone.popitem(last=False)[1])

    def _forget(self, entry: AgentEntry) -> None:
        del self._all[entry.number]
        del self._by_key[self._keys.pop(entry.number)]
        self._add(self._forgotten.setdefault(entry.protocol, Totals()), entry)

    @staticmethod
    def _add(totals: Totals, entry: AgentEntry) -> None:
        totals.errors += entry.errors
        totals.bytes_in += entry.bytes_in
        totals.bytes_out += entry.bytes_out

    def totals(self) -> dict[str, Totals]:
        """By protocol; numbers that never get smaller."""
        found = {protocol: replace(totals) for protocol, totals in self._forgotten.items()}
        for entry in self._all.values():
            self._add(found.setdefault(entry.protocol, Totals()), entry)
        return found

    def has_session(self, entry: AgentEntry, session: int, lane: int) -> None:
        """An agent has a request in a session, served by a lane."""
        self._by_session[session] = (entry, lane)
        self._by_session.move_to_end(session)
        if len(self._by_session) > MOST_SESSIONS:
            self._by_session.popitem(last=False)
        entry.serve(session, lane)

    def count(self, ends: Iterable[TurnEnd]) -> None:
        """Turns have ended: those of agents from outside are counted, on the lane that serves them."""
        for turn in ends:
            entry, lane = self._by_session.get(turn.session, (None, -1))
            if entry is None or turn.lane != lane:
                continue
            is_missed = turn.state == TurnState.FAILED or (turn.state == TurnState.ANSWERED and 0 in turn.met)
            totals = self._forgotten.setdefault(entry.protocol, Totals())
            for record in (entry, totals):
                record.turns += 1
                record.missed += is_missed
            entry.is_changed = True

    def news(self, now_ps: int) -> list[OutsideAgent]:
        """Entries that have changed since they were told last."""
        connected = {v.number for v in self._all.values() if v.is_connected(now_ps)}
        turned = connected ^ self._were_connected
        changed = [v for v in self._all.values() if v.is_changed or v.number in turned][:MOST_NEWS]
        told = {entry.number for entry in changed}
        self._were_connected = (connected & told) | ((self._were_connected - told) & self._all.keys())
        for entry in changed:
            entry.is_changed = False
            self._all.move_to_end(entry.number)
        return [entry.note(now_ps) for entry in changed]

    def begin(self, now_ps: int) -> None:
        """Another run begins: sessions have other numbers."""
        self._by_session.clear()
        for entry in self._all.values():
            entry.since_ps = entry.seen_ps = now_ps
            entry.turns = entry.missed = 0
            entry.sessions.clear()
            entry.is_changed = True


def shown(words: str) -> str:
    """A client's words on one line, without anything that steers a terminal."""
    return "".join(c if c.isprintable() else " " for c in words[:LONGEST]).strip()
