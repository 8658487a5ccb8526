"""What clients of the Realtime protocol send, read from JSON and checked; what does not fit is refused with a reason.

Keys that are not known are passed over: clients differ in what they add, and some take any error for the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from .base import Tool
from .reading import Refused, decoded, shown

__all__ = [
    "Append",
    "AudioChange",
    "Cancel",
    "Choice",
    "ClearInput",
    "ClearOutput",
    "ClientEvent",
    "Commit",
    "CreateItem",
    "CreateResponse",
    "DeleteItem",
    "Detection",
    "FormatGiven",
    "ItemGiven",
    "PartGiven",
    "ResponseGiven",
    "RetrieveItem",
    "SessionChange",
    "ToolGiven",
    "TruncateItem",
    "UpdateSession",
    "event_id_of",
    "parse_event",
    "read_tools",
]

#: Nesting of a tool's schema; JSON is read and written recursively.
MOST_DEPTH: Final = 64
MOST_TOOLS: Final = 256

#: A base64 string of 15 MiB of audio.
Sound = Annotated[str, Meta(max_length=20 * 2**20)]
Text = Annotated[str, Meta(max_length=2**20)]
Ident = Annotated[str, Meta(min_length=1, max_length=512)]
#: An image may be in its URL.
Url = Annotated[str, Meta(max_length=32 * 2**20)]
Modalities = Annotated[list[Literal["text", "audio"]], Meta(min_length=1, max_length=2)]
Limit = Annotated[int, Meta(ge=1, le=2**31)] | Literal["inf"]
#: Clients in JavaScript compute them, and may send fractions.
Milliseconds = Annotated[float, Meta(ge=0, le=2**53)]
Duration = Annotated[int, Meta(ge=0, le=3_600_000)]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]


class FormatGiven(Struct):
    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
    rate: int | None = None


class Detection(Struct):
    type: Literal["server_vad", "semantic_vad"]
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    prefix_padding_ms: Duration | None = None
    silence_duration_ms: Duration | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None
    eagerness: Literal["low", "medium", "high", "auto"] | None = None


class Transcription(Struct):
    model: Ident | None = None
    language: Annotated[str, Meta(max_length=64)] | None = None
    prompt: Text | None = None


class NoiseReduction(Struct):
    type: Literal["near_field", "far_field"]


class VoiceGiven(Struct):
    id: Ident


class InputChange(Struct):
    format: FormatGiven | UnsetType | None = UNSET
    transcription: Transcription | UnsetType | None = UNSET
    noise_reduction: NoiseReduction | UnsetType | None = UNSET
    turn_detection: Detection | UnsetType | None = UNSET


class OutputChange(Struct):
    format: FormatGiven | UnsetType | None = UNSET
    voice: Ident | VoiceGiven | UnsetType | None = UNSET
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] | UnsetType | None = UNSET


class AudioChange(Struct):
    input: InputChange | UnsetType | None = UNSET
    output: OutputChange | UnsetType | None = UNSET


class ToolGiven(Struct):
    name: Ident
    type: Literal["function"] = "function"
    description: Text | None = None
    parameters: dict[str, Any] | None = None


class Choice(Struct):
    name: Ident
    type: Literal["function"] = "function"


Tools = Annotated[list[ToolGiven], Meta(max_length=MOST_TOOLS)]
ToolChoice = Literal["auto", "none", "required"] | Choice


class SessionChange(Struct):
    """Part of a session's settings; what is not given stays as it was."""

    type: str | UnsetType = UNSET
    model: Ident | UnsetType | None = UNSET
    output_modalities: Modalities | UnsetType | None = UNSET
    instructions: Text | UnsetType | None = UNSET
    tools: Tools | UnsetType | None = UNSET
    tool_choice: ToolChoice | UnsetType | None = UNSET
    max_output_tokens: Limit | UnsetType | None = UNSET
    audio: AudioChange | UnsetType | None = UNSET


class PartGiven(Struct):
    type: Literal["input_text", "input_audio", "input_image", "output_text", "output_audio", "text", "audio"]
    text: Text | None = None
    transcript: Text | None = None
    audio: Sound | None = None
    image_url: Url | None = None
    detail: Literal["auto", "low", "high"] | None = None


class ItemGiven(Struct):
    type: Literal["message", "function_call", "function_call_output", "item_reference"]
    id: Ident | None = None
    role: Literal["user", "assistant", "system"] | None = None
    content: Annotated[list[PartGiven], Meta(max_length=256)] | None = None
    name: Ident | None = None
    call_id: Ident | None = None
    arguments: Text | None = None
    output: Text | None = None


