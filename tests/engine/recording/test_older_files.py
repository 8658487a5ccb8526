"""Recordings of before a column or a field was added: what they lack is taken as nothing."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from support.recordings import S, gauges, hello

from subsecond.engine.feed import Load
from subsecond.engine.recording.overview import overview
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.writer import Recorder
from subsecond.engine.script import Script


def make_older(path: Path) -> None:
    """Take from a recording what the first files of its format did not have."""
    connection = sqlite3.connect(path)
    with connection:
        (told,) = connection.execute("SELECT value FROM meta WHERE key = 'hello'").fetchone()
        first = json.loads(told)
        for lane in first["lanes"]:
            lane["servers"] = [server[:4] for server in lane["servers"]]
        connection.execute("UPDATE meta SET value = ? WHERE key = 'hello'", (json.dumps(first),))
        for seq, servers in connection.execute("SELECT seq, servers FROM gauges").fetchall():
            short = json.dumps([server[:8] for server in json.loads(servers)])
            connection.execute("UPDATE gauges SET servers = ? WHERE seq = ?", (short, seq))
        connection.execute("ALTER TABLE servers DROP COLUMN link_tokens_per_s")
        connection.execute("CREATE TABLE older AS SELECT seq, at_ps, sessions, wanted FROM loads")
        connection.execute("DROP TABLE loads")
        connection.execute("ALTER TABLE older RENAME TO loads")
        for table in ("annotations", "contents", "outside_agents", "population", "requests"):
            connection.execute(f"DROP TABLE {table}")
    connection.close()


def test_a_recording_without_later_fields_opens(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", hello()) as recorder:
        recorder.put(gauges(S))
        recorder.put(Load(S, (1, 2), (1, 2), (0.0, 0.5)))
    make_older(tmp_path / "run")
    with Recording.open(tmp_path / "run") as recording:
        (server, *_) = recording.gauges_at(S)[0].servers
        assert (server.flows, server.received_tokens, server.prefill_tokens, server.hit_tokens) == (0, 0, 0, 0)
        assert recording.hello().lanes[0].servers[0].link_tokens_per_s == 0.0
        assert list(recording.messages()) == [gauges(S), Load(S, (1, 2), (1, 2))]
        assert recording.annotations() == []
        assert (list(recording.contents()), recording.num_contents, recording.outside_agents()) == ([], 0, [])
        assert recording.script() == Script()
        assert recording.duration_ps == S
        assert list(recording.told(-1, S, gauges_ps=S)) == [gauges(S), Load(S, (1, 2), (1, 2))]
        assert overview(recording).annotations == ()
