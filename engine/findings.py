"""What a run says, in a few sentences: who is ahead, what is missed and why, what is full, what a fault cost.

Each sentence is computed from the run's own numbers and holds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .core.config import Fault, FaultKind, Pool, Role
from .core.results import STAGES, ServerCounters
from .metrics import BudgetOutcome, Group
from .run import Lane, Run
from .turns import TOOLS, TurnState

__all__ = ["counted", "findings_of", "stage_words"]

PS_PER_MS = 10**9
PS_PER_S = 10**12
MOST = 5

_WORDS = {
    "decode_first": "decode to the first token",
    "decode_rest": "decode after the first token",
    "handoff": "KV handoff",
    "lost": "work lost to faults",
}


def stage_words(stage: str) -> str:
    """A stage's name for people."""
    return _WORDS.get(stage, stage.replace("_", " "))


def counted(count: int, noun: str) -> str:
    """A number of things in words: `1 turn`, `2,000 turns`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def findings_of(run: Run) -> list[str]:
    """At most five sentences, the weightiest first."""
    found = [*_ahead(run), *_faults(run), *_missed(run), *_full(run), *_floor(run), *_cached(run)]
    return [sentence for _, sentence in sorted(found, key=lambda f: -f[0])][:MOST]


Weighted = Iterator[tuple[float, str]]


def _ahead(run: Run) -> Weighted:
    for paired in run.paired[:1]:
        for kind, duel in paired.kinds.items():
            total = sum(duel.wins) + duel.ties
            if not total or duel.ratio is None or (kind == "all" and len(paired.kinds) > 1):
                continue
            winner = 0 if duel.wins[0] >= duel.wins[1] else 1
            ratio = duel.ratio if winner == 0 else 1 / max(duel.ratio, 1e-9)
            first, second = paired.names[winner], paired.names[1 - winner]
            text = f"{first} answers {_share(duel.wins[winner], total)} of the {kind} turns sooner than {second}"
            if duel.ties > total // 100:
                text += f" and {_share(duel.ties, total)} in the same time"
            if ratio < 0.995:
                text += f"; at the median it needs {ratio:.2f} of {second}'s time"
            elif ratio > 1.005:
                text += f", though at the median it needs {ratio:.2f} times {second}'s time"
            yield 3.0, text + "."


def _missed(run: Run) -> Weighted:
    for name, lane in run.lanes.items():
        for kind, group in lane.groups.items():
            if kind == "all" and len(lane.groups) > 1:
                continue
            worst = [o for o in group.budgets if o.missed and not o.is_kept]
            if not worst:
                continue
            outcome = max(worst, key=lambda o: o.missed)
            share = outcome.missed / (outcome.met + outcome.missed)
            yield 2.0 + share, _missed_sentence(name, kind, group, outcome)


def _missed_sentence(name: str, kind: str, group: Group, outcome: BudgetOutcome) -> str:
    total = outcome.met + outcome.missed
    text = f"{name} misses {outcome.budget.name} in {_share(outcome.missed, total)} of {counted(total, f'{kind} turn')}"
    if outcome.excess_ps is not None:
        text += f", by {_time(outcome.excess_ps)} at the median"
    if outcome.blame:
        stage, count = next(iter(outcome.blame.items()))
        share = _share(count, sum(outcome.blame.values()))
        text += f"; in {share} of them {stage_words(stage)} is what exceeds the turns in time the most"
    if group.failed:
        text += f"; {counted(group.failed, 'turn')} failed"
    return text + "."


def _full(run: Run) -> Weighted:
    """KV memory that ran full, in sessions of this run's own size, and what was evicted before it could be reused."""
    for name, lane in run.lanes.items():
        core, servers = lane.pipeline.core, lane.results.servers
        begin = 0
        for pool, queue in ((core.entry, "prefill_queue"), (core.decode, "decode_queue")):
            if pool is None:
                continue
            own = servers[begin : begin + pool.num_servers]
            begin += pool.num_servers
            if pool.role is Role.PREFILL or not any(_is_full(server) for server in own):
                continue
            where = "decode KV memory" if pool.role is Role.DECODE else "KV memory"
            held = counted(_sessions_held(lane, pool), "session")
            text = (
                f"{name}: {where} holds {held} of this run's mean context at a time "
                f"({pool.num_servers} x {pool.capacity_units // pool.units_per_token:,} tokens), and it ran full"
            )
            preempted = sum(server.preemptions for server in own)
            if preempted:
                text += f"; {counted(preempted, 'preemption')}"
            if lane.whole.stages_ps:
                largest = lane.whole.largest_stage([s for s in STAGES if s in lane.whole.stages_ps])
                if largest == queue:
                    text += f"; waiting for it ({stage_words(queue)}) is the largest stage"
            yield 2.2, text + "."
        evicted = sum(server.evictions for server in servers)
        wanted, found = _reuse(lane)
        if evicted and found < 0.9 * wanted:
            yield (
                1.8,
                f"{name} evicted {counted(evicted, 'idle session')} for room: of the prompt tokens that a session had "
                f"sent before, {_share(wanted - found, wanted)} had to be computed again.",
            )


