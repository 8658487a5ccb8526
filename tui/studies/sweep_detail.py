"""All of a point of a sweep, in lines."""

from __future__ import annotations

from collections.abc import Iterator

from subsecond.engine.findings import counted
from subsecond.tui.widgets.text import count_text, share_text

from .again import run_again
from .study import Detail
from .sweep_points import GroupSeen, LaneSeen, SweepPoint, SweepSeen
from .text import finite, ms_text, rate_text, share_words, value_text

__all__ = ["detail_of"]

#: Failures that are shown.
_FAILURES = 8


def detail_of(sweep: SweepSeen, point: SweepPoint) -> Detail:
    """Settings, failures, and what came of each pipeline."""
    lines = [f"{key} = {value_text(value)}" for key, value in point.settings.items()]
    seeds = ", ".join(map(str, sweep.seeds[:12])) + (", …" if len(sweep.seeds) > 12 else "")
    lines.append(f"{point.runs} of {len(sweep.seeds)} runs are done, seeds {seeds}")
    for seed, error in point.failures[:_FAILURES]:
        lines.append(f"x seed {seed} failed: {error}")
    if len(point.failures) > _FAILURES:
        lines.append(f"x {len(point.failures) - _FAILURES} more failed")
    for name, lane in point.lanes.items():
        lines += ["", *_lane(name, lane)]
    again = point.failures[0][0] if point.failures else next(iter(sweep.seeds), None)
    return Detail(f"{sweep.name}, point {point.number}", tuple(lines), run_again(sweep, point, again))


def _lane(name: str, lane: LaneSeen) -> Iterator[str]:
    link = "" if lane.link_busy is None else f", links {share_words(lane.link_busy)} busy"
    runs = f"{lane.runs} runs together" if lane.runs > 1 else "1 run"
    yield f"{name}: {runs}, {lane.span_s:,.0f} s{link}"
    for use in lane.pools:
        busiest = f" (busiest {share_words(use.busiest)})" if use.servers > 1 else ""
        yield (
            f"  {use.servers} x {use.pool}: {share_words(use.busy)} busy{busiest}, KV {share_words(use.peak_kv)} "
            f"and batch {share_words(use.peak_batch)} at the peak, {count_text(use.preemptions)} preempted, "
            f"{count_text(use.evictions)} evicted"
        )
    for kind, group in lane.groups.items():
        yield from _group(kind, group)


def _group(kind: str, group: GroupSeen) -> Iterator[str]:
    others = [(group.failed, "failed"), (group.cancelled, "cancelled"), (group.unfinished, "unfinished")]
    told = "".join(f", {count:,} {word}" for count, word in others if count)
    yield f"  {kind}: {counted(group.turns, 'turn')}, {group.answered:,} answered{told}"
    yield "    " + ", ".join(f"{name} {ms_text(value)}" for name, value in group.times_ms.items())
    for name, budget in group.budgets.items():
        word = "-" if budget.share is None else "kept ✓" if budget.is_kept else "not kept !"
        limit = f" {budget.shown}" if budget.shown else ""
        yield (f"    {name}{limit}: {share_words(budget.share)} in time of {budget.percentile:g} % asked for, {word}")
        if len(budget.by_replica) > 1:
            yield "      by run: " + ", ".join(share_words(share) for share in budget.by_replica[:12])
    hits = share_text(group.hit_tokens / group.prompt_tokens) if group.prompt_tokens else "-"
    rate = finite(group.goodput_per_s)
    yield (
        f"    {'-' if rate is None else rate_text(rate)} turns in time per second, {count_text(group.requests)} "
        f"requests, {count_text(group.prompt_tokens)} prompt tokens ({hits} from the cache), "
        f"{count_text(group.output_tokens)} written"
    )
