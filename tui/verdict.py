"""A snapshot in words: who is ahead, who keeps the budgets, what a turn lacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from subsecond.engine.feed import BudgetInfo, TurnEnd
from subsecond.engine.turns import TurnState
from subsecond.tui.snapshot import PairView, Snapshot
from subsecond.tui.stats import Stats
from subsecond.tui.turnlog import Field, TurnTable
from subsecond.tui.widgets.text import share_text, stage_looks, time_text

__all__ = [
    "WAITS_FOR",
    "budget_words",
    "clock_words",
    "lead_words",
    "remedy_words",
    "usual_ps",
    "verdict",
    "whose_stage",
]

PS_PER_MS = 10**9
PS_PER_S = 10**12

#: What a turn waits for in each stage.
WAITS_FOR = {
    "audio_in": "the caller's audio to arrive",
    "endpointing": "silence that says the caller is done",
    "speech_to_text": "the transcript",
    "network": "the wire between client and service, both ways",
    "routing": "the router in front of the servers",
    "prefill_queue": "room on a prefill server",
    "prefill": "the prompt being read",
    "decode_queue": "KV memory or a place in the decode batch",
    "handoff_queue": "earlier KV caches on the link",
    "handoff": "its KV cache crossing the link",
    "decode_first": "the first token",
    "decode_rest": "the tokens after the first",
    "lost": "work that a fault destroyed",
    "retry": "the next attempt after a loss or a refusal",
    "tools": "a tool of the agent",
    "text_to_speech": "the first audible sound",
    "audio_out": "audio on its way to the caller",
}
#: Stages that no pipeline can shorten.
_OUTSIDE = ("audio_in", "endpointing", "speech_to_text", "tools", "text_to_speech", "audio_out")


def whose_stage(stage: str) -> str:
    """Who could make a stage shorter: the pipeline or the agent."""
    return "agent" if stage in _OUTSIDE else "pipeline"


def clock_words(at_ps: int) -> str:
    """Virtual time: `1:02.5`, `1:00:00.0`."""
    tenths = at_ps // (PS_PER_S // 10)
    seconds, tenth = divmod(tenths, 10)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}.{tenth}" if hours else f"{minute}:{second:02}.{tenth}"


def budget_words(budget: BudgetInfo) -> str:
    """A budget's limits: `<= 800 ms`, `TTFT <= 450 ms, TPOT <= 40 ms`."""
    named = (("", budget.turn_ps), ("TTFT ", budget.ttft_ps), ("TPOT ", budget.tpot_ps))
    return ", ".join(f"{name}<= {limit / PS_PER_MS:g} ms" for name, limit in named if limit is not None)


def _ahead(pair: PairView) -> tuple[int, int, int] | None:
    """Leader, follower and the leader's lead; None where nobody leads."""
    if not pair.turns:
        return None
    lead = pair.lead_ps or 0
    is_first = lead > 0 or (lead == 0 and pair.wins[0] >= pair.wins[1])
    return (pair.first, pair.second, lead) if is_first else (pair.second, pair.first, -lead)


def lead_words(snapshot: Snapshot, agent: int) -> tuple[str, str] | None:
    """Who leads on an agent kind, and by how much: `trn-cs3`, `by 412 ms p50 on coding, behind on 3 % of 64 turns`.

    Of more than two lanes, the two that are furthest apart. None: no turn has ended on two lanes.
    """
    kind, lanes = snapshot.hello.agents[agent], snapshot.hello.lanes
    pairs = [pair for pair in snapshot.pairs if pair.agent == agent and pair.turns]
    if not pairs:
        return None
    pair = max(pairs, key=lambda p: abs(p.lead_ps or 0))
    leader = _ahead(pair)
    if leader is None:
        return None
    first, second, lead = leader
    if lead == 0 and pair.wins[0] == pair.wins[1]:
        return f"{lanes[first].name} and {lanes[second].name} even", f"on {kind}"
    behind = pair.wins[1 if first == pair.first else 0] / pair.turns
    turns = f"{pair.turns:,} turn" if pair.turns == 1 else f"{pair.turns:,} turns"
    text = f"by {time_text(lead)} p50 on {kind}, " + (
        f"behind on {share_text(behind)} of {turns}" if behind else f"on each of {turns}"
    )
    return (f"{lanes[first].name} ahead" + (f" of {lanes[second].name}" if len(lanes) > 2 else "")), text


def _is_kept(budget: BudgetInfo, share: float | None) -> bool:
    return share is not None and 100 * share >= budget.percentile


