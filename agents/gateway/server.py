"""The gateway's routes: who may enter, which session a client gets, and what is there to be looked up."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web

from subsecond.agents.tokens import TokenCounter
from subsecond.agents.voice import voice_parameters
from subsecond.agents.voice_delays import VoiceDelays, voice_delays
from subsecond.agents.wire.base import HttpCall, WireSession
from subsecond.agents.wire.chat import ChatSession
from subsecond.agents.wire.conversation import ConversationStore
from subsecond.agents.wire.models import model_ids, model_list, model_object
from subsecond.agents.wire.native import NativeSession
from subsecond.agents.wire.reading import Refused
from subsecond.agents.wire.realtime import RealtimeSession
from subsecond.agents.wire.responses import ResponsesSession
from subsecond.agents.wire.responses_http import ResponsesCall
from subsecond.agents.wire.responses_request import Settings
from subsecond.engine.feed import OutsideAgent, TurnEnd
from subsecond.engine.live.driver import LiveDriver

from .desk import Desk
from .exchanges import HttpExchange
from .flushing import Flusher
from .limits import Limits, Rate
from .refusals import refusal
from .roster import AgentEntry, Roster
from .sockets import SocketConnection

__all__ = ["Gateway"]

PS_PER_S = 10**12
#: Headers that name an agent across its connections, in order of preference.
NAME_HEADERS: Final = ("X-Session-Affinity", "X-Correlation-ID", "session-id", "thread-id")
#: Programs that measure: a limit on the reply is the length that they want.
BENCHMARKS: Final = ("aiperf", "guidellm")
#: Send buffer of a connection, so that a reader that has stopped shows early.
SEND_BUFFER_BYTES: Final = 128 * 1024
#: Seconds between two looks for clients that read nothing.
SWEEP_S: Final = 1.0
#: Seconds that a websocket's farewell may take.
FAREWELL_S: Final = 3.0
#: Letters of a client's own words that tell agents apart.
LONGEST: Final = 100

#: Of the Prometheus text format.
METRICS_TYPE: Final = {hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8"}
#: Seconds for which a Realtime session says that it lasts.
REALTIME_S: Final = 3600


@dataclass(frozen=True, slots=True)
class _Protocol:
    """How a websocket's clients are served: by which session, as what kind of agent."""

    name: str
    agent: str
    make: Callable[[web.Request, str], WireSession]
    has_long_texts: bool = True
    subprotocols: tuple[str, ...] = ()


