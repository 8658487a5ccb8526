"""The service: who watches gets everything, who steers is obeyed, and nobody disturbs anybody."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
import pytest
import websockets

from subsecond.agents import observers
from subsecond.agents.observers import Observers
from subsecond.agents.plan import plan_run
from subsecond.agents.rerun import Changes, rerun
from subsecond.agents.service import MakePlan, Service
from subsecond.engine.commands import (
    Annotate,
    Command,
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
    Annotation,
    Clock,
    FaultNote,
    Gauges,
    Hello,
    Load,
    Message,
    Notice,
    TurnEnd,
    decode_message,
    encode,
)
from subsecond.engine.recording.reader import Recording
from subsecond.engine.run import Plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario

Socket = websockets.ClientConnection
M = TypeVar("M", bound=Message)
WAIT_S = 60.0


def make_plan(more: Sequence[str]) -> Plan:
    tables, path = load_tables("playground")
    tables.pop("duration_s")
    apply_settings(tables, ["coding.sessions=4", "voice.sessions=4", *more])
    return plan_run(parse_scenario(tables, path), reserve=20)


@asynccontextmanager
async def serving(plan: MakePlan = make_plan, **options: Any) -> AsyncIterator[str]:
    """A service in this process; yields its address."""
    service = Service(plan, **{"speed": 20.0, "head_start_s": 60.0, **options})
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(service.run("127.0.0.1", 0, address.set_result))
    try:
        yield await asyncio.wait_for(address, WAIT_S)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def served(test: Callable[[str], Awaitable[None]], plan: MakePlan = make_plan, **options: Any) -> None:
    async def run() -> None:
        async with serving(plan, **options) as url:
            await asyncio.wait_for(test(url), WAIT_S)

    asyncio.run(run())


def connect(url: str) -> websockets.connect:
    """A connection that reads on whatever the test does: one that does not would close only after ten seconds."""
    return websockets.connect(url, max_size=None, max_queue=None)


async def until(socket: Socket, kind: type[M], fits: Callable[[M], bool] = lambda _: True) -> M:
    """The next message of a kind that fits."""
    while True:
        message = decode_message(await socket.recv())
        if isinstance(message, kind) and fits(message):
            return message


async def ask(socket: Socket, command: Command) -> None:
    await socket.send(encode(command).decode())


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


def test_a_slow_observer_loses_gauges_and_no_turn() -> None:
    """Nothing is read until much has been published: turns wait in order, of gauges the latest alone."""

    class Socket:
        closed = False

        def __init__(self) -> None:
            self.sent: list[Message] = []

        async def send_str(self, data: str) -> None:
            self.sent.append(decode_message(data))

    async def run() -> None:
        from subsecond.agents.observers import Observer

        socket = Socket()
        observer = Observer(socket)  # type: ignore[arg-type]  # what it uses of a socket
        everybody = Observers()
        everybody.add(observer, Notice("info", "hello"))
        turns = [TurnEnd(0, i, 0, i, 0, 1, i, 1, 0, 0, (), (), 1, 1, 0, 1, 0) for i in range(500)]
        for turn in turns:
            gauges = [Gauges(turn.start_ps, lane, 0, (), (), 0, ()) for lane in (0, 1)]
            everybody.publish([turn, *gauges, Clock(turn.start_ps, 0.0, 1.0, False, 0.0, 0.0)])
        sending = asyncio.create_task(observer.send_all())
        while len(socket.sent) < len(turns) + 5 and not sending.done():
            await asyncio.sleep(0)
        assert not sending.done()
        sending.cancel()
        assert [m for m in socket.sent if isinstance(m, TurnEnd)] == turns
        assert [m.at_ps for m in socket.sent if isinstance(m, Gauges)] == [499, 499]
        assert [m.dropped for m in socket.sent if isinstance(m, Notice)] == [0, 3 * 499]

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


class Stuck:
    """A connection whose other end reads nothing and does not answer."""

    closed = False
    code = 0

    async def send_str(self, data: str) -> None:
        await asyncio.Event().wait()

    async def close(self, *, code: int, message: bytes) -> None:
        self.code = code
        await asyncio.Event().wait()


def test_an_observer_too_far_behind_is_let_go_and_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observers, "MOST_WAITING", 100)
    monkeypatch.setattr(observers, "CLOSE_S", 0.01)

    async def run() -> None:
        all_of_them, socket = Observers(), Stuck()
        all_of_them.add(observers.Observer(socket), Notice("info", "hello"))  # type: ignore[arg-type]  # as above
        for _ in range(200):
            all_of_them.publish([Notice("info", "something")])
        assert len(all_of_them) == 0
        await all_of_them.close()
        assert socket.code == 1008

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_nothing_of_the_former_run_comes_after_the_hello_of_the_next() -> None:
    class Socket(Stuck):
        def __init__(self) -> None:
            self.sent: list[Message] = []

        async def send_str(self, data: str) -> None:
            self.sent.append(decode_message(data))

    async def run() -> None:
        all_of_them, socket = Observers(), Socket()
        observer = observers.Observer(socket)  # type: ignore[arg-type]  # as above
        all_of_them.add(observer, Notice("info", "first"))
        all_of_them.publish([Gauges(1, 0, 0, (), (), 0, ()), Notice("info", "of the first")])
        all_of_them.begin(Notice("info", "second"))
        sending = asyncio.create_task(observer.send_all())
        while len(socket.sent) < 3:
            await asyncio.sleep(0)
        sending.cancel()
        assert [m.text for m in socket.sent if isinstance(m, Notice)] == ["first", "of the first", "second"]
        assert not any(isinstance(message, Gauges) for message in socket.sent)

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_every_run_of_a_service_that_records_has_a_file_of_its_own(tmp_path: Path) -> None:
    async def test(url: str) -> None:
        async with connect(url) as socket:
            first = await until(socket, Hello)
            await until(socket, TurnEnd)
            await ask(socket, SetKnob("gpu", "network_ms", 9.0))
            second = await until(socket, Hello)
            await until(socket, TurnEnd)
            assert [Path(hello.recording).name for hello in (first, second)] == ["a.subsecond", "a-2.subsecond"]

    served(test, record=tmp_path / "a.subsecond")
    for name in ("a.subsecond", "a-2.subsecond"):
        with Recording.open(tmp_path / name) as recording:
            assert recording.metadata().is_finished
            assert recording.num_turns > 0


def test_what_is_written_down_reaches_everybody_and_the_recording(tmp_path: Path) -> None:
    past = Annotation(30 * 10**12, "cut off here: \u200b\x1b[31m")
    told: list[Annotation] = []

    async def test(url: str) -> None:
        async with connect(url) as one, connect(url) as other:
            await ask(one, Annotate("  cut off\nhere: \u200b\x1b[31m ", past.at_ps))
            assert await until(other, Annotation) == past
            await ask(other, Annotate("now"))
            told.append(await until(one, Annotation, lambda note: note.text == "now"))
            async with connect(url) as late:
                assert [await until(late, Annotation) for _ in range(2)] == [past, *told]

    served(test, record=tmp_path / "a.subsecond")
    assert told[0].at_ps > 60 * 10**12
    with Recording.open(tmp_path / "a.subsecond") as recording:
        assert recording.annotations() == [past, *told]


def test_a_run_that_begins_while_gauges_are_sent_is_told_all_the_same() -> None:
    async def run() -> None:
        from subsecond.agents.observers import Observer

        sent: list[Message] = []

        class Socket:
            closed = False

            async def send_str(self, data: str) -> None:
                sent.append(decode_message(data))
                if isinstance(sent[-1], Gauges):
                    observer.begin(encode(Notice("info", "another run")))

        observer = Observer(Socket())  # type: ignore[arg-type]  # what it uses of a socket
        for lane in (0, 1):
            gauges = Gauges(1, lane, 0, (), (), 0, ())
            observer.put(gauges, encode(gauges))
        sending = asyncio.create_task(observer.send_all())
        while len(sent) < 2 and not sending.done():
            await asyncio.sleep(0)
        assert not sending.done()
        sending.cancel()
        assert [type(message) for message in sent] == [Gauges, Notice]

    asyncio.run(asyncio.wait_for(run(), WAIT_S))


def test_what_a_service_has_recorded_runs_again(tmp_path: Path) -> None:
    """With a load that somebody set and a knob that somebody turned, under a clock that nobody steps."""

    async def test(url: str) -> None:
        async with connect(url) as socket:
            await until(socket, TurnEnd)
            await ask(socket, SetLoad("coding", sessions=30))
            await ask(socket, SetKnob("gpu", "utilisation_factor", 0.5))
            await ask(socket, InjectFault("gpu_down", "gpu", 0, None, 5.0))
            await ask(socket, SetSpeed(50.0))
            await until(socket, Gauges, lambda gauges: gauges.at_ps > 150 * 10**12)

    served(test, record=tmp_path / "a.subsecond")
    with Recording.open(tmp_path / "a.subsecond") as recording:
        again = rerun(recording, Changes())
        assert again.remarks == ()
        for lane, table in enumerate(again.tables):
            latency = dict(zip(table[1].tolist(), table[8].tolist(), strict=True))
            was = recording.turns(lane)
            assert len(was) > 30
            assert {turn: latency[turn] for turn in was.turn.tolist()} == dict(
                zip(was.turn.tolist(), was.latency_ps.tolist(), strict=True)
            )


def test_an_owned_service_ends_with_its_owner() -> None:
    arguments = [sys.executable, "-m", "subsecond.tui.cli", "serve", "--owned", "--port", "0", "--set", "seed=2"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert json.loads(process.stdout.readline())["url"].startswith("ws://127.0.0.1:")
        process.stdin.close()
        assert process.wait(WAIT_S) == 0


def test_an_owned_service_that_cannot_listen_says_so_and_ends_in_order() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "subsecond.tui.cli", "serve", "--owned", "--port", port]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stderr is not None
            words = process.stderr.read().decode()
            assert process.wait(WAIT_S) == 2
    assert words.startswith("subsecond: --port")
    assert words.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--speed", "0"],
        ["--head-start", "-1"],
        ["--host", "10.0.0.1"],
        ["nowhere"],
        ["--limit", "connections=0"],
        ["--limit", "everything"],
        ["--token", "a\nb"],
        ["--tls-key", "key.pem"],
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(options: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "subsecond.tui.cli", "serve", *options], capture_output=True, text=True, timeout=WAIT_S
    )
    assert done.returncode == 2
    assert done.stderr.startswith("subsecond: ")
    assert done.stderr.count("\n") == 1


def test_why_a_run_is_not_recorded_is_told_to_observers_and_to_who_started_it(tmp_path: Path) -> None:
    told: list[str] = []

    async def test(url: str) -> None:
        async with connect(url) as socket:
            notice = await until(socket, Notice, lambda n: n.level == "error")
            assert told == [notice.text]
            assert "not recorded" in notice.text

    served(test, record=tmp_path / "nowhere" / "run.subsecond", on_trouble=told.append)