def _keepers(snapshot: Snapshot, agent: int) -> str | None:
    """Which lanes keep every budget of a kind, over the window; None: there is no budget, or no turn yet."""
    budgets = dict(snapshot.budgets_of(agent))
    seen = [lane for lane in snapshot.lanes if lane.now[agent].kept and lane.now[agent].turns]
    if not budgets or not seen:
        return None
    keep = [lane.info.name for lane in seen if _all_kept(lane.now[agent], budgets)]
    if len(keep) == len(seen) > 1:
        return "both keep" if len(seen) == 2 else "all keep"
    if keep:
        return f"{' and '.join(keep)} {'keeps' if len(keep) == 1 else 'keep'}"
    return "nobody keeps" if len(seen) > 1 else f"{seen[0].info.name} misses"


def _all_kept(stats: Stats, budgets: dict[int, BudgetInfo]) -> bool:
    return all(_is_kept(budgets[kept.budget], kept.share) for kept in stats.kept)


def verdict(snapshot: Snapshot) -> str:
    """The run by now: who is ahead on which kind of agents, and who keeps the budgets of the last minute."""
    parts: list[str] = []
    leads: dict[str, list[str]] = {}
    keepers: dict[str, list[str]] = {}
    for agent, kind in enumerate(snapshot.hello.agents):
        lead = lead_words(snapshot, agent)
        if lead is not None:
            leads.setdefault(lead[0], []).append(lead[1])
        who = _keepers(snapshot, agent)
        if who is not None:
            keepers.setdefault(who, []).append(kind)
    for who, texts in leads.items():
        parts.append(f"{who} {'; '.join([texts[0], *(text.replace(' p50 ', ' ') for text in texts[1:])])}")
    for who, kinds in keepers.items():
        is_all = len(kinds) == len(snapshot.hello.agents)
        parts.append(f"{who} the budgets" if is_all else f"{who} the budget of {' and '.join(kinds)}")
    if not parts:
        return "No turn has ended yet: the first ones are under way."
    return (
        ". ".join(part[0].upper() + part[1:] if part[:4] in ("both", "all ", "nobo") else part for part in parts) + "."
    )


def usual_ps(log: TurnTable, agent: int, met: Sequence[int]) -> list[int]:
    """Median of each stage over the turns of a kind that met some budgets; over all answered ones if none did."""
    own = (log.of(Field.AGENT) == agent) & (log.of(Field.STATE) == TurnState.ANSWERED)
    good = own & (log.met[list(met)] == 1).all(axis=0) if met else own
    pick = good if good.any() else own
    if not pick.any():
        return [0] * log.num_stages
    usual: list[int] = np.median(log.stages_ps[:, pick], axis=1).astype(np.int64).tolist()
    return usual


def remedy_words(snapshot: Snapshot, turn: TurnEnd) -> Iterator[str]:
    """For each budget that a turn missed: by how much, and what would have met it."""
    log = snapshot.lanes[turn.lane].log
    for place, budget in snapshot.budgets_of(turn.agent):
        if turn.met[place] == 1:
            continue
        if turn.state == TurnState.FAILED:
            yield f"{budget.name}: failed after {time_text(turn.latency_ps)}; a failed turn meets no budget"
            continue
        if turn.state == TurnState.CANCELLED:
            yield f"{budget.name}: given up after {time_text(turn.latency_ps)}; it does not count"
            continue
        if budget.turn_ps is None or turn.latency_ps <= budget.turn_ps:
            yield f"{budget.name}: missed {budget_words(budget)}"
            continue
        over = turn.latency_ps - budget.turn_ps
        usual = usual_ps(log, turn.agent, [place])
        yield f"{budget.name}: over by {time_text(over)}; {_remedy(snapshot, turn, over, usual)}"


def _remedy(snapshot: Snapshot, turn: TurnEnd, over: int, usual: Sequence[int]) -> str:
    """The one or two stages that, at their usual time, would have saved enough; else those that exceed it the most."""
    labels = [look.label for look in stage_looks(snapshot.hello.stages)]
    excess = sorted(((turn.stages_ps[i] - usual[i], i) for i in range(len(labels))), reverse=True)
    saved, parts = 0, []
    for more, stage in excess[:2]:
        if more <= 0:
            break
        took = turn.stages_ps[stage]
        parts.append(f"{labels[stage]} {time_text(took - min(more, over - saved))} instead of {time_text(took)}")
        saved += min(more, over - saved)
        if saved >= over:
            return "met with " + " and ".join(parts)
    longer = [f"{labels[stage]} by {time_text(more)}" for more, stage in excess[:3] if more > 0]
    if longer:
        return "no two stages alone would do; above their usual time are " + ", ".join(longer)
    longest = max(range(len(labels)), key=lambda i: turn.stages_ps[i])
    return f"every stage took its usual time; the longest is {labels[longest]}, {time_text(turn.stages_ps[longest])}"
