"""The tables of a drill: what became of the turns, when and for how long, the work, and each policy."""

from __future__ import annotations

from collections.abc import Sequence

from subsecond.engine.drills.reading import HeldDoc, KindDoc, LaneDoc, RecoveryDoc, StudyDoc
from subsecond.engine.shares import cut_share

from .figures import LANE_COLOURS
from .markup import Html, element
from .tables import NONE, table

__all__ = ["fates_table", "kinds_of", "of_kind", "policies_table", "times_table", "work_table"]


def kinds_of(drill: HeldDoc) -> list[str]:
    """The agent kinds that a drill was felt by."""
    return list(dict.fromkeys(kind for lane in drill.pipelines.values() for kind in lane.by_agents))


def of_kind(drill: HeldDoc, kind: str) -> list[tuple[str, KindDoc]]:
    """What it did to a kind, by pipeline."""
    return [(name, lane.by_agents[kind]) for name, lane in drill.pipelines.items() if kind in lane.by_agents]


def _name(names: Sequence[str], name: str) -> Html:
    """A pipeline with its colour."""
    colour = LANE_COLOURS[names.index(name) % len(LANE_COLOURS)]
    return element("span", element("i", class_="dot", style=f"background:{colour}"), name, class_="name")


def fates_table(drill: HeldDoc) -> Html:
    """What became of the turns, a row per agent kind and pipeline."""
    names, rows = list(drill.pipelines), []
    for kind in kinds_of(drill):
        for i, (name, found) in enumerate(of_kind(drill, kind)):
            lost, broken, put_off = _counts(found)
            cells = (f"{found.turns[0]:,}", lost, broken, f"{found.mended:,}", put_off)
            rows.append([kind if not i else "", _name(names, name), *cells, *map(_share, found.attainment)])
    heads = ("agents", "pipeline", "turns", "lost", "over budget", "met instead", "put off")
    return table((*heads, "in budget without", "with it"), rows, numbers=range(2, 9))


def times_table(drill: HeldDoc) -> Html:
    """When the turns began that are over budget because of it, and how long users waited."""
    names, rows = list(drill.pipelines), []
    for kind in kinds_of(drill):
        for i, (name, found) in enumerate(of_kind(drill, kind)):
            began = found.broken_by_start
            counts = [f"{count:,}" for count in (began.before, began.during, began.after)]
            p95s = (_before(found.recovery), _worst(found.recovery))
            rows.append([kind if not i else "", _name(names, name), *counts, *p95s, *_waits(found)])
    heads = ("agents", "pipeline", "began before", "during", "after", "p95 before", "at worst")
    return table((*heads, "longest turn", "silence", "back after"), rows, numbers=range(2, 10))


def _counts(found: KindDoc) -> list[str]:
    return [f"{found.lost:,}", f"{found.broken:,}", f"{found.put_off - found.brought_forward:,}"]


def _share(share: float | None) -> str:
    return NONE if share is None else cut_share(share)


def _waits(found: KindDoc) -> list[str]:
    return [_time(found.longest_turn_ms[1]), _time(found.longest_silence_ms[1]), _back(found.recovery)]


def _time(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms < 1000 else f"{ms / 1000:,.2f} s" if ms < 100_000 else f"{ms / 1000:,.0f} s"


def _before(recovery: RecoveryDoc) -> str:
    return NONE if recovery.p95_before_ms is None else _time(recovery.p95_before_ms)


def _worst(recovery: RecoveryDoc) -> str:
    if recovery.worst_is_failure:
        return "failure"
    return NONE if recovery.worst_p95_ms is None else _time(recovery.worst_p95_ms)


def _back(recovery: RecoveryDoc) -> str:
    if recovery.p95_before_ms is None:
        return "no turns before"
    after = recovery.after_s
    return "not within the run" if after is None else f"{after:,.0f} s" if after else "never away"


def work_table(drill: HeldDoc) -> Html:
    """What the servers did over again, a row per pipeline."""
    names, rows = list(drill.pipelines), []
    for name, lane in drill.pipelines.items():
        work = lane.work
        if work is not None:
            counts = (work.computed_again_tokens, work.cold_cache_tokens, work.repeated_tokens, work.spared_tokens)
            more = (work.struck_turns[1] - work.struck_turns[0], work.attempts[1] - work.attempts[0])
            sent = [f"{tokens:,}" if any(work.handed_over_tokens) else NONE for tokens in work.handed_over_tokens]
            rows.append([_name(names, name), *(f"{count:,}" for count in (*counts, *more)), *sent])
    heads = ("tokens", "computed again", "cold caches", "lost work", "spared", "turns struck", "attempts lost")
    return table((*heads, "KV without", "with it"), rows, numbers=range(1, 9))


def policies_table(document: StudyDoc, place: int) -> Html:
    """One drill under each policy, a row per agent kind, pipeline and policy."""
    drill, rows = document.drills[place], list[list[str]]()
    for kind in kinds_of(drill):
        for name, _ in of_kind(drill, kind):
            for i, policy in enumerate(document.policies):
                lane = policy.drills[place].pipelines.get(name) if policy.drills else None
                first = ("", "") if i else (kind, _name(list(drill.pipelines), name))
                rows.append([*first, element("span", policy.policy, class_="name"), *_policy_cells(lane, kind)])
    heads = ("agents", "pipeline", "policy", "lost", "over budget", "put off", "in budget")
    return table((*heads, "longest", "silence", "back after", "recomputed"), rows, numbers=range(3, 11))


def _policy_cells(lane: LaneDoc | None, kind: str) -> list[str]:
    found = None if lane is None else lane.by_agents.get(kind)
    if lane is None or found is None:
        return [NONE] * 8
    again = NONE if lane.work is None else f"{lane.work.computed_again_tokens:,}"
    return [*_counts(found), _share(found.attainment[1]), *_waits(found), again]
