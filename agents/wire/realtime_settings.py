"""Settings of a Realtime session, what a client changes of them, and how they are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET

from .base import Tool
from .reading import Refused
from .realtime_requests import (
    AudioChange,
    Choice,
    Detection,
    FormatGiven,
    NoiseReduction,
    SessionChange,
    Transcription,
    VoiceGiven,
    read_tools,
)
from .sound_formats import PCM, SOUND_FORMATS, SoundFormat
from .speech_detector import Sensitivity

__all__ = ["Settings", "changed", "sensitivity", "shown_detection", "shown_tool", "tool_choice_of"]

Modality = Literal["text", "audio"]
SERVER_VAD: Final = Detection("server_vad")


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for every response of a session that does not say otherwise.

    Attributes:
        model: as the client said it, perhaps with `@pipeline`.
        is_model_fixed: the address named it; a client's settings then change it only to name a pipeline.
        detection: None: the client commits audio and asks for responses itself.
        speed: factor on how fast replies are spoken.
    """

    model: str
    is_model_fixed: bool = False
    modality: Modality = "audio"
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    tool_choice: str | Choice = "auto"
    most_tokens: int | None = None
    input_format: SoundFormat = PCM
    output_format: SoundFormat = PCM
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    detection: Detection | None = SERVER_VAD
    voice: str | VoiceGiven = "alloy"
    speed: float = 1.0

    def shown(self) -> dict[str, Any]:
        """All of them, as the protocol says them."""
        return {
            "type": "realtime",
            "object": "realtime.session",
            "model": self.model,
            "output_modalities": [self.modality],
            "instructions": self.instructions,
            "tools": [shown_tool(tool) for tool in self.tools],
            "tool_choice": msgspec.to_builtins(self.tool_choice),
            "max_output_tokens": self.most_tokens or "inf",
            "audio": {
                "input": {
                    "format": self.input_format.shown,
                    "transcription": _without_nulls(self.transcription),
                    "noise_reduction": _without_nulls(self.noise_reduction),
                    "turn_detection": shown_detection(self.detection),
                },
                "output": {
                    "format": self.output_format.shown,
                    "voice": msgspec.to_builtins(self.voice),
                    "speed": self.speed,
                },
            },
        }


def shown_tool(tool: Tool) -> dict[str, Any]:
    """A tool as the protocol says it."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }


def shown_detection(detection: Detection | None) -> dict[str, Any] | None:
    """With its defaults: clients look whether the server interrupts by itself."""
    if detection is None:
        return None
    common = {
        "type": detection.type,
        "create_response": detection.create_response is not False,
        "interrupt_response": detection.interrupt_response is not False,
    }
    if detection.type == "semantic_vad":
        return common | {"eagerness": detection.eagerness or "auto"}
    wanted = sensitivity(detection, 0)
    return common | {
        "threshold": wanted.threshold,
        "prefix_padding_ms": round(wanted.padding_ms),
        "silence_duration_ms": round(wanted.silence_ms),
    }


def sensitivity(detection: Detection, patience_ms: float) -> Sensitivity:
    """What the detector listens for.

    Args:
        patience_ms: silence that ends a turn for a semantic detector, which has no such setting.
    """
    if detection.type == "semantic_vad":
        return Sensitivity(silence_ms=patience_ms)
    usual = Sensitivity()

    def given(value: float | None, default: float) -> float:
        return default if value is None else value

    return Sensitivity(
        given(detection.threshold, usual.threshold),
        given(detection.prefix_padding_ms, usual.padding_ms),
        given(detection.silence_duration_ms, usual.silence_ms),
    )


def tool_choice_of(choice: str | Choice, tools: Sequence[Tool]) -> str:
    """A choice as model requests have it; what the tools do not allow is left to the reply."""
    name = choice.name if isinstance(choice, Choice) else choice
    if isinstance(choice, Choice) and all(tool.name != name for tool in tools):
        return "auto"
    return "auto" if name == "required" and not tools else name


def changed(settings: Settings, change: SessionChange) -> Settings:
    """Settings with a client's changes.

    Raises:
        Refused: something that cannot be.
    """
    if change.type is not UNSET and change.type != "realtime":
        raise Refused("only sessions of type 'realtime' are served", "session.type")
    changes: dict[str, Any] = {}
    if isinstance(change.model, str) and ("@" in change.model or not settings.is_model_fixed):
        changes["model"] = change.model
    if isinstance(change.output_modalities, list):
        changes["modality"] = modality_of(change.output_modalities)
    if change.instructions is not UNSET:
        changes["instructions"] = change.instructions or ""
    if change.tools is not UNSET:
        changes["tools"] = read_tools(change.tools or (), "session.tools")
    if change.tool_choice is not UNSET:
        changes["tool_choice"] = change.tool_choice or "auto"
    if change.max_output_tokens is not UNSET:
        limit = change.max_output_tokens
        changes["most_tokens"] = limit if isinstance(limit, int) else None
    if isinstance(change.audio, AudioChange):
        changes |= _audio_changes(change.audio)
    return replace(settings, **changes)


def modality_of(modalities: Sequence[str]) -> Modality:
    """Spoken replies come with a transcript: asking for both is asking for audio."""
    return "audio" if "audio" in modalities else "text"


def _audio_changes(audio: AudioChange) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if audio.input:
        if audio.input.format:
            changes["input_format"] = _format(audio.input.format, "session.audio.input.format")
        for name in ("transcription", "noise_reduction"):
            if getattr(audio.input, name) is not UNSET:
                changes[name] = getattr(audio.input, name)
        if audio.input.turn_detection is not UNSET:
            changes["detection"] = audio.input.turn_detection
    if audio.output:
        if audio.output.format:
            changes["output_format"] = _format(audio.output.format, "session.audio.output.format")
        if audio.output.voice:
            changes["voice"] = audio.output.voice
        if audio.output.speed:
            changes["speed"] = audio.output.speed
    return changes


def _format(given: FormatGiven, param: str) -> SoundFormat:
    known = SOUND_FORMATS[given.type]
    if given.rate not in (None, known.rate):
        raise Refused(f"{known.name} has {known.rate} samples per second here", f"{param}.rate")
    return known


def _without_nulls(value: msgspec.Struct | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {key: inner for key, inner in msgspec.to_builtins(value).items() if inner is not None}
