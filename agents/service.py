"""The engine service: a live run, and a websocket for those who watch and steer it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ssl
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import WSMsgType, web

from subsecond.engine.commands import (
    Annotate,
    Command,
    EndDrill,
    InjectFault,
    KeepRecording,
    MendFault,
    Pause,
    Resume,
    RunDrill,
    SetKnob,
    SetLoad,
    SetSpeed,
    Step,
    decode_command,
)
from subsecond.engine.drills.catalog import drill_named
from subsecond.engine.errors import InputError
from subsecond.engine.feed import Annotation, Hello, Message, Notice, TurnEnd, encode
from subsecond.engine.live.clock import PacedClock
from subsecond.engine.live.driver import LiveDriver
from subsecond.engine.recording.places import path_of_run
from subsecond.engine.recording.schema import Origin
from subsecond.engine.recording.writer import Recorder
from subsecond.engine.run import Plan
from subsecond.engine.scenario import FaultTable, setting
from subsecond.engine.telemetry.broker import Broker
from subsecond.engine.telemetry.publisher import Telemetry
from subsecond.engine.telemetry.topics import KnobTurned

from .contents import texts_of, without_texts
from .gateway.admission import allow_origin, entrance, is_loopback
from .gateway.desk import Desk
from .gateway.door import Door
from .gateway.limits import Limits
from .gateway.server import Gateway
from .observers import Observer, Observers
from .replies import ReplyWriter
from .reply_script import read_replies
from .tokens import default_counter
from .wire.base import ModelRequest, Reply

__all__ = ["Access", "Service"]

#: Seconds between two looks at the lanes, and looks between two messages about the load.
PERIOD_S: Final = 0.1
LOAD_EVERY: Final = 5
PS_PER_S = 10**12
PS_PER_MS = 10**9
#: Longest command, in bytes.
MAX_COMMAND = 64 * 1024

#: Characters of an annotation.
MAX_ANNOTATION = 500

#: Settings (as `--set` takes them) -> the plan that they make of the scenario.
MakePlan = Callable[[Sequence[str]], Plan]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may connect, and as what.

    Attributes:
        token: that all must show; None: none is asked for, which is for loopback addresses alone.
        tls: certificate and key; None: no TLS.
        has_gateway: agents from outside are served, too.
        limits: what they may take.
    """

    token: str | None = None
    tls: ssl.SSLContext | None = None
    has_gateway: bool = True
    limits: Limits = field(default_factory=Limits)


