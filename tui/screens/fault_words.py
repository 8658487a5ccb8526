"""Faults in words: what they do where there is room, what is broken where there is little."""

from __future__ import annotations

from typing import Final

from subsecond.engine.feed import LaneInfo
from subsecond.tui.widgets.text import share_text

__all__ = ["brief_fault_words", "fault_words"]

_WORDS: Final = {
    "prefill_down": "prefill server {target} is down",
    "decode_down": "decode server {target} is down, and the KV of its sessions is lost",
    "gpu_down": "server {target} is down",
    "slow": "{server} takes {value} times as long",
    "link_cut": "the link into decode server {target} is cut",
    "link_degraded": "the link into decode server {target} has {share} of its rate",
    "handoff_loss": "{share} of the handoffs are lost",
    "throttle": "{share} of the requests are refused (429)",
    "stall": "the router forwards nothing",
}
_BRIEF: Final = {
    "prefill_down": "prefill {target} down",
    "decode_down": "decode {target} down",
    "gpu_down": "server {target} down",
    "slow": "{server} slow",
    "link_cut": "link {target} cut",
    "link_degraded": "link {target} degraded",
    "handoff_loss": "handoffs lost",
    "throttle": "requests refused",
    "stall": "router stalled",
}


def fault_words(kind: str, target: int, value: float | None, lane: LaneInfo | None = None) -> str:
    """What a fault does, in words; of kinds that are not known their name.

    Args:
        lane: the pipeline that it strikes, which knows the names of its servers.
    """
    words = _WORDS.get(kind, f"{kind} {{target}}")
    number = "" if value is None else f"{value:g}"
    return words.format(target=target, value=number, share=share_text(value), server=_server(target, lane))


def brief_fault_words(fault: str, lane: LaneInfo | None = None) -> str:
    """What is broken, in two or three words.

    Args:
        fault: as gauges tell it, `decode_down 0`; what is not known is given back.
        lane: the pipeline that it strikes.
    """
    kind, _, target = fault.partition(" ")
    if kind not in _BRIEF or not target.isdecimal():
        return fault
    return _BRIEF[kind].format(target=target, server=_server(int(target), lane))


def _server(target: int, lane: LaneInfo | None) -> str:
    if lane is None or not 0 <= target < len(lane.servers):
        return f"server {target}"
    return lane.servers[target].name
