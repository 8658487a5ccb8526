"""The first message about a run: what it is made of, from its plan."""

from __future__ import annotations

from subsecond.engine.catalog import Catalog, catalog
from subsecond.engine.core.config import Pipeline
from subsecond.engine.core.layout import server_names
from subsecond.engine.core.results import STAGES
from subsecond.engine.economics.told import parts_told, services_told
from subsecond.engine.feed import VERSION, BudgetInfo, Hello, LaneInfo, ParameterInfo, ServerInfo
from subsecond.engine.latency.pipelines import BuiltPipeline
from subsecond.engine.run import Plan
from subsecond.engine.turns import TOOLS

__all__ = ["hello_of", "link_tokens_per_s"]

PS_PER_S = 10**12


def hello_of(plan: Plan, run: str, recording: str) -> Hello:
    """The first message about a run of a plan.

    Args:
        run: its id.
        recording: path of its recording.
    """
    scenario, work = plan.scenario, plan.workload
    facts = Catalog(scenario.catalog, scenario.where) if scenario.catalog else catalog()
    return Hello(
        version=VERSION,
        run=run,
        scenario=scenario.name,
        title=scenario.title,
        seed=scenario.seed,
        agents=tuple(work.kinds),
        stages=(*work.before_ps, *STAGES, TOOLS, *work.after_ps),
        lanes=tuple(_lane_info(name, built, facts) for name, built in plan.pipelines.items()),
        budgets=tuple(
            BudgetInfo(b.name, b.agents, b.turn_ps, b.ttft_ps, b.tpot_ps, b.percentile, b.source) for b in plan.budgets
        ),
        duration_ps=None if scenario.duration_s is None else round(scenario.duration_s * PS_PER_S),
        recording=recording,
        services=services_told([built.model for built in plan.pipelines.values()], facts),
        tables={key: table for key, table in scenario.tables.items() if key != "replies"},
    )


def _lane_info(name: str, built: BuiltPipeline, facts: Catalog) -> LaneInfo:
    core = built.core
    pools = [pool for pool in (core.entry, core.decode, core.fallback) if pool for _ in range(pool.num_servers)]
    return LaneInfo(
        name=name,
        label=built.label,
        model=built.model,
        status=built.status,
        servers=tuple(
            ServerInfo(
                server,
                server.partition("[")[0],
                pool.capacity_units // pool.units_per_token,
                pool.max_seqs,
                link_tokens_per_s(core) if pool is core.decode else 0.0,
            )
            for server, pool in zip(server_names(core), pools, strict=True)
        ),
        parameters=tuple(
            ParameterInfo(key, value.shown, value.unit, value.provenance, value.source)
            for key, value in built.parameters.items()
        ),
        parts=parts_told(built, facts),
    )


def link_tokens_per_s(pipeline: Pipeline) -> float:
    """KV tokens per second that the link into a decode server carries at its full rate; 0: there is none to speak of.

    A token has `units_per_token` units, and a unit takes `unit_ps` at the full rate. The units that a sequence has
    beside its tokens' are carried too and count as tokens. Fewer than `fill_quarters / 4` flows do not fill the link:
    one alone moves 4 / `fill_quarters` of this.
    """
    link = pipeline.link
    if link is None or link.unit_ps == 0:
        return 0.0
    return PS_PER_S / (link.unit_ps * pipeline.entry.units_per_token)