class Service:
    """Runs a plan live and serves those who watch it, and agents from outside.

    Args:
        make_plan: called again when a knob changes more than step times; the run then starts anew.
        head_start_s: virtual seconds that are over when the first observer looks, so that the screen is not empty.
        record: where the run is recorded; None: in a file that is deleted in the end unless somebody asks to keep it.
            A run that starts anew is recorded in a file of its own, beside the first (`path_of_run`).
        on_trouble: is told, in the recorder's thread, why the run is not recorded any more; observers are told anyway.
        broker: is told of the run, too; None: none is.
        broker_may_steer: commands that come over the broker are obeyed.
        record_content: the recording gets what agents from outside say and are answered.

    Attributes:
        door: all connections, while it runs.
    """

    def __init__(
        self,
        make_plan: MakePlan,
        *,
        speed: float = 1.0,
        head_start_s: float = 0.0,
        record: Path | None = None,
        access: Access | None = None,
        on_trouble: Callable[[str], None] | None = None,
        broker: Broker | None = None,
        broker_may_steer: bool = False,
        record_content: bool = False,
    ) -> None:
        self._access = access or Access()
        self._gateway: Gateway | None = None
        self._make_plan = make_plan
        self._speed = speed
        self._head_start_ps = round(head_start_s * PS_PER_S)
        self._settings: dict[str, str] = {}
        self._observers = Observers()
        self._record = record
        self._has_content = record_content
        self._runs = 0
        self._troubles: list[str] = []
        self._notices: list[Notice] = []
        self.door: Door | None = None
        self._on_trouble = on_trouble
        self._recorder: Recorder | None = None
        obey = self._obey_from_afar if broker_may_steer else None
        self._telemetry = None if broker is None else Telemetry(broker, obey=obey)
        self._driver = self._begin(make_plan([]))
        if self._access.has_gateway:
            self._gateway = _gateway(self._driver, self._access.limits)
            if record_content:
                self._gateway.desk.overhear = self._record_texts
        self._restart = asyncio.Event()
        self._obeying = asyncio.Lock()

    def _begin(self, plan: Plan) -> LiveDriver:
        driver = LiveDriver(plan, PacedClock(self._speed, start_ps=self._head_start_ps))
        driver.catch_up()
        if self._recorder is not None:
            self._look_once_more()
            self._recorder.close()
        self._runs += 1
        self._recorder = Recorder(
            None if self._record is None else path_of_run(self._record, self._runs),
            driver.hello(uuid.uuid4().hex[:12], ""),
            tables=plan.scenario.tables,
            origin=Origin.of(plan),
            on_error=self._complain,
        )
        self._observers.begin(self._recorder.hello)
        if self._telemetry is not None:
            self._telemetry.begin(self._recorder.hello, plan.scenario.tables, Origin.of(plan))
        if self._gateway is not None:
            self._gateway.begin(driver)
        return driver

    def _hello(self) -> Hello:
        """The first message for those who come now: parameters as they are, and where the recording is."""
        assert self._recorder is not None
        return self._driver.hello(self._recorder.hello.run, str(self._recorder.path))

    def _complain(self, text: str) -> None:
        """The recorder, in its own thread, has something to say; the run goes on."""
        self._troubles.append(text)
        if self._on_trouble is not None:
            self._on_trouble(text)

    def _record_script(self) -> None:
        """Recordings get what nobody else wants to know: which sessions began, and what agents asked for."""
        notes = self._driver.take_script()
        if self._recorder is not None:
            for note in notes:
                self._recorder.put(note)
        if self._telemetry is not None:
            self._telemetry.put(notes)

    def _record_texts(self, request: ModelRequest, reply: Reply, given: int, end: TurnEnd) -> None:
        """The recording gets what a request said and was answered."""
        if self._recorder is not None:
            for content in texts_of(request, reply, given, end):
                self._recorder.put(content)

    def _tell(self, messages: Sequence[Message]) -> None:
        """Everybody gets messages, and the recording keeps them."""
        if self._gateway is not None:
            self._gateway.count(messages)
        kept = messages if self._has_content else [without_texts(message) for message in messages]
        if self._recorder is not None:
            for message in kept:
                self._recorder.put(message)
        if self._telemetry is not None:
            self._telemetry.put(kept)
        self._observers.publish(messages)

    async def run(self, host: str, port: int, ready: Callable[[str], None], *, or_any: bool = False) -> None:
        """Serve until cancelled; `ready` is told the address of the feed.

        Args:
            or_any: take any free port if that one is taken.

        Raises:
            InputError: an address that is not this machine's own, or a port that is taken.
        """
        is_local = is_loopback(host)
        if not is_local and self._access.token is None:
            expected = "a loopback address, or a token (--token), since anybody in the network could connect"
            raise InputError("--host", "", host, expected)
        app = web.Application(
            middlewares=[entrance(self._access.token, is_local=is_local)],
            client_max_size=self._access.limits.message_bytes,
        )
        app.on_response_prepare.append(allow_origin)
        app.router.add_get("/v1/observe", self._observe)
        app.router.add_get("/health", self._health)
        if self._gateway is not None:
            self._gateway.add_routes(app.router)
        runner = web.AppRunner(app, shutdown_timeout=1.0, handler_cancellation=True)
        await runner.setup()
        assert runner.server is not None
        door = self.door = Door(runner.server, self._access.limits)
        listening = None
        try:
            listening = await self._listen(door, host, port, or_any=or_any)
            shown = f"[{host}]" if ":" in host else host
            scheme = "ws" if self._access.tls is None else "wss"
            ready(f"{scheme}://{shown}:{_port(listening)}/v1/observe")
            async with asyncio.TaskGroup() as telling:  # a broker is told what is seen at the last look, too
                if self._telemetry is not None:
                    telling.create_task(self._telemetry.run())
                await self._go_on(door)
        finally:
            if listening is not None:
                listening.close()
            if self._recorder is not None:
                await asyncio.to_thread(self._recorder.close)
            await self._observers.close()
            if self._gateway is not None:
                self._gateway.close()
            await runner.cleanup()

    async def _go_on(self, door: Door) -> None:
        """Run until cancelled; then look a last time."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._drive())
                tasks.create_task(self._publish())
                tasks.create_task(door.watch())
                if self._gateway is not None:
                    tasks.create_task(self._gateway.run())
        except asyncio.CancelledError:
            self._look_once_more()
            raise

    async def _listen(self, door: Door, host: str, port: int, *, or_any: bool) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_server(door.open, host, port, ssl=self._access.tls, backlog=1024)
        except OSError as error:
            if or_any and error.errno == errno.EADDRINUSE:
                found = await self._listen(door, host, 0, or_any=False)
                self._notices.append(Notice("info", f"port {port} is taken: agents connect to {_port(found)} instead"))
                return found
            raise InputError("--port", "", str(port), f"a free port, or 0 ({error.strerror})") from None

    async def _drive(self) -> None:
        while True:
            driver = self._driver
            running = asyncio.create_task(driver.run())
            restart = asyncio.create_task(self._restart.wait())
            try:
                await asyncio.wait((running, restart), return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
                    self._tell([Notice("info", "the run is over")])
                    await restart
            finally:
                running.cancel()
                restart.cancel()
            self._restart.clear()

    async def _publish(self) -> None:
        """Look at the lanes now and then; a look comes in slices, so that the driver is never kept waiting for long."""
        looks = 0
        while True:
            driver = self._driver
            for messages in driver.look():
                self._tell(messages)
                await asyncio.sleep(0)
                if driver is not self._driver:  # a run has begun anew: nobody wants to know the rest of the former one
                    break
            else:
                self._record_script()
                self._tell(self._overview(driver, with_load=looks % LOAD_EVERY == 0))
            looks += 1
            await asyncio.sleep(PERIOD_S)

    def _look_once_more(self) -> None:
        """A run ends: what has happened since the last look, so that its recording is complete."""
        self._driver.outside.look(self._driver.now_ps)  # nobody but the desk looks at outside agents otherwise
        for messages in self._driver.look():
            self._tell(messages)
        self._record_script()
        self._tell(self._overview(self._driver, with_load=True))

    def _overview(self, driver: LiveDriver, *, with_load: bool) -> list[Message]:
        """What is not about one lane."""
        messages: list[Message] = [driver.clock_message(time.time())]
        if with_load:
            messages.append(driver.load())
            messages += self._gateway.news() if self._gateway is not None else ()
        self._troubles += self._gateway.take_troubles() if self._gateway is not None else ()
        while self._troubles:
            messages.append(Notice("error", self._troubles.pop(0)))
        while self._notices and len(self._observers):
            messages.append(self._notices.pop(0))
        messages += self._telemetry.news() if self._telemetry is not None else ()
        return messages

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "virtual_s": self._driver.now_ps / PS_PER_S})

    async def _observe(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=20.0, max_msg_size=MAX_COMMAND, compress=False)
        await socket.prepare(request)
        observer = Observer(socket)
        self._observers.add(observer, self._hello())
        sender = asyncio.create_task(observer.send_all())
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    await self._command(observer, message.data)
        finally:
            self._observers.remove(observer)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sender
        return socket

    async def _command(self, observer: Observer, data: str | bytes) -> None:
        """Do what one observer asks; what is wrong with it is nobody else's business."""
        notice = await self._do(data)
        if notice is not None:
            observer.put(notice, encode(notice))

    async def _obey_from_afar(self, data: bytes) -> None:
        """Do what somebody asks over the broker; everybody hears what is wrong with it, for who asked is not known."""
        notice = await self._do(data, is_afar=True)
        if notice is not None:
            self._tell([notice])

    async def _do(self, data: str | bytes, *, is_afar: bool = False) -> Notice | None:
        """Do what a command says; returns what is wrong with it."""
        try:
            command = decode_command(data)
            if is_afar and isinstance(command, KeepRecording) and command.path is not None:
                raise InputError("keep", "path", command.path, "none over MQTT: files here are not for all on a broker")
            async with self._obeying:  # one after the other, whoever they come from
                messages = await self._obey(command)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Notice("error", f"not understood: {error}")
        except (InputError, ValueError) as error:
            return Notice("error", str(error))
        self._driver.advance()
        self._tell([*messages, self._driver.clock_message(time.time()), self._driver.load()])
        return None

    async def _obey(self, command: Command) -> list[Message]:
        driver = self._driver
        match command:
            case SetSpeed(speed):
                driver.clock.set_speed(speed)
                self._speed = speed
            case Pause():
                driver.clock.pause()
            case Resume():
                driver.clock.resume()
            case Step(ms):
                if not 0 <= ms <= 1e9:
                    raise InputError("step", "ms", ms, "a number of ms from 0 to 1e9")
                driver.step(round(ms * PS_PER_MS))
            case SetLoad(agents, sessions, arrivals_per_s):
                driver.set_load(agents, sessions, arrivals_per_s)
            case InjectFault(kind, lane, target, value, duration_s):
                if duration_s is not None and not 0 < duration_s <= 1e6:
                    raise InputError("fault", "duration_s", duration_s, "a number of seconds above 0")
                return list(driver.inject(FaultTable(kind, 0.0, duration_s, lane, target, value)))
            case MendFault(kind, lane, target):
                return [*driver.mend(kind, target, lane)] or [Notice("info", f"{kind} {target} is called off")]
            case RunDrill(name):
                return _hold(driver, name)
            case EndDrill(name):
                return [*driver.end_drill(name), Notice("info", f"the drill {name} is over")]
            case Annotate(text, at_ps):
                return [_annotation(text, driver.now_ps if at_ps is None else at_ps, driver.now_ps)]
            case SetKnob(lane, key, value):
                return await self._turn(lane, key, value)
            case KeepRecording(path):
                return [self._keep(None if path is None else Path(path))]
        driver.poke()
        return []

    def _keep(self, path: Path | None) -> Notice:
        """Keep the recording; one that has stopped stays as it is, and says so."""
        assert self._recorder is not None
        try:
            kept = self._recorder.keep(path)
        except RuntimeError as error:  # a home that nobody has
            raise InputError("keep", "path", str(path), f"a path ({error})") from None
        if self._recorder.error is not None:
            return Notice("error", self._recorder.error)
        return Notice("info", f"the recording is kept: {kept}")

    async def _turn(self, lane: str, key: str, value: float | str | bool) -> list[Message]:
        if lane not in {one.name for one in self._driver.lanes}:
            raise InputError("knob", "lane", lane, "one of " + ", ".join(one.name for one in self._driver.lanes))
        settings = self._settings | {f"pipelines.{lane}.{key}": setting(value)}
        given = [f"{name}={shown}" for name, shown in settings.items()]
        plan = await asyncio.to_thread(self._make_plan, given)  # which takes a while, and time goes on
        self._settings = settings
        changed_ps = self._driver.set_costs(lane, plan.pipelines[lane])
        at_ps = self._driver.now_ps if changed_ps is None else changed_ps
        if self._recorder is not None:
            self._recorder.put(SetKnob(lane, key, value), at_ps)
        if self._telemetry is not None:
            self._telemetry.put([KnobTurned(at_ps, lane, key, value)])
        if changed_ps is not None:
            if self._telemetry is not None:
                self._telemetry.begin(self._hello(), plan.scenario.tables)
            return [Notice("info", f"{lane}: {key} is {value} from now on", at_ps=changed_ps)]
        self._driver = self._begin(plan)
        self._restart.set()
        return [Notice("info", f"{lane}: {key} is {value}; the run starts anew")]


