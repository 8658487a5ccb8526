"""What would have been with another value of a parameter: a recording's sessions once more, on one pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from subsecond.engine.budgets import Budget
from subsecond.engine.commands import SetKnob
from subsecond.engine.comparison.compare import Comparison, KindComparison
from subsecond.engine.comparison.words import time_words
from subsecond.engine.findings import stage_words
from subsecond.engine.shares import cut_share

__all__ = ["WhatIf", "prepare", "what_if"]

PS_PER_MS = 10**9
#: Stages that are shown, those that change most, and the least change of a mean that is.
STAGES, LEAST_PS = 3, 10**8


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What came of it.

    Attributes:
        main: by agent kind the budget that counts.
        remarks: what could not be carried over.
    """

    knob: SetKnob
    comparison: Comparison
    main: dict[str, Budget]
    remarks: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """A line per measure: as it was, as it would have been, the difference."""
        if not any(found.first.answered for found in self.comparison.kinds):
            yield "No turn that began then has been answered."
            return
        yield f"{'':<30}{'was':>11}{'would be':>11}{'change':>14}"
        for found in self.comparison.kinds:
            yield f"{found.kind}"
            yield from _times(found)
            yield from _kept(found, self.main.get(found.kind))
            yield from _stages(found)


def _times(found: KindComparison) -> Iterator[str]:
    for name in ("p50", "p95"):
        times = [measures.latency_ps.get(name) for measures in (found.first, found.second)]
        if times[0] is not None and times[1] is not None:
            yield _line(name, time_words(times[0]), time_words(times[1]), _change(times[1] - times[0]))


def _kept(found: KindComparison, budget: Budget | None) -> Iterator[str]:
    if budget is None:
        return
    shares = [measures.attainment(budget.name) for measures in (found.first, found.second)]
    if shares[0] is not None and shares[1] is not None:
        points = f"{100 * (shares[1] - shares[0]):+.1f} points"
        yield _line(budget.name, cut_share(shares[0]), cut_share(shares[1]), points)


def _stages(found: KindComparison) -> Iterator[str]:
    """The stages whose mean changes most."""
    changed = [(name, change) for name, change in found.stages_ps.items() if abs(change) >= LEAST_PS]
    for name, change in changed[:STAGES]:
        means = [measures.stages_ps.get(name, 0.0) for measures in (found.first, found.second)]
        yield _line(stage_words(name), time_words(means[0]), time_words(means[1]), _change(change))
    if not changed:
        yield "  no stage changes"


def _line(name: str, was: str, would: str, change: str) -> str:
    return f"  {name:<28}{was:>11}{would:>11}{change:>14}"


def _change(ps: float) -> str:
    return f"{'+' if ps >= 0 else '-'}{time_words(abs(ps))}"


def prepare() -> None:
    """Load what a first `what_if` would have to load: programs, and the compiled core if there is one."""
    import subsecond.agents.rerun
    import subsecond.engine.comparison.compare  # noqa: F401  # for being loaded
    from subsecond.engine.core.execution import load_kernel, plan_execution

    if plan_execution(0).compiled:
        load_kernel(True)


def what_if(path: Path, knob: SetKnob, since_ps: int | None = None, until_ps: int | None = None) -> WhatIf:
    """Run a recording's sessions again on the pipeline of a knob, with its value; takes a while.

    Args:
        since_ps, until_ps: only turns that began from then on, and until then, are compared; all of them run.

    Raises:
        InputError: the pipeline cannot be built so, or the recording cannot run again.
    """
    from subsecond.agents.rerun import Changes, rerun  # what runs and draws sessions, which looking at a run needs not
    from subsecond.engine.comparison.compare import compare
    from subsecond.engine.comparison.sides import budgets_in, read_sides, sides_of
    from subsecond.engine.recording.reader import Recording
    from subsecond.engine.scenario import setting

    with Recording.open(path) as recording:
        changes = Changes((f"pipelines.{knob.lane}.{knob.key}={setting(knob.value)}",), (knob.lane,))
        again = rerun(recording, changes)
        since_ps = recording.metadata().warm_up_ps if since_ps is None else since_ps
        (was,) = read_sides(recording, "was", [knob.lane], since_ps=since_ps, until_ps=until_ps)
        budgets = budgets_in(recording.hello())
    (would,) = sides_of(again.tables, again.hello, "would be", again.end_ps, since_ps, until_ps)
    main = {budget.agents: budget for budget in reversed(budgets)}
    return WhatIf(knob, compare(was, would, budgets), main, again.remarks)
