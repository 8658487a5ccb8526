"""What stays on the terminal when the dashboard is left: the run in at most five lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from subsecond.engine.feed import Hello, Notice
from subsecond.tui.snapshot import LaneView, Snapshot
from subsecond.tui.verdict import clock_words, verdict
from subsecond.tui.widgets.text import clean, share_text, time_text

__all__ = ["farewell_lines", "recording_of"]

#: How a service says that it keeps its recording; the path follows.
_KEPT = "the recording is kept: "
#: Pipelines that have a line of their own.
_MOST_LANES = 2


def recording_of(hello: Hello, notices: Sequence[Notice]) -> Path | None:
    """Where the recording of a run is, as its service says; None: it does not."""
    kept = [notice.text.removeprefix(_KEPT) for notice in notices if notice.text.startswith(_KEPT)]
    place = kept[-1] if kept else hello.recording
    return Path(place) if place else None


def farewell_lines(snapshot: Snapshot | None, *, recording: Path | None = None, is_running: bool = False) -> list[str]:
    """The run by now: how far it came, who is ahead, the turns of the pipelines, where the recording is.

    Args:
        recording: where it is, or was as long as the run went on; None: nobody knows.
        is_running: whether the run goes on without the dashboard.
    """
    if snapshot is None:
        return ["subsecond: no run was seen"]
    hello = snapshot.hello
    lines = [f"subsecond: {clean(hello.scenario)}, {clock_words(snapshot.at_ps)} of virtual time"]
    if snapshot.has_turns:
        lines.append(f"  {verdict(snapshot)}")
        lines += [f"  {lane.info.name}: {_lane(lane, hello.agents)}" for lane in snapshot.lanes[:_MOST_LANES]]
        others = len(snapshot.lanes) - _MOST_LANES
        if others > 0:
            lines[-1] += f"; and {others} more {'pipeline' if others == 1 else 'pipelines'}"
    else:
        lines.append("  no turn has ended")
    lines.append(f"  {_recording_words(recording, is_running)}")
    return lines


def _recording_words(recording: Path | None, is_running: bool) -> str:
    if recording is None:
        return "there is no recording"
    if is_running:
        return f"the run goes on; its recording: {recording}, on the service's machine"
    if recording.is_file():
        return f"the recording: {recording}"
    return "the recording was not kept (r keeps it, or --record FILE)"


def _lane(lane: LaneView, agents: tuple[str, ...]) -> str:
    parts = []
    for kind, stats in zip(agents, lane.whole, strict=True):
        if not stats.turns:
            continue
        times = "" if stats.p50_ps is None else f", p50 {time_text(stats.p50_ps)}"
        good = share_text(stats.good / stats.turns)
        parts.append(f"{stats.turns:,} {kind} turns{times}, {good} within every budget")
    return "; ".join(parts) or "no turn"