def _reuse(lane: Lane) -> tuple[int, int]:
    """Prompt tokens that could have been reused, and those found in a cache, over the requests that ended."""
    done = lane.results.finish_ps >= 0
    wanted = lane.turns.workload.reuse_tokens[done]
    found = np.minimum(lane.results.hit_tokens[done], wanted)
    return int(wanted.sum(dtype=np.int64)), int(found.sum(dtype=np.int64))


def _is_full(server: ServerCounters) -> bool:
    return server.preemptions > 0 or server.peak_used_units >= 0.95 * server.capacity_units


def _sessions_held(lane: Lane, pool: Pool) -> int:
    workload = lane.turns.workload
    tokens = float(workload.prompt_tokens.mean(dtype=np.float64) + workload.output_tokens.mean(dtype=np.float64))
    units = tokens * pool.units_per_token + pool.fixed_units
    return int(pool.capacity_units // units) * pool.num_servers


def _floor(run: Run) -> Weighted:
    """Stages that no pipeline can shorten and that take most of a budget."""
    lane = next(iter(run.lanes.values()))
    outside = [*lane.turns.workload.before_ps, *lane.turns.workload.after_ps, TOOLS]
    for kind, group in lane.groups.items():
        if kind == "all" and len(lane.groups) > 1:
            continue
        fixed = {s: group.stages_ps[s][0] for s in outside if s in group.stages_ps and group.stages_ps[s][0] > 0}
        limits = [o.budget for o in group.budgets if o.budget.turn_ps is not None]
        if not fixed or not limits:
            continue
        budget = max(limits, key=lambda b: b.turn_ps or 0)
        share = sum(fixed.values()) / (budget.turn_ps or 1)
        if share > 0.3:
            largest = sorted(fixed, key=lambda s: -fixed[s])[:3]
            names = ", ".join(f"{stage_words(s)} {_time(fixed[s])}" for s in largest)
            yield (
                1.5 + min(share, 1.0),
                f"What no pipeline can shorten takes {_time(sum(fixed.values()))} of a {kind} turn on average "
                f"({names}); {budget.name} allows {_time(budget.turn_ps or 0)}.",
            )


def _cached(run: Run) -> Weighted:
    shares = {}
    for name, lane in run.lanes.items():
        done = lane.results.finish_ps >= 0
        prompt = int(lane.turns.workload.prompt_tokens[done].sum(dtype=np.int64))
        if prompt:
            shares[name] = int(lane.results.hit_tokens[done].sum(dtype=np.int64)) / prompt
    if shares and max(shares.values()) > 0.02:
        text = ", ".join(f"{share:.1%} on {name}" for name, share in shares.items())
        weight = 1.2 + min(1.0, max(shares.values()) - min(shares.values()))
        yield weight, f"Prompt tokens found in a prefix cache: {text}."


def _faults(run: Run) -> Weighted:
    """For each lane with faults: turns that were under way while something was broken, and what became of them."""
    for name, lane in run.lanes.items():
        turns = lane.turns
        if not lane.faults or lane.faults[0].at_ps > turns.stop_ps:
            continue
        begin, end = lane.faults[0].at_ps, min(_mended_ps(lane.faults, turns.stop_ps), turns.stop_ps)
        is_open = turns.state == TurnState.PENDING
        until = np.where(is_open, np.iinfo(np.int64).max, turns.start_ps + turns.latency_ps)
        inside = (turns.start_ps >= 0) & (turns.start_ps <= end) & (until > begin)
        hit = int(np.count_nonzero(inside))
        stuck = int(np.count_nonzero(inside & is_open))
        failed = int(np.count_nonzero(turns.state == TurnState.FAILED))
        retried = int(np.count_nonzero(lane.results.attempts > 0))
        text = (
            f"{name}: the faults from {begin / PS_PER_S:,.6g} s to {end / PS_PER_S:,.6g} s touch {counted(hit, 'turn')}"
        )
        text += f"; {counted(retried, 'request')} lost work or {'was' if retried == 1 else 'were'} refused"
        text += f", {counted(failed, 'turn')} failed"
        if stuck:
            text += f", {counted(stuck, 'turn')} had no answer when the run stopped"
        slow = _recovery_ps(lane, begin, end)
        if slow is not None and not stuck:
            text += f"; turns are back to their usual time {_time(slow)} after the first fault"
        yield 2.8, text + "."


def _mended_ps(faults: Sequence[Fault], stop_ps: int) -> int:
    """When the last fault is mended; the end of the run, if one never is."""
    broken: set[tuple[FaultKind, int]] = set()
    mended = 0
    for fault in faults:
        if fault.kind is FaultKind.STALL_UNTIL:
            mended = max(mended, fault.value)
        elif _mends(fault):
            broken.discard((_BEGUN_BY.get(fault.kind, fault.kind), fault.target))
            mended = max(mended, fault.at_ps)
        else:
            broken.add((fault.kind, fault.target))
    return stop_ps if broken else mended


_BEGUN_BY = {FaultKind.SERVER_UP: FaultKind.SERVER_DOWN}


def _mends(fault: Fault) -> bool:
    healthy = {FaultKind.SERVER_SLOW: 64, FaultKind.LINK_RATE: 64, FaultKind.HANDOFF_LOSS: 0, FaultKind.THROTTLE: 0}
    return fault.kind is FaultKind.SERVER_UP or healthy.get(fault.kind) == fault.value


def _recovery_ps(lane: Lane, begin: int, mended: int) -> int | None:
    """From the first fault to the end of the backlog that it leaves; None: unknown, or no turn was slow.

    The backlog is the turns that the pipeline took unusually long for and that begin before the last fault is mended,
    or before another turn of the backlog ends. Unusual is twice the time that all but 1 % of the turns before the fault
    took, without the stages outside the pipeline.
    """
    turns = lane.turns
    answered = turns.state == TurnState.ANSWERED
    end = turns.start_ps + turns.latency_ps
    own = turns.latency_ps.copy()
    for stage in (*turns.workload.before_ps, *turns.workload.after_ps, TOOLS):
        own -= turns.stage_ps(stage)
    before = own[answered & (end < begin)]
    if len(before) < 20:
        return None
    usual = int(np.quantile(before, 0.99))
    slow = np.flatnonzero(answered & (end >= begin) & (own > 2 * usual))
    until, last = mended, None
    for turn in slow[np.argsort(turns.start_ps[slow], kind="stable")]:
        if turns.start_ps[turn] > until:
            break
        last = max(last or 0, int(end[turn]))
        until = max(until, last)
    return None if last is None else last - begin


def _share(part: int, whole: int) -> str:
    share = 100 * part / whole
    if part in (0, whole) or 1 <= share <= 99:
        return f"{share:.0f} %"
    return f"{share:.2g} %" if share < 1 else f"{min(share, 99.9):.1f} %"


def _time(ps: float) -> str:
    ms = ps / PS_PER_MS
    if ms < 10:
        return f"{ms:.2g} ms"
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.3g} s" if ms < 999_500 else f"{ms / 1000:,.0f} s"
