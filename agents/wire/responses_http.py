"""The Responses protocol over HTTP: one request, one response, as a stream of events or whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from subsecond.agents.tokens import TokenCounter

from .base import Effect, End, Outcome, Reply, Send, Submit
from .conversation import ConversationStore
from .decomposition import headers_of, refusal_of
from .reading import Refused, decoded, flag
from .responses_request import Settings, parse_response
from .responses_run import ResponseRun
from .stamps import Stamps

__all__ = ["ResponsesCall"]


class ResponsesCall:
    """`POST /v1/responses`.

    Args:
        counter: counts the prompt.
        store: of all connections; the only memory that requests over HTTP have.
        settings: what is known of the client.
    """

    def __init__(
        self,
        counter: TokenCounter,
        store: ConversationStore,
        settings: Settings | None = None,
        stamps: Stamps | None = None,
    ) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {}
        self.is_streamed = False
        self._counter = counter
        self._store = store
        self._settings = settings or Settings()
        self._stamps = stamps or Stamps()
        self._run: ResponseRun | None = None
        self._is_over = False

    def opened(self) -> Sequence[Effect]:
        """Nothing happens before the body is there."""
        return ()

    def received(self, data: str | bytes, now_s: float) -> Sequence[Effect]:
        """The request's body."""
        if self._run is not None or self._is_over:
            return ()
        ident = f"resp_{self._stamps.new_id()}"
        try:
            body = decoded(data)
            self.is_streamed = flag(body, "stream")
            asked = parse_response(body, ident, self._counter, self._settings, self._store.get)
        except Refused as refused:
            return self._refuse(refused)
        self._run = ResponseRun(asked, self._stamps)
        if asked.generates:
            return (Submit(asked.request),)
        self._is_over = True
        self._keep(self._run)
        return self._shown(self._run.warm_up())

    def started(self, ident: str, reply: Reply, pipeline: str) -> Sequence[Effect]:
        """The pipeline has taken the request."""
        return () if self._run is None or self._is_over else self._shown(self._run.begin(reply))

    def phase(self, ident: str, stage: str, at_ms: float, position: int | None) -> Sequence[Effect]:
        """Clients of this protocol are not told."""
        return ()

    def tokens(self, ident: str, given: int, now_s: float) -> Sequence[Effect]:
        """More of the reply."""
        return () if self._run is None or self._is_over else self._shown(self._run.advance(given))

    def ended(self, ident: str, outcome: Outcome, now_s: float) -> Sequence[Effect]:
        """The response is complete, or will never be."""
        run = self._run
        if run is None or self._is_over:
            return ()
        is_shown = run.is_begun and self.is_streamed
        if outcome.end is not End.DONE and not is_shown:
            return self._refuse(refusal_of(outcome))
        self._is_over = True
        if outcome.end is End.TOO_LONG:
            return (run.error(outcome),)
        if not self.is_streamed:
            self.headers = headers_of(outcome)
        events = run.finish(outcome)
        if outcome.end is End.DONE:
            self._keep(run)
        return self._shown(events)

    def due_s(self) -> float | None:
        """Time alone changes nothing."""
        return None

    def tick(self, now_s: float) -> Sequence[Effect]:
        """Time alone changes nothing."""
        return ()

    def _shown(self, events: Sequence[Send]) -> Sequence[Effect]:
        """What the client gets of events: all of them, or the response that the last one holds."""
        if self.is_streamed:
            return events
        return [Send(event.message["response"], is_last=True) for event in events if event.is_last]

    def _keep(self, run: ResponseRun) -> None:
        if run.asked.is_stored:
            run.asked.conversation.add(run.output)
            self._store.put(run.ident, run.asked.conversation)

    def _refuse(self, refused: Refused) -> Sequence[Effect]:
        self._is_over = True
        self.status, self.is_streamed = refused.status, False
        return (Send({"error": refused.body()}, is_last=True),)