class ResponseGiven(Struct):
    """What one response shall differ in from the session's settings."""

    conversation: Annotated[str, Meta(max_length=512)] | None = None
    input: Annotated[list[ItemGiven], Meta(max_length=1024)] | None = None
    instructions: Text | None = None
    tools: Tools | None = None
    tool_choice: ToolChoice | None = None
    output_modalities: Modalities | None = None
    max_output_tokens: Limit | None = None
    metadata: Metadata | None = None


class ClientEvent(Struct, tag_field="type", kw_only=True):
    event_id: Annotated[str, Meta(max_length=512)] | None = None


class UpdateSession(ClientEvent, tag="session.update"):
    session: SessionChange


class CreateItem(ClientEvent, tag="conversation.item.create"):
    item: ItemGiven
    previous_item_id: Ident | None = None


class DeleteItem(ClientEvent, tag="conversation.item.delete"):
    item_id: Ident


class RetrieveItem(ClientEvent, tag="conversation.item.retrieve"):
    item_id: Ident


class TruncateItem(ClientEvent, tag="conversation.item.truncate"):
    item_id: Ident
    audio_end_ms: Milliseconds
    content_index: Annotated[int, Meta(ge=0, le=2**31)] = 0


class Append(ClientEvent, tag="input_audio_buffer.append"):
    audio: Sound


class Commit(ClientEvent, tag="input_audio_buffer.commit"):
    pass


class ClearInput(ClientEvent, tag="input_audio_buffer.clear"):
    pass


class ClearOutput(ClientEvent, tag="output_audio_buffer.clear"):
    pass


class CreateResponse(ClientEvent, tag="response.create"):
    response: ResponseGiven | None = None


class Cancel(ClientEvent, tag="response.cancel"):
    response_id: Ident | None = None


_Events = (
    UpdateSession
    | CreateItem
    | DeleteItem
    | RetrieveItem
    | TruncateItem
    | Append
    | Commit
    | ClearInput
    | ClearOutput
    | CreateResponse
    | Cancel
)
_DECODER: Final = msgspec.json.Decoder(_Events)
#: Where a message did not fit, at the end of what the decoder says of it.
_PLACE: Final = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(\w+)`")


class _Envelope(Struct):
    type: str
    event_id: Annotated[str, Meta(max_length=512)] | None = None


def parse_event(data: str | bytes) -> ClientEvent:
    """An event of a client.

    Raises:
        Refused: anything that is none, or does not fit.
    """
    if isinstance(data, bytes):
        raise Refused("events are JSON in text frames, not binary ones", code="invalid_frame")
    event: ClientEvent
    try:
        try:
            event = _DECODER.decode(data)
        except msgspec.ValidationError:
            raise
        except (ValueError, RecursionError):
            event = msgspec.convert(decoded(data), _Events)  # it may hold halves of letters
    except msgspec.ValidationError as error:
        raise _misfit(_envelope(data), str(error)) from None
    return event


def event_id_of(data: str | bytes) -> str | None:
    """The client's own name of an event that was refused, if it can be read."""
    envelope = _envelope(data)
    return envelope.event_id if envelope else None


def _envelope(data: str | bytes) -> _Envelope | None:
    try:
        return msgspec.json.decode(data, type=_Envelope)
    except (ValueError, RecursionError):
        return None


def _misfit(envelope: _Envelope | None, reason: str) -> Refused:
    """JSON that is no event which is served, or has something wrong with it."""
    if envelope is None:
        return Refused(f"no event: {reason}", "type", "invalid_event")
    place = _PLACE.search(reason)
    param = place[1] if place else ""
    if param == "type":
        return Refused(f"unknown event {shown(envelope.type)}", "type", "unknown_event")
    missing = _MISSING.search(reason)
    if missing:
        param = ".".join(filter(None, (param, missing[1])))
        if envelope.type == "session.update" and param == "session":
            reason = "session.update without `session`: the dialect of transcription servers is not served here"
        return Refused(reason, param, "missing_required_parameter")
    return Refused(reason, param or None)


def read_tools(given: Sequence[ToolGiven], param: str) -> tuple[Tool, ...]:
    """Tools as a reply may call them.

    Raises:
        Refused: a schema that is nested too deeply.
    """
    for place, tool in enumerate(given):
        if not _is_shallow(tool.parameters or {}):
            raise Refused(f"a schema is at most {MOST_DEPTH} deep", f"{param}[{place}].parameters")
    return tuple(Tool(tool.name, tool.parameters or {}, tool.description or "") for tool in given)


def _is_shallow(value: object, depth: int = 0) -> bool:
    """Whether every JSON library can write this again, with more around it."""
    inner: Iterable[object] = ()
    if isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list):
        inner = value
    return depth < MOST_DEPTH and all(_is_shallow(one, depth + 1) for one in inner)