class Gateway:
    """Serves outside agents on the present run.

    Args:
        desk: of the run.
        counter: counts the tokens of prompts.
        limits: what clients may take.
    """

    def __init__(self, desk: Desk, counter: TokenCounter, limits: Limits) -> None:
        self.desk = desk
        self.limits = limits
        self.roster = Roster()
        self._counter = counter
        self._flusher = Flusher()
        self._store = ConversationStore()
        self._rate = Rate(self.limits.requests_per_s)
        self._open: set[SocketConnection | HttpExchange] = set()
        self._count = 0
        #: Of the present run, when somebody has asked for them.
        self._voice_delays: VoiceDelays | None = None
        self._started_s = time.time()

    @property
    def num_connections(self) -> int:
        """Websockets and HTTP requests under way."""
        return len(self._open)

    def begin(self, driver: LiveDriver) -> None:
        """Another run begins."""
        self.desk.begin(driver)
        self._voice_delays = None
        self.roster.begin(self._now_ps)

    def count(self, messages: Iterable[object]) -> None:
        """Turns that are among messages have ended; the run goes on if they cannot be counted."""
        try:
            self.roster.count(message for message in messages if isinstance(message, TurnEnd))
        except Exception as error:
            self.desk.troubles.add("counting turns", error)

    def news(self) -> list[OutsideAgent]:
        """Agents of which something is new since the last call; the run goes on if that cannot be told."""
        try:
            return self.roster.news(self._now_ps)
        except Exception as error:
            self.desk.troubles.add("telling of agents", error)
            return []

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve everything that agents ask for."""
        router.add_get("/v1/realtime", self._realtime)
        router.add_get("/v1/responses", self._responses_socket)
        router.add_post("/v1/responses", self._responses)
        router.add_get("/v1/native", self._native)
        router.add_post("/v1/chat/completions", self._chat)
        router.add_get("/metrics", self._metrics)
        router.add_get("/v1/models", self._models)
        router.add_get("/v1/models/{ident:.+}", self._model)

    async def run(self) -> None:
        """Pace tokens and look for stalled clients, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.desk.run())
            tasks.create_task(self._flusher.run())
            tasks.create_task(self._sweep())

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(SWEEP_S, self.limits.stalled_s / 2))
            for connection in [one for one in self._open if one.is_stalled()]:
                connection.abort(f"it has read nothing for {self.limits.stalled_s:g} s")

    def take_troubles(self) -> list[str]:
        """Defects that have not been told yet."""
        return self.desk.troubles.take()

    def close(self) -> None:
        """Say farewell to those who are connected."""
        for connection in list(self._open):
            connection.close(1001, "the service ends")

    # -- websockets

    async def _socket(self, request: web.Request, protocol: _Protocol) -> web.StreamResponse:
        if (full := self._full()) is not None:
            return full
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            return refusal(426, headers={hdrs.UPGRADE: "websocket"})
        agent = _asked(request, "agent", protocol.agent)
        session = protocol.make(request, agent)
        stream = web.WebSocketResponse(
            timeout=FAREWELL_S,
            heartbeat=30.0,
            max_msg_size=self.limits.message_bytes,
            compress=False,
            protocols=protocol.subprotocols,
        )
        await stream.prepare(request)
        _narrow_buffer(request)
        entry = self._entry(request, protocol.name, agent)
        connection = SocketConnection(
            self.desk,
            session,
            entry,
            self.roster,
            self._rate,
            socket=stream,
            transport=request.transport,
            limits=self.limits,
            flusher=self._flusher,
            counter=self._counter if protocol.has_long_texts else None,
            preferred=_asked(request, "pipeline", ""),
        )
        with self._being_open(connection, entry):
            await connection.serve()
        return stream

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        def make(request: web.Request, _agent: str) -> WireSession:
            self._count += 1
            return RealtimeSession(
                f"{self._count:06d}",
                request.query.get("model"),
                self._counter,
                self._delays(),
                default_model=self._model_ids()[0],
                expires_at=int(time.time()) + REALTIME_S,
                most_audio_ms=self.limits.audio_s * 1000,
            )

        return await self._socket(
            request,
            _Protocol("realtime", "voice", make, has_long_texts=False, subprotocols=("realtime",)),
        )

    async def _responses_socket(self, request: web.Request) -> web.StreamResponse:
        def make(request: web.Request, agent: str) -> WireSession:
            return ResponsesSession(self._counter, self._store, self._settings(request, agent))

        return await self._socket(request, _Protocol("responses", "coding", make))

    async def _native(self, request: web.Request) -> web.StreamResponse:
        def make(request: web.Request, _agent: str) -> WireSession:
            return NativeSession(self._counter, request.query.get("model") or self._model_ids()[0])

        return await self._socket(request, _Protocol("native", "coding", make))

    def _settings(self, request: web.Request, agent: str) -> Settings:
        return Settings(agent, request.query.get("model") or self._model_ids()[0], _is_benchmark(request))

    def _delays(self) -> VoiceDelays:
        """Of the voice agents of the run's scenario; of the typical profile if it has none."""
        if self._voice_delays is None:
            scenario = self.desk.driver.plan.scenario
            own = next((table for table in scenario.agents if table.kind == "voice"), None)
            found = voice_parameters() if own is None else voice_parameters(own.profile, own.parameters)
            self._voice_delays = voice_delays(found)
        return self._voice_delays

    # -- HTTP

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        agent = _asked(request, "agent", "coding")
        call = ChatSession(self._counter, agent=agent, is_exact=_is_benchmark(request))
        return await self._exchange(request, "chat", agent, call)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        agent = _asked(request, "agent", "coding")
        call = ResponsesCall(self._counter, self._store, self._settings(request, agent))
        return await self._exchange(request, "responses", agent, call)

    async def _exchange(self, request: web.Request, protocol: str, agent: str, call: HttpCall) -> web.StreamResponse:
        if (full := self._full()) is not None:
            return full
        _narrow_buffer(request)
        entry = self._entry(request, protocol, agent)
        exchange = HttpExchange(
            self.desk,
            call,
            entry,
            self.roster,
            self._rate,
            transport=request.transport,
            limits=self.limits,
            counter=self._counter,
            preferred=_asked(request, "pipeline", ""),
        )
        with self._being_open(exchange, entry):
            return await exchange.answer(request)

    async def _metrics(self, _request: web.Request) -> web.Response:
        from .metrics import exposition

        return web.Response(body=exposition(self.desk, self.roster, self.num_connections), headers=METRICS_TYPE)

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response(model_list(self._model_ids(), self._started_s))

    async def _model(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(model_object(request.match_info["ident"], self._model_ids(), self._started_s))
        except Refused as refused:
            return web.json_response({"error": refused.body()}, status=refused.status)

    def _model_ids(self) -> list[str]:
        lanes = self.desk.driver.lanes
        return model_ids(list(dict.fromkeys(lane.pipeline.model for lane in lanes)), [lane.name for lane in lanes])

    # -- clients

    def _full(self) -> web.Response | None:
        """The answer to those who come when there are too many."""
        if self.num_connections < self.limits.connections:
            return None
        return refusal(503, f"{self.limits.connections} connections are open, and no more are taken")

    def _entry(self, request: web.Request, protocol: str, agent: str) -> AgentEntry:
        kinds = self.desk.driver.plan.workload.kinds
        address = request.remote or "?"
        own = next((request.headers[name] for name in NAME_HEADERS if name in request.headers), "")
        program = request.headers.get(hdrs.USER_AGENT, "").split(" ")[0] or "an agent"
        if not own and request.headers.get(hdrs.UPGRADE):
            self._count += 1  # a websocket without a name is an agent of its own
            own = f"#{self._count}"
        name = request.headers.get("X-Agent-Name") or (f"{program} {own[:12]}" if own else program)
        kind = kinds.index(agent) if agent in kinds else 0
        key = f"{protocol} {address} {program[:LONGEST]} {own[:LONGEST]}"
        return self.roster.welcome(key, name, protocol, address, kind, self._now_ps)

    @property
    def _now_ps(self) -> int:
        return self.desk.driver.now_ps

    @contextlib.contextmanager
    def _being_open(self, connection: SocketConnection | HttpExchange, entry: AgentEntry) -> Iterator[None]:
        self._open.add(connection)
        try:
            yield
        finally:
            self._open.discard(connection)
            self.roster.farewell(entry, self._now_ps)


def _asked(request: web.Request, what: str, otherwise: str) -> str:
    """What a client asks for beside its protocol: in the query, or in a header."""
    found = request.query.get(what) or request.headers.get(f"X-Subsecond-{what.capitalize()}", "")
    if what == "agent":
        return found if found in ("coding", "voice") else otherwise
    return found or otherwise


def _is_benchmark(request: web.Request) -> bool:
    return request.headers.get(hdrs.USER_AGENT, "").lower().startswith(BENCHMARKS)


def _narrow_buffer(request: web.Request) -> None:
    found = request.transport.get_extra_info("socket") if request.transport is not None else None
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
