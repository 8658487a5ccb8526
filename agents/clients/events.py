"""What an outside agent reads of the server's events, in both protocols; all else is skipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["Event", "Item", "Problem", "Response", "ServerTimes", "Usage", "decode_event", "server_times"]

PREFIX: Final = "subsecond_"


class Item(msgspec.Struct, frozen=True):
    """An item of a reply."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None


class Problem(msgspec.Struct, frozen=True):
    """An error, or why a response ended early."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    reason: str | None = None


class StatusDetails(msgspec.Struct, frozen=True):
    """Of a Realtime response that was not completed."""

    reason: str | None = None
    error: Problem | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens of a response, as the server counts them."""

    input_tokens: int = 0
    output_tokens: int = 0


class Response(msgspec.Struct, frozen=True):
    """A response, as events carry it."""

    id: str | None = None
    status: str | None = None
    status_details: StatusDetails | None = None
    error: Problem | None = None
    metadata: dict[str, str] | None = None
    usage: Usage | None = None


class Event(msgspec.Struct, frozen=True):
    """Any event of the server."""

    type: str
    response: Response | None = None
    response_id: str | None = None
    item_id: str | None = None
    item: Item | None = None
    delta: str = ""
    error: Problem | None = None
    status: int | None = None


_decoder = msgspec.json.Decoder(Event)


def decode_event(data: str | bytes) -> Event:
    """Raises `msgspec.DecodeError` for what is no event."""
    return _decoder.decode(data)


class ServerTimes(msgspec.Struct, frozen=True):
    """The server's own decomposition of a turn.

    Attributes:
        stages_ms: by name, in order; their sum is `latency_ms`.
    """

    ttft_ms: float | None
    latency_ms: float
    stages_ms: Mapping[str, float]


def server_times(response: Response) -> ServerTimes | None:
    """What the metadata of a response says; None: nothing (another server)."""
    metadata = response.metadata or {}
    try:
        latency_ms = float(metadata[PREFIX + "latency_ms"])
        ttft = metadata.get(PREFIX + "ttft_ms")
        stages = msgspec.json.decode(metadata.get(PREFIX + "stages_ms", "{}"), type=dict[str, float])
        return ServerTimes(float(ttft) if ttft else None, latency_ms, stages)
    except (KeyError, ValueError):
        return None
