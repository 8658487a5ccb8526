"""The service: who watches gets everything, who steers is obeyed, and nobody disturbs anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec
import pytest
import websockets
from support.live_service import ask, connect, make_plan, served, until

from subsecond.agents.plan import plan_run
from subsecond.agents.service import Service
from subsecond.engine.commands import (
    EndDrill,
    InjectFault,
    MendFault,
    Pause,
    Resume,
    RunDrill,
    SetKnob,
    SetLoad,
    SetSpeed,
    Step,
)
from subsecond.engine.errors import InputError
from subsecond.engine.feed import (
    Clock,
    FaultNote,
    Gauges,
    Hello,
    Load,
    Notice,
    TurnEnd,
    decode_message,
)
from subsecond.engine.run import Plan
from subsecond.engine.scenario import parse_scenario


def test_an_observer_gets_hello_then_turns_gauges_clock_and_load() -> None:
    async def test(url: str) -> None:
        async with connect(url) as socket:
            first = decode_message(await socket.recv())
            assert isinstance(first, Hello)
            assert [lane.name for lane in first.lanes] == ["trn-cs3", "gpu"]
            for kind in (TurnEnd, Gauges, Clock, Load):
                await until(socket, kind)
            turn = await until(socket, TurnEnd)
            assert sum(turn.stages_ps) == turn.latency_ps
            assert len(turn.met) == len(first.budgets)

    served(test)


def test_a_late_observer_gets_the_turns_of_the_past() -> None:
    async def test(url: str) -> None:
        async with connect(url) as early, connect(url) as late:
            turns = {(turn.lane, turn.turn) for turn in [await until(early, TurnEnd) for _ in range(8)]}
            again = {(turn.lane, turn.turn) for turn in [await until(late, TurnEnd) for _ in range(8)]}
            assert turns == again

    served(test)


def test_commands_change_the_run_for_everybody() -> None:
    async def test(url: str) -> None:
        async with connect(url) as one, connect(url) as other:
            await ask(one, SetSpeed(7.0))
            await until(other, Clock, lambda clock: clock.speed == 7.0)
            await ask(one, Pause())
            still = await until(other, Clock, lambda clock: clock.paused)
            await ask(one, Step(250.0))
            await until(other, Clock, lambda clock: clock.at_ps == still.at_ps + 250 * 10**9)
            await ask(one, Resume())
            await until(other, Clock, lambda clock: not clock.paused)
            await ask(one, SetLoad("voice", 9))
            await until(other, Load, lambda load: load.wanted == (4, 9) and load.sessions[1] == 9)
            await ask(other, SetLoad("coding", arrivals_per_s=0.25))
            await until(one, Load, lambda load: load.arrivals_per_s == (0.25, 0.0) and load.wanted == (0, 9))
            await ask(one, InjectFault("decode_down", duration_s=1000.0))
            note = await until(other, FaultNote)
            assert note.kind == "decode_down"
            await until(other, Gauges, lambda gauges: gauges.faults == ("decode_down 0",))
            await ask(other, MendFault("decode_down"))
            mended = await until(one, FaultNote, lambda told: told.until_ps != note.until_ps)
            assert mended == msgspec.structs.replace(note, until_ps=mended.until_ps)
            await until(one, Gauges, lambda gauges: gauges.lane == note.lane and gauges.servers[1].up)
            async with connect(url) as late:
                assert [await until(late, FaultNote) for _ in range(2)] == [note, mended]

    served(test)


def test_faults_of_the_scenario_are_told_when_they_begin() -> None:
    def faulty_plan(more: Sequence[str]) -> Plan:
        plan = make_plan(more)
        tables = dict(plan.scenario.tables) | {"faults": [{"kind": "decode_down", "at_s": 62.0}]}
        return plan_run(parse_scenario(tables, Path("faulty.toml")), reserve=20)

    async def test(url: str) -> None:
        async with connect(url) as socket:
            note = await until(socket, FaultNote)
            assert (note.at_ps, note.kind, note.until_ps) == (62 * 10**12, "decode_down", None)
            await until(socket, Gauges, lambda gauges: gauges.faults == ("decode_down 0",))
            await ask(socket, MendFault("decode_down"))
            await until(socket, FaultNote, lambda told: told.until_ps is not None)

    served(test, plan=faulty_plan)


def test_a_drill_is_held_told_and_ended_for_everybody_and_a_bad_one_disturbs_nobody() -> None:
    async def test(url: str) -> None:
        async with connect(url) as one, connect(url) as other:
            await ask(one, RunDrill("rolling-restrat"))
            refused = await until(one, Notice, lambda notice: notice.level == "error")
            assert "rolling-restart" in refused.text
            await ask(one, EndDrill("rolling-restart"))
            assert "there is none" in (await until(one, Notice, lambda notice: "end-drill" in notice.text)).text
            await ask(one, Pause())
            await until(one, Clock, lambda clock: clock.paused)
            await ask(one, RunDrill("rolling-restart"))
            notes = {note.lane: note for note in [await until(other, FaultNote) for _ in range(2)]}
            assert {(note.kind, note.drill) for note in notes.values()} == {
                ("prefill_down", "rolling-restart"),
                ("gpu_down", "rolling-restart"),
            }
            told = await until(other, Notice, lambda notice: "begins" in notice.text)
            assert told.text.startswith("the drill rolling-restart begins; trn-cs3 has 2 faults")
            gauges = await until(other, Gauges, lambda gauges: gauges.lane == 0 and bool(gauges.scheduled))
            assert [(f.kind, f.drill) for f in gauges.scheduled] == [("decode_down", "rolling-restart")]
            await ask(other, RunDrill("rolling-restart"))
            assert "not under way" in (await until(other, Notice, lambda notice: notice.level == "error")).text
            await ask(other, MendFault("decode_down"))
            await until(one, Notice, lambda notice: notice.text == "decode_down 0 is called off")
            await ask(other, EndDrill("rolling-restart"))
            ended = await until(one, FaultNote, lambda note: note.until_ps != notes[note.lane].until_ps)
            assert ended == msgspec.structs.replace(notes[ended.lane], until_ps=ended.until_ps)
            await until(one, Gauges, lambda gauges: not gauges.scheduled and not gauges.faults)

    served(test)


def test_a_knob_that_changes_step_times_goes_on_and_another_starts_anew() -> None:
    async def test(url: str) -> None:
        async with connect(url) as socket:
            run = (await until(socket, Hello)).run
            await ask(socket, SetKnob("trn-cs3", "prefill_utilisation_factor", 2.0))
            assert "from now on" in (await until(socket, Notice)).text
            async with connect(url) as late:
                (lane, _) = (await until(late, Hello)).lanes
                assert next(p for p in lane.parameters if p.key == "prefill_utilisation_factor").value == "2 ratio"
            await ask(socket, SetKnob("gpu", "network_ms", 9.0))
            again = await until(socket, Hello)
            assert again.run != run
            gpu = next(lane for lane in again.lanes if lane.name == "gpu")
            assert next(p for p in gpu.parameters if p.key == "network_ms").value == "9 ms"
            await until(socket, TurnEnd)

    served(test)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ("garbage", "not understood"),
        ("{}", "not understood"),
        (b"\xff\xfe", "not understood"),
        ('{"type": "speed", "speed": "fast"}', "not understood"),
        ('{"type": "speed", "speed": 1e9}', "speed"),
        ('{"type": "step"}', "paused"),
        ('{"type": "set-load", "agents": "robots", "sessions": 1}', "robots"),
        ('{"type": "set-load", "agents": "coding", "sessions": -1}', "-1"),
        ('{"type": "set-load", "agents": "coding"}', "arrivals_per_s"),
        ('{"type": "set-load", "agents": "coding", "sessions": 1, "arrivals_per_s": 1}', "both"),
        ('{"type": "inject", "kind": "meteor"}', "meteor"),
        ('{"type": "annotate"}', "not understood"),
        ('{"type": "annotate", "text": " \\n "}', "1 to 500 characters"),
        (b'{"type": "annotate", "text": "%s"}' % (b"x" * 501), "1 to 500 characters"),
        ('{"type": "annotate", "text": "too early", "at_ps": -1}', "instant of the run so far"),
        ('{"type": "annotate", "text": "too late", "at_ps": 1000000000000000000}', "instant of the run so far"),
        ('{"type": "mend", "kind": "throttle"}', "there is none"),
        ('{"type": "mend", "kind": "throttle", "lane": "tpu"}', "tpu"),
        ('{"type": "inject", "kind": "stall", "duration_s": -1}', "duration_s"),
        ('{"type": "set-knob", "lane": "gpu", "key": "nothing", "value": 1}', "nothing"),
        ('{"type": "set-knob", "lane": "tpu", "key": "network_ms", "value": 1}', "tpu"),
    ],
)
def test_a_bad_command_is_answered_to_its_sender_alone(data: str | bytes, word: str) -> None:
    async def test(url: str) -> None:
        async with connect(url) as bad, connect(url) as good:
            await bad.send(data)
            notice = await until(bad, Notice)
            assert notice.level == "error"
            assert word in notice.text
            for _ in range(3):
                message = decode_message(await good.recv())
                assert not isinstance(message, Notice)
            await until(bad, Clock)

    served(test)


def test_pages_of_other_sites_may_not_watch() -> None:
    async def test(url: str) -> None:
        for strange in ("https://example.com", "null", "http://[oops"):
            with pytest.raises(websockets.InvalidStatus, match="403"):
                await websockets.connect(url, origin=websockets.Origin(strange))
        for own in ("http://localhost", "http://127.0.0.1:8080", "http://[::1]:80"):
            async with websockets.connect(url, origin=websockets.Origin(own), max_size=None, max_queue=None):
                pass
        async with aiohttp.ClientSession() as session, session.get(url.replace("ws", "http", 1)[:-11] + "/health") as r:
            assert (await r.json())["status"] == "ok"

    served(test)


def test_other_addresses_need_a_token() -> None:
    with pytest.raises(InputError, match="a loopback address, or a token"):
        asyncio.run(Service(make_plan).run("0.0.0.0", 0, print))
