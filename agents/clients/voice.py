"""An outside voice agent's caller: calls over the websocket of the Realtime protocol, with sound in real time.

A turn begins when the caller speaks; the server hears where the speech ends and replies by itself. Its latency is the
time from the end of the speech to the first sound of the reply. The caller listens as long as the sound plays, or
interrupts it by speaking; then the server ends the reply, and is told how much of it was heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .audio import BYTES_PER_S, Microphone, Utterance
from .connection import Broken, Socket
from .events import Event, Problem, Response, ServerTimes, server_times
from .measure import Turn
from .scripts import VoiceTurn
from .shared import Shared

__all__ = ["Caller"]

#: A caller who hears nothing for so long hangs up.
PATIENCE_S: Final = 60.0
#: Error events that concern something else than the reply that the caller waits for.
HARMLESS: Final = (
    "conversation_already_has_active_response",
    "input_audio_buffer_commit_empty",
    "item_truncate_invalid_item_id",
    "response_cancel_not_active",
)
NO_MODEL: Final = ("model_not_found", "invalid_model")
INSTRUCTIONS: Final = "You are a friendly agent on the telephone. Answer in one or two short sentences."
TOOLS: Final = [
    {
        "type": "function",
        "name": "look_up",
        "description": "Look up a reservation.",
        "parameters": {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]},
    }
]


@dataclass(slots=True)
class _Listening:
    """A reply as the caller hears it; responses that call tools come before the one that is heard.

    Attributes:
        due_s: when the end of the speech was meant to be.
        bytes: sound that has come.
        server_ms: of the responses up to the one with the first sound, with the tools between them.
        is_timed: that is complete.
        cut_s: the caller speaks again then.
    """

    due_s: float
    utterance: Utterance
    response: str | None = None
    item: str | None = None
    first_s: float | None = None
    bytes: int = 0
    calls: list[str] = field(default_factory=list)
    server_ms: float = 0.0
    is_timed: bool = False
    stages_ms: dict[str, float] = field(default_factory=dict)
    output_tokens: int = 0
    cut_s: float | None = None

    @property
    def plays_until_s(self) -> float:
        return (self.first_s or 0.0) + self.bytes / BYTES_PER_S

    def take(self, ms: float, stages_ms: Mapping[str, float]) -> None:
        """Add the times of a response, or of the tools behind it, if no sound has been heard before."""
        if self.is_timed:
            return
        self.server_ms += ms
        for name, stage_ms in stages_ms.items():
            self.stages_ms[name] = self.stages_ms.get(name, 0.0) + stage_ms


class _HungUp(Exception):
    """The caller has lost patience."""


class Caller:
    """One caller; one call after the other, each on a connection of its own.

    Args:
        scripts: of calls, shared with the other callers.
    """

    def __init__(
        self,
        name: str,
        shared: Shared,
        scripts: Iterator[list[VoiceTurn]],
    ) -> None:
        self._name = name
        self._connector = shared.connector
        self._scripts = scripts
        self._beats = shared.beats
        self._clock = shared.clock
        self._tally = shared.tally
        self._turns_left = shared.most_turns
        self._socket: Socket | None = None
        self._broke = False
        # an interrupted reply whose end the server has not told yet
        self._cut: _Listening | None = None

    async def open(self) -> None:
        """Begin a call, if there is none.

        Raises:
            InputError: the gateway cannot be reached, or refuses.
        """
        while self._socket is None:
            self._socket = await self._connector.open(self._name, again=self._broke)
            try:
                await self._socket.send({"type": "session.update", "session": self._session()})
                self._broke = False
            except Broken as error:
                self._tally.error(error.kind)
                await self.close()
                self._broke = True

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    def _session(self) -> dict[str, Any]:
        return {
            "type": "realtime",
            "model": self._connector.address.model,
            "instructions": INSTRUCTIONS,
            "output_modalities": ["audio"],
            "tools": TOOLS,
            "tool_choice": "none",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "turn_detection": {"type": "server_vad", "create_response": True, "interrupt_response": True},
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24000}},
            },
        }

    async def run(self) -> None:
        """Calls until no more turns are due.

        Raises:
            InputError: the gateway refuses for good.
        """
        try:
            goes_on = True
            while goes_on:
                await self.open()
                try:
                    goes_on = await self._call(next(self._scripts))
                except Broken as error:
                    self._tally.error(error.kind)
                    self._broke = True
                except _HungUp:
                    self._tally.error(f"no reply in {PATIENCE_S:g} s")
                await self.close()
        finally:
            await self.close()

    async def _call(self, turns: list[VoiceTurn]) -> bool:
        """One call; False if no other turn may begin."""
        assert self._socket is not None
        microphone = Microphone(self._socket, self._clock)
        try:
            cut_s, free_s = None, 0.0
            for turn in turns:
                if self._turns_left == 0:
                    return False
                due_s = cut_s if cut_s is not None else await self._beats.next(turn.pause_s, free_s)
                if due_s is None or self._beats.over.is_set():
                    return False
                if self._turns_left is not None:
                    self._turns_left -= 1
                heard = await self._turn(turn, due_s, microphone)
                cut_s, free_s = heard.cut_s, heard.plays_until_s
            return True
        finally:
            self._cut = None
            await microphone.close()

    async def _turn(self, turn: VoiceTurn, due_s: float, microphone: Microphone) -> _Listening:
        """Speak, and hear the reply to its end or to where the caller speaks again."""
        self._tally.under_way += 1
        try:
            await self._choose_tool("required" if turn.tools_s else "none")
            utterance = microphone.speak(turn.speaking_s)
            self._tally.sent(due_s, max(due_s, utterance.begin_s))
            # who begins late ends late: both are counted from where they were meant to be
            heard = _Listening(utterance.end_s - max(0.0, utterance.begin_s - due_s), utterance)
            tools_s = list(turn.tools_s)
            while True:
                cut_s = self._cut_s(turn, heard)
                got = await self._receive(cut_s)
                if got is None:
                    self._interrupt(heard, cut_s)
                    return heard
                if await self._heard(heard, *got, tools_s):
                    ends_s = self._cut_s(turn, heard)
                    if heard.first_s is not None and ends_s is not None and ends_s < heard.plays_until_s:
                        await self._clock.until(ends_s)
                        heard.cut_s = ends_s
                    return heard
        finally:
            self._tally.under_way -= 1

    def _cut_s(self, turn: VoiceTurn, heard: _Listening) -> float | None:
        if turn.interrupted_s is None or heard.first_s is None:
            return None
        return heard.first_s + turn.interrupted_s

    async def _receive(self, cut_s: float | None) -> tuple[float, Event] | None:
        """The next event; None when the caller is to speak again."""
        assert self._socket is not None
        until_s = self._clock.now_s() + PATIENCE_S
        got = await self._socket.receive_until(until_s if cut_s is None else cut_s)
        if got is None and cut_s is None:
            raise _HungUp
        return got

    async def _heard(self, heard: _Listening, at_s: float, event: Event, tools_s: list[float]) -> bool:
        """Take an event; True if the reply is over."""
        if event.type == "input_audio_buffer.speech_started":
            await self._truncate(heard)
        elif event.type == "error":
            return self._refused(event)
        elif self._cut is not None and self._is_of(event, self._cut):
            if event.type == "response.done" and event.response is not None:
                self._tally.time("interruption_ms", max(0.0, at_s - heard.utterance.begin_s) * 1e3)
                self._answered(self._cut, event.response, is_interrupted=True)
                self._cut = None
        elif event.type == "response.created" and event.response is not None:
            heard.response = event.response.id
        elif event.type == "response.output_audio.delta":
            heard.first_s = at_s if heard.first_s is None else heard.first_s
            heard.bytes += len(event.delta) * 3 // 4
            heard.item = event.item_id
        elif event.type == "response.output_item.done" and event.item and event.item.type == "function_call":
            heard.calls.append(event.item.call_id or "")
        elif event.type == "response.done" and event.response is not None:
            return await self._done(heard, event.response, tools_s)
        return False

    @staticmethod
    def _is_of(event: Event, reply: _Listening) -> bool:
        ident = event.response.id if event.response is not None else event.response_id
        return ident is not None and ident == reply.response

    async def _done(self, heard: _Listening, response: Response, tools_s: list[float]) -> bool:
        """A response is over: run the tools that it calls, or count the turn."""
        if response.status == "failed":
            self._count_error(response.status_details.error if response.status_details else None, "response failed")
            return True
        if not heard.calls:
            self._answered(heard, response, is_interrupted=response.status == "cancelled")
            return True
        self._add(heard, server_times(response), response)
        tool_s = tools_s.pop(0) if tools_s else 0.0
        began_s = self._clock.now_s()
        await self._clock.until(began_s + tool_s)
        await self._return_results(heard, is_last=not tools_s)
        waited_ms = (self._clock.now_s() - began_s) * 1e3
        heard.take(waited_ms, {"tools": waited_ms})
        return False

    async def _return_results(self, heard: _Listening, *, is_last: bool) -> None:
        assert self._socket is not None
        for call in heard.calls:
            item = {"type": "function_call_output", "call_id": call, "output": '{"status": "confirmed"}'}
            await self._socket.send({"type": "conversation.item.create", "item": item})
        heard.calls.clear()
        choice = "none" if is_last else "required"
        await self._socket.send({"type": "response.create", "response": {"tool_choice": choice}})

    def _answered(self, heard: _Listening, response: Response, *, is_interrupted: bool) -> None:
        if heard.first_s is None:
            if not is_interrupted:
                self._tally.error("reply without sound")
            return
        times = server_times(response)
        self._add(heard, times, response)
        whole = None if times is None else ServerTimes(None, heard.server_ms, heard.stages_ms)
        sent_s = heard.utterance.sent_s
        self._tally.add(Turn(heard.due_s, sent_s, None, heard.first_s, whole, heard.output_tokens, is_interrupted))

    @staticmethod
    def _add(heard: _Listening, times: ServerTimes | None, response: Response) -> None:
        if times is not None:
            heard.take(times.latency_ms, times.stages_ms)
        heard.is_timed = heard.first_s is not None
        if response.usage is not None:
            heard.output_tokens += response.usage.output_tokens

    def _interrupt(self, heard: _Listening, cut_s: float | None) -> None:
        """The caller speaks while the reply still comes; its end will be told later."""
        heard.cut_s = cut_s
        self._cut = heard

    async def _truncate(self, heard: _Listening) -> None:
        """Say how much of the interrupted reply was heard."""
        assert self._socket is not None
        cut = self._cut
        if cut is None or cut.item is None or cut.first_s is None:
            return
        heard_s = min(max(0.0, heard.utterance.begin_s - cut.first_s), cut.bytes / BYTES_PER_S)
        message = {"type": "conversation.item.truncate", "item_id": cut.item, "content_index": 0}
        await self._socket.send({**message, "audio_end_ms": int(heard_s * 1e3)})
        cut.item = None

    def _refused(self, event: Event) -> bool:
        """An error event; True if there will be no reply."""
        return self._count_error(event.error, "error") not in HARMLESS

    def _count_error(self, problem: Problem | None, otherwise: str) -> str:
        """The kind of an error, or `otherwise`; what no other turn will mend is raised."""
        code = (problem and (problem.code or problem.type)) or otherwise
        if code in NO_MODEL:
            raise self._connector.address.explain(404, problem)
        self._tally.error(code)
        return code

    async def _choose_tool(self, choice: str) -> None:
        """What the reply to the next utterance does: speak, or call a tool first."""
        assert self._socket is not None
        await self._socket.send({"type": "session.update", "session": {"type": "realtime", "tool_choice": choice}})
