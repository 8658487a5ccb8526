"""What stays on the terminal when the dashboard is left: the run in five lines."""

from __future__ import annotations

from subsecond.tui.snapshot import LaneView, Snapshot
from subsecond.tui.verdict import clock_words, verdict
from subsecond.tui.widgets.text import share_text, time_text

__all__ = ["farewell_lines"]


def farewell_lines(snapshot: Snapshot | None) -> list[str]:
    """The run by now: how far it came, who is ahead, each pipeline's turns, where the recording is."""
    if snapshot is None or not snapshot.has_turns:
        return ["subsecond: no turn has ended"]
    hello = snapshot.hello
    lines = [f"subsecond: {hello.scenario}, {clock_words(snapshot.at_ps)} of virtual time; {verdict(snapshot)}"]
    lines += [f"  {lane.info.name}: {_lane(lane, hello.agents)}" for lane in snapshot.lanes[:3]]
    kept = [notice.text for notice in snapshot.notices if "recording is kept" in notice.text]
    lines.append(f"  {kept[-1]}" if kept else "  the recording was not kept (r keeps it, or --record FILE)")
    return lines


def _lane(lane: LaneView, agents: tuple[str, ...]) -> str:
    parts = []
    for kind, stats in zip(agents, lane.whole, strict=True):
        if not stats.turns:
            continue
        times = "" if stats.p50_ps is None else f", p50 {time_text(stats.p50_ps)}"
        good = share_text(stats.good / stats.turns)
        parts.append(f"{stats.turns:,} {kind} turns{times}, {good} within every budget")
    return "; ".join(parts) or "no turn"
