"""What the pipelines screen says of servers, links, faults and parameters: rows and lines of a snapshot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.commands import EndDrill, MendFault
from subsecond.engine.feed import FaultNote, LaneInfo, ParameterInfo, Scheduled
from subsecond.tui.knobs import default_of
from subsecond.tui.screens.fault_dialogs import Mending
from subsecond.tui.screens.fault_words import fault_words
from subsecond.tui.snapshot import LaneView, Snapshot
from subsecond.tui.verdict import clock_words
from subsecond.tui.widgets.bars import ServerBar
from subsecond.tui.widgets.chart import ChartLine
from subsecond.tui.widgets.table import TableRow
from subsecond.tui.widgets.text import NOTHING

__all__ = ["fault_rows", "has_link", "mendings", "most_line", "parameter_row", "queued_line", "server_bars"]

Shares = NDArray[np.float64]
PS_PER_S = 10**12
#: Seconds over which hits of a prefix cache are counted.
HITS_S = 60


def parameter_row(lane: LaneInfo, parameter: ParameterInfo) -> TableRow:
    """A parameter; one that differs from the catalog has a sign, and its default before its source."""
    value, source = parameter.value, parameter.source
    default = default_of(lane, parameter)
    if default is not None and default.shown != value:
        value, source = f"≠ {value}", f"{source}; default {default.shown}"
    return TableRow(parameter.key, (parameter.key, value, parameter.provenance, source))


def server_bars(snapshot: Snapshot) -> list[ServerBar]:
    """Every server at this moment."""
    bars = []
    for place, lane in enumerate(snapshot.lanes):
        if lane.gauges is None:
            continue
        series = lane.servers
        last = -1
        if len(series.busy) > 1 and lane.gauges.at_ps % PS_PER_S < PS_PER_S // 2:
            last = -2  # the second that has just begun says little
        for number, (info, gauge) in enumerate(zip(lane.info.servers, lane.gauges.servers, strict=True)):
            bars.append(
                ServerBar(
                    lane=place,
                    name=info.name,
                    role=info.role,
                    up=gauge.up,
                    used_tokens=gauge.used_tokens,
                    retained_tokens=gauge.retained_tokens,
                    capacity_tokens=info.capacity_tokens,
                    batch=gauge.batch,
                    max_seqs=info.max_seqs,
                    queued=gauge.queued,
                    busy=_known(series.busy, last, number),
                    link=_known(series.link, last, number),
                    flows=gauge.flows,
                    hits=series.hit_share(number, HITS_S),
                    hits_in_run=series.hit_share(number),
                )
            )
    return bars


def _known(shares: Shares, second: int, server: int) -> float | None:
    share = float(shares[second, server]) if len(shares) >= -second else -1.0
    return share if share >= 0 else None


def has_link(lane: LaneView) -> bool:
    return any(server.link_tokens_per_s > 0 for server in lane.info.servers)


def queued_line(place: int, lane: LaneView) -> ChartLine:
    series = lane.servers
    return ChartLine(place, lane.info.name, series.seconds.tolist(), series.queued.sum(axis=1).tolist())


def most_line(place: int, lane: LaneView, shares: Shares) -> ChartLine:
    """The highest share among a lane's servers, second by second."""
    if not shares.size:
        return ChartLine(place, lane.info.name, [], [])
    most = shares.max(axis=1).tolist()
    seconds = lane.servers.seconds.tolist()
    return ChartLine(place, lane.info.name, seconds, [None if value < 0 else value for value in most])


def fault_rows(snapshot: Snapshot) -> list[TableRow]:
    """Faults, those in effect first, then those to come, the next one first, then those that are over."""
    latest = list(reversed(snapshot.faults))
    active = [fault for fault in latest if snapshot.is_in_effect(fault)]
    rows = [_fault_row(snapshot, fault, is_active=True) for fault in active]
    rows += _untold_rows(snapshot, active)
    rows += [_coming_row(snapshot, lane, fault) for lane, fault in snapshot.scheduled]
    rows += [_fault_row(snapshot, fault, is_active=False) for fault in latest if fault not in active]
    return rows


def mendings(snapshot: Snapshot) -> dict[str, Mending]:
    """What can be ended: the drills, faults in effect, those to come; the keys of faults are those of `fault_rows`."""
    found = {f"drill {name}": Mending(f"all of the drill {name}", EndDrill(name)) for name in snapshot.drills}
    both: list[tuple[int, FaultNote | Scheduled]] = [(f.lane, f) for f in snapshot.faults if snapshot.is_in_effect(f)]
    both += snapshot.scheduled
    for place, fault in both:
        lane = snapshot.hello.lanes[place]
        words = f"{lane.name}: {_drilled(fault, lane)}"
        if isinstance(fault, Scheduled):
            words = f"{words}, at {clock_words(fault.at_ps)}"
        found[_fault_key(place, fault)] = Mending(words, MendFault(fault.kind, lane.name, fault.target))
    return found


def _untold_rows(snapshot: Snapshot, active: Sequence[FaultNote]) -> list[TableRow]:
    """Faults in effect that the gauges know of and no note has told, as where a recording begins late."""
    told = {(fault.lane, f"{fault.kind} {fault.target}") for fault in active}
    return [
        TableRow(f"{place} {words}", (NOTHING, lane.info.name, words, "! in effect"), ink="bad")
        for place, lane in enumerate(snapshot.lanes)
        for words in dict.fromkeys(() if lane.gauges is None else lane.gauges.faults)
        if (place, words) not in told
    ]


def _fault_row(snapshot: Snapshot, fault: FaultNote, *, is_active: bool) -> TableRow:
    if fault.until_ps is None:
        state = "! for good"
    else:
        word = "! until" if is_active else "mended at" if fault in snapshot.mended else "over since"
        state = f"{word} {clock_words(fault.until_ps)}"
    lane = snapshot.hello.lanes[fault.lane]
    cells = (clock_words(fault.at_ps), lane.name, _drilled(fault, lane), state)
    return TableRow(_fault_key(fault.lane, fault), cells, ink="bad" if is_active else "quiet")


def _drilled(fault: FaultNote | Scheduled, lane: LaneInfo) -> str:
    """A fault in words, and the drill that it belongs to."""
    words = fault_words(fault.kind, fault.target, fault.value, lane)
    return f"{fault.drill}: {words}" if fault.drill else words


def _coming_row(snapshot: Snapshot, lane: int, fault: Scheduled) -> TableRow:
    info = snapshot.hello.lanes[lane]
    wait_s = max(0, fault.at_ps - snapshot.at_ps) // PS_PER_S
    cells = (clock_words(fault.at_ps), info.name, _drilled(fault, info), f"scheduled, in {wait_s} s")
    return TableRow(_fault_key(lane, fault), cells)


def _fault_key(lane: int, fault: FaultNote | Scheduled) -> str:
    return f"{fault.at_ps} {lane} {fault.kind} {fault.target}"
