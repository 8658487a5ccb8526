"""How long the stages around a voice agent's model take, for agents that speak with real clients."""

from __future__ import annotations

from dataclasses import dataclass

from .parameters import Parameters

__all__ = ["VoiceDelays", "voice_delays"]

US_PER_MS = 1000


@dataclass(frozen=True, slots=True)
class VoiceDelays:
    """Times of one voice profile; every turn takes these.

    Attributes:
        speech_to_text_ms: from the end of speech to the final transcript; runs while the end is waited for.
        text_to_speech_ms: from the first sentence to its first sound.
        speech_tokens_per_s: how fast a reply is spoken, > 0.
        high_ms, medium_ms, low_ms: silence after which an eager, a usual and a patient turn detector end a turn.
    """

    speech_to_text_ms: float
    text_to_speech_ms: float
    speech_tokens_per_s: float
    high_ms: float
    medium_ms: float
    low_ms: float

    def patience_ms(self, eagerness: str) -> float:
        """Silence that ends a turn at an eagerness of "low", "medium", "high" or "auto"."""
        return {"low": self.low_ms, "high": self.high_ms}.get(eagerness, self.medium_ms)


def voice_delays(parameters: Parameters) -> VoiceDelays:
    """Medians of a voice profile (`voice_parameters`).

    How long a turn detector waits at each eagerness is not public (its documentation has upper limits alone): assumed
    are the shortest, the median and the longest endpointing of the profile.
    """

    def ms(key: str, probability: float = 0.5) -> float:
        return parameters.table(key).quantile(probability) / US_PER_MS

    return VoiceDelays(
        speech_to_text_ms=ms("speech_to_text.time"),
        text_to_speech_ms=ms("text_to_speech.time"),
        speech_tokens_per_s=parameters.number("reply.rate"),
        high_ms=ms("endpointing.time", 0.0),
        medium_ms=ms("endpointing.time"),
        low_ms=ms("endpointing.time", 1.0),
    )
