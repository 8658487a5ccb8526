"""The default scenario with a crowd of sessions: two coding ones to three voice calls, and servers that suffice."""

from __future__ import annotations

import math

__all__ = ["crowd_settings"]

#: Sessions of the default scenario, which one server of each pool serves.
DEFAULT_SESSIONS = 72


def crowd_settings(sessions: int) -> list[str]:
    """Changes of the scenario `playground`, as `--set` takes them, for so many sessions in all."""
    coding = sessions * 2 // 5
    replicas = math.ceil(sessions / DEFAULT_SESSIONS)
    settings = [f"coding.sessions={coding}", f"voice.sessions={sessions - coding}", f"gpu.replicas={replicas}"]
    return settings + [f"trn-cs3.{pool}_replicas={replicas}" for pool in ("prefill", "decode")]
