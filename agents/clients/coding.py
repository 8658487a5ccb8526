"""An outside coding agent: sessions of steps over the websocket of the Responses protocol.

Each step is one request that continues the one before (`previous_response_id`) and brings what is new: a user's message
or the results of the tools that the last reply called. Its length is what the drawn prompt has more than the context
that the server counted. A compacted context begins a chain of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from .connection import Broken, Socket
from .events import Event, Response, server_times
from .measure import Turn
from .scripts import CodingStep
from .shared import Shared
from .text import words

__all__ = ["CodingAgent"]

#: Tokens of instructions, the same in every session (`prompt.shared_prefix`), without those of the tools.
INSTRUCTIONS: Final = 15_000
#: Attempts at one turn, each on a connection of its own.
ATTEMPTS: Final = 5
#: The chain that a request continues is not known (any more): it is to be sent whole.
UNKNOWN_CHAIN: Final = "previous_response_not_found"
NO_MODEL: Final = ("model_not_found", "invalid_model")


def _tool(name: str, description: str, **properties: str) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {key: {"type": "string", "description": text} for key, text in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "function", "name": name, "description": description, "parameters": parameters, "strict": True}


TOOLS: Final = [
    _tool("execute", "Run a command in the shell.", command="what to run"),
    _tool("edit", "Replace text in a file.", path="of the file", old="text that is there", new="text instead"),
    _tool("read", "Read a file.", path="of the file"),
    _tool("web", "Fetch a page.", url="of the page"),
]


@dataclass(slots=True)
class _Chain:
    """What the server knows of the conversation.

    Attributes:
        calls: of the last reply, that wait for results.
        tokens: prompt and reply of the last request.
    """

    previous: str | None = None
    calls: tuple[str, ...] = ()
    tokens: int = 0


class CodingAgent:
    """One agent; it goes through one session after the other.

    Args:
        scripts: of sessions, shared with the other agents.
    """

    def __init__(
        self,
        name: str,
        shared: Shared,
        scripts: Iterator[list[CodingStep]],
    ) -> None:
        self._name = name
        self._connector = shared.connector
        self._scripts = scripts
        self._beats = shared.beats
        self._clock = shared.clock
        self._tally = shared.tally
        self._turns_left = shared.most_turns
        self._socket: Socket | None = None
        self._was_open = False
        self._chain = _Chain()
        self._requests = 0

    async def open(self) -> None:
        """Connect, if it is not.

        Raises:
            InputError: the gateway cannot be reached, or refuses.
        """
        if self._socket is None:
            self._socket = await self._connector.open(self._name, again=self._was_open)
            self._was_open = True

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    async def run(self) -> None:
        """Steps until no more are due.

        Raises:
            InputError: the gateway refuses for good.
        """
        try:
            while True:
                for step in next(self._scripts):
                    if self._turns_left == 0:
                        return
                    due_s = await self._beats.next(step.gap_s if self._requests else 0.0)
                    if due_s is None:
                        return
                    if self._turns_left is not None:
                        self._turns_left -= 1
                    await self._step(step, due_s)
        finally:
            await self.close()

    async def _step(self, step: CodingStep, due_s: float) -> None:
        self._tally.under_way += 1
        is_sent = False
        for _ in range(ATTEMPTS):
            try:
                await self.open()
                if not is_sent:
                    self._tally.sent(due_s, self._clock.now_s())
                    is_sent = True
                await self._ask(step, due_s)
                break
            except Broken as error:
                self._tally.error(error.kind)
                if error.kind != UNKNOWN_CHAIN:
                    await self.close()
                self._chain = _Chain()
        self._tally.under_way -= 1

    async def _ask(self, step: CodingStep, due_s: float) -> None:
        """Send one request and read to the end of its reply."""
        assert self._socket is not None
        await self._socket.send(self._request(step))
        sent_s = self._clock.now_s()
        first_s: float | None = None
        calls: list[str] = []
        while True:
            at_s, event = await self._socket.receive()
            if first_s is None and event.type.endswith(".delta"):
                first_s = at_s
            elif event.type == "response.output_item.done" and event.item and event.item.type == "function_call":
                calls.append(event.item.call_id or "")
            elif event.type == "error":
                self._refused(event)
                return
            elif event.response is not None and event.type in (
                "response.completed",
                "response.incomplete",
                "response.failed",
            ):
                self._answered(event.response, calls, Turn(due_s, sent_s, first_s, at_s, None, 0))
                return

    def _request(self, step: CodingStep) -> dict[str, Any]:
        self._requests += 1
        if step.is_fresh or self._chain.previous is None:
            self._chain = _Chain()
            place = hash_place(self._name, self._requests)
            user = words(max(1, step.prompt_tokens - INSTRUCTIONS), place)
            new = [
                {"type": "message", "role": "developer", "content": words(INSTRUCTIONS, 0)},
                {"type": "message", "role": "user", "content": f"{self._name}: {user}"},
            ]
        else:
            new = self._continuation(step)
        request: dict[str, Any] = {
            "type": "response.create",
            "model": self._connector.address.model,
            "input": new,
            "tools": TOOLS,
            "tool_choice": "none" if step.ends_task else "required",
            "max_output_tokens": step.output_tokens,
            "ignore_eos": True,  # exactly so many, as in the data
            "metadata": {"agent": self._name},
        }
        if self._chain.previous is not None:
            request["previous_response_id"] = self._chain.previous
        return request

    def _continuation(self, step: CodingStep) -> list[dict[str, Any]]:
        """What has come since the last reply: results of its tools, and what the user says."""
        text = words(max(1, step.prompt_tokens - self._chain.tokens), hash_place(self._name, self._requests))
        says = step.begins_task or not self._chain.calls
        results = ["ok" if says or i else text for i in range(len(self._chain.calls))]
        new: list[dict[str, Any]] = [
            {"type": "function_call_output", "call_id": call, "output": result}
            for call, result in zip(self._chain.calls, results, strict=True)
        ]
        if says:
            new.append({"type": "message", "role": "user", "content": text})
        return new

    def _refused(self, event: Event) -> None:
        problem = event.error
        code = (problem and (problem.code or problem.type)) or "error"
        if code in NO_MODEL or event.status in (401, 403):
            raise self._connector.address.explain(event.status or 404, problem)
        if code == UNKNOWN_CHAIN:
            raise Broken(UNKNOWN_CHAIN)
        self._tally.error(code)

    def _answered(self, response: Response, calls: list[str], turn: Turn) -> None:
        if response.status == "failed":
            self._tally.error((response.error and response.error.code) or "response failed")
            return
        usage = response.usage
        self._chain = _Chain(response.id, tuple(calls), usage.input_tokens + usage.output_tokens if usage else 0)
        self._tally.add(
            Turn(
                turn.due_s,
                turn.sent_s,
                turn.first_s,
                turn.end_s,
                server_times(response),
                usage.output_tokens if usage else 0,
            )
        )


def hash_place(name: str, request: int) -> int:
    """Where on the tape of words a text begins: another place for every agent and request."""
    return (sum(name.encode()) * 7919 + request * 104_729) % (1 << 16)
