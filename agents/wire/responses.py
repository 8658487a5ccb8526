"""The Responses protocol over a websocket: lanes, chains of responses, warm-up, cancelling.

Inside a lane (`stream_id`) one response runs after the other; lanes run side by side. A response goes on from any that
this connection was answered, and from any that was stored, by whichever connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from subsecond.agents.tokens import TokenCounter

from .base import Cancel, Effect, End, Outcome, Reply, Send, Submit
from .conversation import Conversation, ConversationStore
from .decomposition import refusal_of
from .reading import Refused, decoded, mapping, shown, text
from .responses_request import ResponsesRequest, Settings, parse_response
from .responses_run import ResponseRun
from .stamps import Stamps

__all__ = ["ResponsesSession"]

#: Conversations that one connection may go on from without having stored them, and their bytes.
MOST_KEPT: Final = 256
MOST_KEPT_BYTES: Final = 16_000_000
#: Lanes at a time, and requests that wait in one.
MOST_LANES: Final = 256
MOST_WAITING: Final = 64
#: Bytes of all frames that wait, unless it is one alone.
MOST_WAITING_BYTES: Final = 128_000_000
#: When Codex sent a request, in ms since 1970.
CODEX_SENT: Final = "x-codex-ws-stream-request-start-ms"

_LANE_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


class ResponsesSession:
    """One websocket on `/v1/responses`.

    Args:
        counter: counts prompts.
        store: of all connections, for responses with `store` not false.
        settings: what is known of the client.

    Attributes:
        client_sent_ms: when the client says it has sent its last request, in ms since 1970; None: it does not say.
    """

    def __init__(
        self,
        counter: TokenCounter,
        store: ConversationStore,
        settings: Settings | None = None,
        stamps: Stamps | None = None,
    ) -> None:
        self.client_sent_ms: float | None = None
        self._counter = counter
        self._store = store
        self._own = ConversationStore(MOST_KEPT, MOST_KEPT_BYTES)
        self._settings = settings or Settings()
        self._stamps = stamps or Stamps()
        self._runs: dict[str, ResponseRun] = {}
        #: By lane: frames with their lengths.
        self._waiting: dict[str, deque[tuple[Mapping[str, Any], int]]] = {}
        self._waiting_bytes = 0
        self._frame_bytes = 0
        self._serve: Mapping[str, Callable[[Mapping[str, Any]], list[Effect]]] = {
            "response.create": self._create,
            "response.cancel": self._cancel,
            "response.steer": self._steer,
            "response.processed": lambda frame: [],
        }

    def opened(self) -> Sequence[Effect]:
        """The client speaks first."""
        return ()

    def received(self, data: str | bytes, now_s: float) -> Sequence[Effect]:
        """A frame of the client."""
        lane = ""
        try:
            frame = decoded(data)
            self._frame_bytes = len(data)
            lane = _lane(frame)
            kind = frame.get("type")
            serve = self._serve.get(kind) if isinstance(kind, str) else None
            if serve is not None:
                return serve(frame)
            if self._runs:  # an error would end the response that the client is reading
                return ()
            expected = ", ".join(self._serve)
            raise Refused(f"type: got {shown(kind)}, expected one of {expected}", "type", "unknown_event")
        except Refused as refused:
            return (_error(refused, lane),)

    def started(self, ident: str, reply: Reply, pipeline: str) -> Sequence[Effect]:
        """The pipeline has taken a request."""
        run = self._runs.get(ident)
        return [] if run is None else run.begin(reply)

    def phase(self, ident: str, stage: str, at_ms: float, position: int | None) -> Sequence[Effect]:
        """Clients of this protocol are not told."""
        return ()

    def tokens(self, ident: str, given: int, now_s: float) -> Sequence[Effect]:
        """More of a reply."""
        run = self._runs.get(ident)
        return [] if run is None else run.advance(given)

    def ended(self, ident: str, outcome: Outcome, now_s: float) -> Sequence[Effect]:
        """A request is over."""
        run = self._runs.pop(ident, None)
        if run is None:
            return []
        if outcome.end in (End.DONE, End.CANCELLED) or (run.is_begun and outcome.end is not End.TOO_LONG):
            effects: list[Effect] = list(run.finish(outcome))
        else:
            effects = [_error(refusal_of(outcome), run.lane)]
        if outcome.end is End.DONE:
            self._keep(run.asked, run.output)
        return effects + self._next(run.lane)

    def due_s(self) -> float | None:
        """Time alone changes nothing."""
        return None

    def tick(self, now_s: float) -> Sequence[Effect]:
        """Time alone changes nothing."""
        return ()

    def _create(self, frame: Mapping[str, Any]) -> list[Effect]:
        lane = _lane(frame)
        self._note_client_time(frame)
        lanes = {run.lane for run in self._runs.values()}
        if lane not in lanes and len(lanes) >= MOST_LANES:
            message = f"{MOST_LANES} lanes are busy already"
            raise Refused(message, "stream_id", "rate_limit_exceeded", 429)
        waiting = self._waiting.get(lane) or deque()
        if len(waiting) >= MOST_WAITING:
            message = f"{MOST_WAITING} requests wait in this lane already"
            raise Refused(message, "stream_id", "rate_limit_exceeded", 429)
        if self._waiting_bytes and self._waiting_bytes + self._frame_bytes > MOST_WAITING_BYTES:
            message = f"requests of {MOST_WAITING_BYTES} bytes wait already"
            raise Refused(message, "stream_id", "rate_limit_exceeded", 429)
        self._waiting[lane] = waiting
        waiting.append((frame, self._frame_bytes))
        self._waiting_bytes += self._frame_bytes
        return self._next(lane)

    def _next(self, lane: str) -> list[Effect]:
        """Begin what waits in a lane, until something runs there."""
        effects: list[Effect] = []
        waiting = self._waiting.get(lane, deque())
        while waiting and not any(run.lane == lane for run in self._runs.values()):
            frame, length = waiting.popleft()
            self._waiting_bytes -= length
            effects += self._begin(frame, lane)
        if not waiting:
            self._waiting.pop(lane, None)
        return effects

    def _begin(self, frame: Mapping[str, Any], lane: str) -> list[Effect]:
        ident = f"resp_{self._stamps.new_id()}"
        try:
            asked = parse_response(frame, ident, self._counter, self._settings, self._known)
        except Refused as refused:
            return [_error(refused, lane)]
        run = ResponseRun(asked, self._stamps, lane)
        if not asked.generates:
            self._keep(asked, [])
            return list(run.warm_up())
        self._runs[ident] = run
        return [Submit(asked.request)]

    def _known(self, response_id: str) -> Conversation | None:
        return self._own.get(response_id) or self._store.get(response_id)

    def _keep(self, asked: ResponsesRequest, output: list[dict[str, Any]]) -> None:
        asked.conversation.add(output)
        self._own.put(asked.request.ident, asked.conversation)
        if asked.is_stored:
            self._store.put(asked.request.ident, asked.conversation)

    def _cancel(self, frame: Mapping[str, Any]) -> list[Effect]:
        """Without an id the last one. One that is over already is nothing to complain about."""
        ident = frame.get("response_id")
        if ident is None:
            return [Cancel(name) for name in list(self._runs)[-1:]]
        return [Cancel(ident)] if isinstance(ident, str) and ident in self._runs else []

    def _steer(self, frame: Mapping[str, Any]) -> list[Effect]:
        """Input for a response that runs: the client gets it back."""
        given = frame.get("input")
        event = {
            "type": "response.steer.failed",
            "sequence_number": 0,
            "error": {
                "code": "steering_not_supported",
                "message": "a response that runs takes no further input",
                "type": "invalid_request_error",
            },
            "steer": {
                "input": given if isinstance(given, str | list) else "",
                "previous_response_id": text(frame, "previous_response_id", ""),
            },
        }
        return [Send(event | _lane_field(_lane(frame)), "response.steer.failed")]

    def _note_client_time(self, frame: Mapping[str, Any]) -> None:
        sent = mapping(frame, "client_metadata").get(CODEX_SENT)
        digits = sent if isinstance(sent, str) and sent.isascii() and sent.isdigit() and len(sent) < 16 else None
        if isinstance(sent, int | float) and not isinstance(sent, bool) and 0 <= sent < 1e15:
            self.client_sent_ms = float(sent)
        else:
            self.client_sent_ms = None if digits is None else float(digits)


def _lane(frame: Mapping[str, Any]) -> str:
    lane = frame.get("stream_id")
    if lane is None:
        return ""
    if not isinstance(lane, str) or not 1 <= len(lane) <= 256 or not _LANE_LETTERS.issuperset(lane):
        raise Refused(f"stream_id: got {shown(lane)}, expected 1 to 256 of A-Z a-z 0-9 _ . -", "stream_id")
    return lane


def _lane_field(lane: str) -> dict[str, str]:
    return {"stream_id": lane} if lane else {}


def _error(refused: Refused, lane: str) -> Send:
    """An error frame. Without a status that is none of success some clients wait on for minutes."""
    message = {"type": "error", "status": refused.status, "error": refused.body()}
    return Send(message | _lane_field(lane), "error")
