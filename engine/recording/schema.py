"""The tables of a recording: an SQLite file that plain SQL can query; `docs/recording.md` shows how.

Times are virtual picoseconds and end in `_ps`. What belongs to a column stands in the SQL, so that `.schema` in the
`sqlite3` shell shows it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from subsecond.engine import catalog
from subsecond.engine.feed import Hello
from subsecond.engine.run import Plan, Reserve
from subsecond.engine.turns import TurnState

__all__ = [
    "APPLICATION_ID",
    "FIXED_COLUMNS",
    "FORMAT",
    "Header",
    "Origin",
    "catalog_digest",
    "create_indices",
    "create_tables",
    "met_columns",
    "quoted",
    "stage_columns",
    "turn_columns",
]

#: `SUBS`: tells a recording from the SQLite files of other programs.
APPLICATION_ID = 0x53554253
#: SQLite's `user_version`; goes up when a table or column changes its meaning or goes away.
FORMAT = 1

_TABLES = """
CREATE TABLE meta (         -- the run as a whole
  key   TEXT PRIMARY KEY,   -- package_version, catalog_digest, created_unix_s, driver, digest, scenario (its tables as
                            -- JSON), hello (the feed's first message as JSON), seed; folder and
                            -- reserve: what else it takes to draw the same sessions; writer_pid while it is written;
                            -- kept: 0 if it goes away with its run;
                            -- end_ps once it is finished; dropped_gauges: messages left out because the disk was slow
  value
) WITHOUT ROWID;
CREATE TABLE lanes (        -- the pipelines of the race
  lane   INTEGER PRIMARY KEY,
  name   TEXT, label TEXT, model TEXT,
  status TEXT               -- shipping, announced or cancelled
);
CREATE TABLE servers (      -- of each lane
  lane INTEGER, server INTEGER,
  name TEXT,
  role TEXT,                -- prefill, decode, gpu or fallback
  capacity_tokens INTEGER, max_seqs INTEGER,
  link_tokens_per_s REAL,   -- KV tokens that the link into it carries at its full rate; 0: there is no link
  PRIMARY KEY (lane, server)
) WITHOUT ROWID;
CREATE TABLE parameters (   -- the visible parameters of each lane as the run began; `knobs` has what was turned later
  lane INTEGER, key TEXT, value TEXT, unit TEXT, provenance TEXT, source TEXT,
  PRIMARY KEY (lane, key)
) WITHOUT ROWID;
CREATE TABLE agents (agent INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE stages (       -- in the order in which a turn passes them
  stage INTEGER PRIMARY KEY, name TEXT,
  turns_column TEXT         -- where `turns` has the time spent in it
);
CREATE TABLE states (state INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE budgets (      -- limits on the turns of an agent kind; NULL: no such limit
  budget INTEGER PRIMARY KEY, name TEXT, agents TEXT,
  turn_ps INTEGER, ttft_ps INTEGER, tpot_ps INTEGER,
  percentile REAL,          -- share of turns, in percent, that shall keep it
  source TEXT,
  turns_column TEXT         -- where `turns` says whether a turn met it
);
CREATE TABLE gauges (       -- a lane at a moment, ten times a second
  seq INTEGER PRIMARY KEY,
  at_ps INTEGER, lane INTEGER,
  open_turns INTEGER, flows INTEGER,
  servers TEXT,             -- JSON; see the view server_gauges
  oldest BLOB,              -- the turns open longest: JSON, compressed by zlib, since it is the bulk of a recording
  faults TEXT               -- JSON, faults in effect, in words
);
CREATE TABLE clocks (       -- virtual time against wall time; a clock that stands still is written once
  seq INTEGER PRIMARY KEY,
  at_ps INTEGER,
  wall_s REAL, speed REAL,  -- speed: virtual seconds per second
  paused INTEGER,
  late_p50_ms REAL, late_p99_ms REAL  -- wall time by which events were handled late
);
CREATE TABLE loads (        -- sessions at work by agent kind
  seq INTEGER PRIMARY KEY, at_ps INTEGER,
  sessions TEXT, wanted TEXT,  -- JSON, by agent; wanted: how many are kept at work, 0 where they begin at a rate
  arrivals_per_s TEXT       -- JSON, by agent: how many begin in a virtual second, 0 where there is no rate
);
CREATE TABLE faults (       -- one that was mended early has a second row, the same but for its end, which holds
  seq INTEGER PRIMARY KEY, at_ps INTEGER, lane INTEGER, kind TEXT, target INTEGER, value REAL,
  until_ps INTEGER,         -- NULL: it lasts
  drill TEXT                -- name of the drill that it belongs to; NULL: of none
);
CREATE TABLE knobs (        -- parameters that were changed while the run went on
  seq INTEGER PRIMARY KEY, at_ps INTEGER,
  lane TEXT, key TEXT,
  value TEXT                -- JSON
);
CREATE TABLE notices (
  seq INTEGER PRIMARY KEY, at_ps INTEGER,
  level TEXT,               -- info, warning or error
  text TEXT, dropped INTEGER
);
CREATE TABLE annotations (  -- what those who watched wrote down about an instant of the run
  seq INTEGER PRIMARY KEY, at_ps INTEGER, text TEXT
);
CREATE TABLE contents (     -- what agents from outside said and were answered; only if the user has asked for it
  seq INTEGER PRIMARY KEY, at_ps INTEGER,
  lane INTEGER, turn INTEGER,
  role TEXT,                -- user or tool for what was asked, assistant or tool_call for the answer
  text TEXT
);
CREATE TABLE outside_agents (  -- agents connected from outside: a row whenever something about one changes
  seq INTEGER PRIMARY KEY, at_ps INTEGER,
  agent INTEGER,            -- number of the agent
  name TEXT, protocol TEXT, address TEXT,
  kind INTEGER,             -- its place in `agents`
  lane INTEGER,             -- that served it last; NULL: none has
  is_connected INTEGER, since_ps INTEGER,
  sessions TEXT,            -- JSON, numbers of its last sessions as in `turns`
  turns INTEGER, missed INTEGER,  -- missed: late or failed
  open_requests INTEGER,
  stage TEXT,               -- of the latest open one
  bytes_in INTEGER, bytes_out INTEGER,
  errors INTEGER, last_error TEXT,
  lag_ms REAL               -- on the way to the service, by the agent's own clock
);
CREATE TABLE population (   -- sessions of the reserve that began on a lane, or were to end with their present request
  seq INTEGER PRIMARY KEY, at_ps INTEGER, lane INTEGER, session INTEGER, is_retired INTEGER
);
CREATE TABLE requests (     -- of agents from outside that have ended, as on the lane that served them
  seq INTEGER PRIMARY KEY,
  at_ps INTEGER,            -- when it was sent
  lane INTEGER,
  slot INTEGER,             -- session that it had in the engine, where the next conversation may have the same
  session INTEGER, turn INTEGER, turn_index INTEGER, agent INTEGER,
  gap_ps INTEGER,           -- from the session's last reply on this lane to sending it; NULL: nothing came before
  cancelled_ps INTEGER,     -- after which time the agent gave it up; NULL: it did not
  prompt_tokens INTEGER, reuse_tokens INTEGER, output_tokens INTEGER, milestone_tokens INTEGER,
  prefix_group INTEGER, group_tokens INTEGER,  -- shared prefix, -1: none, and its tokens
  prefix INTEGER,           -- tells apart what one prefix_group stands for in the course of time
  ends_turn INTEGER,        -- 0: the next request of the session belongs to the same turn
  before_ps TEXT, after_ps TEXT  -- JSON, by stage: what the turn takes before it, and after its milestone
);
CREATE VIEW server_gauges AS
  SELECT g.at_ps, g.lane, s.key AS server, json_extract(s.value, '$[0]') AS up,
    json_extract(s.value, '$[1]') AS queued, json_extract(s.value, '$[2]') AS batch,
    json_extract(s.value, '$[3]') AS used_tokens, json_extract(s.value, '$[4]') AS retained_tokens,
    json_extract(s.value, '$[5]') AS busy_ps, json_extract(s.value, '$[6]') AS preemptions,
    json_extract(s.value, '$[7]') AS evictions, json_extract(s.value, '$[8]') AS flows,
    json_extract(s.value, '$[9]') AS received_tokens, json_extract(s.value, '$[10]') AS prefill_tokens,
    json_extract(s.value, '$[11]') AS hit_tokens
  FROM gauges AS g, json_each(g.servers) AS s;
CREATE VIEW sessions AS
  SELECT lane, session, agent, count(*) AS turns, min(start_ps) AS first_start_ps, max(end_ps) AS last_end_ps,
    max(latency_ps) AS worst_latency_ps
  FROM turns GROUP BY session, lane;
"""

_TURNS = """
CREATE TABLE turns (        -- one row per lane and turn
  seq             INTEGER PRIMARY KEY,  -- order of writing, through all tables
  lane            INTEGER,
  turn            INTEGER,  -- the same number on every lane
  session         INTEGER,
  turn_index      INTEGER,  -- which turn of its session it is, from 0
  agent           INTEGER,
  state           INTEGER,  -- 1 answered, 2 failed, 3 cancelled; 0 pending: the run stopped before
  start_ps        INTEGER,
  end_ps          INTEGER,  -- start_ps + latency_ps
  latency_ps      INTEGER,  -- of a pending turn: how long it had waited
  ttft_ps         INTEGER,  -- of its last request; NULL: no token
  tpot_ps         INTEGER,
  requests        INTEGER,
  prompt_tokens   INTEGER,
  hit_tokens      INTEGER,  -- of the prompts, found in a prefix cache
  output_tokens   INTEGER,
  attempts        INTEGER,  -- how often work of it was lost or refused
  {columns}
);
"""

#: Windows of time, one turn on all lanes, one session; the latest of a lane; a moment.
_INDICES = """
CREATE INDEX turns_by_end ON turns (end_ps);
CREATE INDEX turns_by_turn ON turns (turn);
CREATE INDEX turns_by_session ON turns (session, turn_index);
CREATE INDEX gauges_by_lane ON gauges (lane, at_ps);
CREATE INDEX gauges_by_time ON gauges (at_ps);
CREATE INDEX clocks_by_time ON clocks (at_ps);
CREATE INDEX loads_by_time ON loads (at_ps);
CREATE INDEX faults_by_time ON faults (at_ps);
CREATE INDEX outside_agents_by_time ON outside_agents (at_ps);
CREATE INDEX annotations_by_time ON annotations (at_ps);
CREATE INDEX contents_by_turn ON contents (turn);
CREATE INDEX knobs_by_time ON knobs (at_ps);
CREATE INDEX notices_by_time ON notices (at_ps);
"""

#: Columns of `turns` that every recording has, in order.
FIXED_COLUMNS = (
    "seq",
    "lane",
    "turn",
    "session",
    "turn_index",
    "agent",
    "state",
    "start_ps",
    "end_ps",
    "latency_ps",
    "ttft_ps",
    "tpot_ps",
    "requests",
    "prompt_tokens",
    "hit_tokens",
    "output_tokens",
    "attempts",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What it takes beside a scenario's tables to draw its sessions again.

    Attributes:
        folder: where relative paths of the scenario start.
        reserve: sessions beyond the scenario's.
    """

    folder: str = "."
    reserve: Reserve = field(default_factory=Reserve)

    @classmethod
    def of(cls, plan: Plan) -> Origin:
        """Of a plan."""
        return cls(str(plan.scenario.folder.absolute()), plan.reserve)


@dataclass(frozen=True, slots=True)
class Header:
    """What a recording says about its run, besides what happened.

    Attributes:
        tables: the scenario as read, with all settings; enough to run it again.
        driver: "live", "virtual", or "re-run" of a live one.
        created_unix_s: wall time, seconds since 1970.
        digest: of the results of a finished run in virtual time.
        origin: what else it takes to run it again.
    """

    hello: Hello
    tables: Mapping[str, Any] = field(default_factory=dict)
    driver: str = "live"
    created_unix_s: float = 0.0
    digest: str | None = None
    origin: Origin = field(default_factory=Origin)


@cache
def catalog_digest() -> str:
    """Hash over the facts that ship with the package."""
    folder = Path(catalog.__file__).parent
    digest = blake2b(digest_size=16)
    for path in sorted(p for ending in ("*.toml", "*.csv") for p in folder.rglob(ending)):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()


def quoted(name: str) -> str:
    """A name of a column as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def stage_columns(hello: Hello) -> list[str]:
    """The columns of `turns` with the stages, by place."""
    return [f"stage_{name}_ps" for name in hello.stages]


def met_columns(hello: Hello) -> list[str]:
    """The columns of `turns` that say 1, 0 or NULL for met, missed or not meant, by the place of the budget."""
    return [f"met_{place}" for place in range(len(hello.budgets))]


def turn_columns(hello: Hello) -> str:
    """All columns of `turns` for a SELECT or INSERT, in order."""
    return ", ".join((*FIXED_COLUMNS, *map(quoted, (*stage_columns(hello), *met_columns(hello)))))


def create_tables(connection: sqlite3.Connection, header: Header) -> None:
    """Make the tables of a new recording and write what is known at its start; commits."""
    hello = header.hello
    columns = [f"{quoted(name)} INTEGER" for name in (*stage_columns(hello), *met_columns(hello))]
    columns = columns or ["no_stage INTEGER"]
    connection.executescript(
        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
        + _TURNS.format(columns=",\n  ".join(columns))
        + _TABLES
        + _named_turns(hello)
    )
    meta: dict[str, Any] = {
        "package_version": version("subsecond"),
        "catalog_digest": catalog_digest(),
        "created_unix_s": header.created_unix_s,
        "driver": header.driver,
        "digest": header.digest,
        "seed": hello.seed,
        "scenario": msgspec.json.encode(header.tables).decode(),
        "hello": msgspec.json.encode(hello).decode(),
        "dropped_gauges": 0,
        "folder": header.origin.folder,
        "reserve": msgspec.json.encode(header.origin.reserve).decode(),
    }
    with connection:
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        _describe(connection, hello)


def create_indices(connection: sqlite3.Connection) -> None:
    """Make the indices; after the rows if there are many, since that is faster."""
    connection.executescript(_INDICES)


def _describe(connection: sqlite3.Connection, hello: Hello) -> None:
    """Names and limits as tables, for those who read with SQL."""

    def write(table: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    lanes = list(enumerate(hello.lanes))
    write("lanes", [(i, x.name, x.label, x.model, x.status) for i, x in lanes])
    write("servers", [(i, j, *msgspec.structs.astuple(s)) for i, x in lanes for j, s in enumerate(x.servers)])
    parameters = {(i, p.key): msgspec.structs.astuple(p) for i, x in lanes for p in x.parameters}
    write("parameters", [(i, *row) for (i, _), row in parameters.items()])
    write("agents", list(enumerate(hello.agents)))
    write("states", [(state.value, state.name.lower()) for state in TurnState])
    write("stages", [(i, *pair) for i, pair in enumerate(zip(hello.stages, stage_columns(hello), strict=True))])
    met = met_columns(hello)
    write("budgets", [(i, *msgspec.structs.astuple(b), met[i]) for i, b in enumerate(hello.budgets)])


def _named_turns(hello: Hello) -> str:
    """A view with names instead of numbers and milliseconds instead of picoseconds."""
    spans = ["latency", "ttft", "tpot"]
    columns = [
        "lanes.name AS lane",
        "turn",
        "session",
        "turn_index",
        "agents.name AS agent",
        "states.name AS state",
        "start_ps / 1e12 AS start_s",
        *(f"{name}_ps / 1e9 AS {name}_ms" for name in spans),
        "requests",
        "prompt_tokens",
        "hit_tokens",
        "output_tokens",
        "attempts",
        *(f"{quoted(c)} / 1e9 AS {quoted(c.removesuffix('_ps') + '_ms')}" for c in stage_columns(hello)),
        *(f"{quoted(c)} AS {quoted('met ' + b.name)}" for c, b in zip(met_columns(hello), hello.budgets, strict=True)),
    ]
    joins = "turns JOIN lanes USING (lane) JOIN agents USING (agent) JOIN states USING (state)"
    return f"CREATE VIEW named_turns AS SELECT {', '.join(columns)} FROM {joins};"