def _hold(driver: LiveDriver, name: str) -> list[Message]:
    """A drill begins.

    Raises:
        InputError: there is no such drill, or it cannot be held now.
    """
    try:
        drill = drill_named(name)
    except InputError as error:
        raise InputError("drill", "name", name, error.expected) from None
    notes, strikes = driver.hold(drill)
    told = [
        f"{lane} is left alone: {found.reason}" if not found.spells else f"{lane} has {_counted(len(found.spells))}"
        for lane, found in strikes.items()
    ]
    return [*notes, Notice("info", f"the drill {name} begins; {', '.join(told)}")]


def _counted(faults: int) -> str:
    return "1 fault" if faults == 1 else f"{faults} faults"


def _annotation(text: str, at_ps: int, now_ps: int) -> Annotation:
    """What somebody writes down, in one line.

    Raises:
        InputError: there is nothing in it, or too much, or the instant has not come.
    """
    words = " ".join(text.split())
    if not 0 < len(words) <= MAX_ANNOTATION:
        raise InputError("annotate", "text", text, f"1 to {MAX_ANNOTATION} characters")
    if not 0 <= at_ps <= now_ps:
        raise InputError("annotate", "at_ps", at_ps, f"an instant of the run so far, from 0 to {now_ps}")
    return Annotation(at_ps, words)


def _gateway(driver: LiveDriver, limits: Limits) -> Gateway:
    counter = default_counter()
    scenario = driver.plan.scenario
    script = read_replies(list(scenario.replies), scenario.where)
    desk = Desk(ReplyWriter(counter, scenario.seed, script), driver, limits.context_tokens)
    return Gateway(desk, counter, limits)


def _port(listening: asyncio.Server) -> int:
    return int(listening.sockets[0].getsockname()[1])
