"""Turns as OpenTelemetry traces in OTLP's JSON: a trace per lane and session, a span per turn, below it one per stage.

Attributes follow the semantic conventions for generative AI (1.41); what these have no word for is under `subsecond.`.
Every line of the output is a whole `TracesData`, or request to `/v1/traces`, of some turns of one lane, so that neither
side has to hold a run in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import groupby
from typing import Any, Final

import msgspec

from subsecond.engine.feed import Hello, LaneInfo
from subsecond.engine.recording.reader import Metadata, Recording

from .tables import Chunk, Table

__all__ = ["BEGIN", "TraceLines"]

#: With which every line begins.
BEGIN: Final = b'{"resourceSpans":['

PS_PER_NS = 1000
NS_PER_S = 10**9
#: Numbers of `SpanKind` and `StatusCode`: a turn is a call to a service, a stage a part of it.
_INTERNAL, _CLIENT = 1, 3
_ERROR = 2

_json = msgspec.json.Encoder()
Row = tuple[Any, ...]


class TraceLines:
    """Makes lines of the rows of the table `turns`.

    Ids come from the run, the lane, the turn and the stage: the same recording gives the same bytes.

    Raises:
        InputError: the recording is damaged.
    """

    def __init__(self, recording: Recording, table: Table) -> None:
        self._hello: Hello = recording.hello()
        self._meta: Metadata = recording.metadata()
        self._begin_ns = round(self._meta.created_unix_s * NS_PER_S)
        self._lanes = {lane.name: lane for lane in self._hello.lanes}
        self._place = {column.name: place for place, column in enumerate(table.columns)}
        stages_at = next(
            (place for place, column in enumerate(table.columns) if column.name.startswith("stage_")),
            len(table.columns),
        )
        self._stages = [(stages_at + i, name) for i, name in enumerate(self._hello.stages)]
        self._met = [(place, name.removeprefix("met ")) for name, place in self._place.items() if name[:4] == "met "]

    def lines(self, chunk: Chunk) -> Iterator[bytes]:
        """Lines for some rows, one per lane."""
        lane_at = self._place["lane"]
        rows = sorted(zip(*chunk, strict=True), key=lambda row: row[lane_at] or "")
        for name, own in groupby(rows, key=lambda row: row[lane_at] or ""):
            spans = [span for row in own for span in self._spans(name, row)]
            scope = {"name": "subsecond", "version": self._meta.package_version}
            scoped = {"scope": scope, "spans": spans}
            yield _json.encode({"resourceSpans": [{"resource": self._resource(name), "scopeSpans": [scoped]}]}) + b"\n"

    def _resource(self, lane: str) -> dict[str, Any]:
        about = {
            "service.name": lane,
            "service.instance.id": self._hello.run,
            "subsecond.scenario": self._hello.scenario,
            "subsecond.seed": self._hello.seed,
        }
        return {"attributes": _attributes(about)}

    def _spans(self, lane: str, row: Row) -> Iterator[dict[str, Any]]:
        """The span of a turn, then those of its stages, one after the other in the order of the run."""
        of = self._place
        turn, start_ps = row[of["turn"]], row[of["start_ps"]]
        trace = self._id(16, lane, "session", row[of["session"]])
        parent = self._id(8, lane, "turn", turn)
        state, agent = row[of["state"]], row[of["agent"]]
        span = {
            "traceId": trace,
            "spanId": parent,
            "name": f"invoke_agent {agent}",
            "kind": _CLIENT,
            **self._times(start_ps, row[of["end_ps"]]),
            "attributes": _attributes(self._about(lane, row)),
        }
        if state == "failed":
            span["status"] = {"code": _ERROR, "message": "a request of the turn failed"}
        yield span
        at_ps = start_ps
        for place, stage in self._stages:
            spent_ps = row[place]
            if spent_ps:
                yield {
                    "traceId": trace,
                    "spanId": self._id(8, lane, "turn", turn, stage),
                    "parentSpanId": parent,
                    "name": stage,
                    "kind": _INTERNAL,
                    **self._times(at_ps, at_ps + spent_ps),
                    "attributes": _attributes({"subsecond.stage": stage}),
                }
                at_ps += spent_ps

    def _about(self, lane: str, row: Row) -> dict[str, Any]:
        of = self._place
        info: LaneInfo | None = self._lanes.get(lane)
        failed = {"error.type": "failed"} if row[of["state"]] == "failed" else {}
        return {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": "subsecond",
            "gen_ai.agent.name": row[of["agent"]],
            "gen_ai.request.model": None if info is None else info.model,
            "gen_ai.conversation.id": str(row[of["session"]]),
            "gen_ai.usage.input_tokens": row[of["prompt_tokens"]],
            "gen_ai.usage.cache_read.input_tokens": row[of["hit_tokens"]],
            "gen_ai.usage.output_tokens": row[of["output_tokens"]],
            **failed,
            "subsecond.lane": lane,
            "subsecond.state": row[of["state"]],
            **{f"subsecond.{name}": row[of[name]] for name in ("turn", "turn_index", "requests", "attempts")},
            **{f"subsecond.{name}": row[of[name]] for name in ("latency_ps", "ttft_ps", "tpot_ps")},
            **{f"subsecond.met.{name}": row[place] for place, name in self._met},
        }

    def _times(self, start_ps: int, end_ps: int) -> dict[str, str]:
        start, end = (self._begin_ns + at_ps // PS_PER_NS for at_ps in (start_ps, end_ps))
        return {"startTimeUnixNano": str(start), "endTimeUnixNano": str(end)}

    def _id(self, size: int, *parts: object) -> str:
        text = "\0".join(map(str, (self._hello.run, *parts)))
        return blake2b(text.encode(), digest_size=size).hexdigest()


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP has them; what is not known is left out."""
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: bool | int | str) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
