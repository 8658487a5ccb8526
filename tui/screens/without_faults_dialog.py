"""What the faults of a recording did, with and without them: the same sessions, turn by turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from subsecond.engine.drills.windows import FOREVER
from subsecond.engine.errors import InputError
from subsecond.tui.screens.dialogs import Dialog
from subsecond.tui.widgets.text import clean, fit, share_text, time_text
from subsecond.tui.without_faults import LaneImpact, WithoutFaults, without_faults

if TYPE_CHECKING:
    from subsecond.tui.app import SubsecondApp

__all__ = ["WithoutFaultsDialog", "ask_without_faults", "impact_lines"]


def ask_without_faults(app: SubsecondApp) -> None:
    """Show what the faults of the recording on the screen did; say so if nothing broke in it."""
    replay = app.travel.replay
    if replay is None:
        return
    try:
        has_faults = replay.has_faults
    except InputError as error:
        app.notify(str(error), severity="error", markup=False)
        return
    if has_faults:
        app.push_screen(WithoutFaultsDialog(replay.path))
    else:
        what = "Nothing has broken in this run so far" if app.travel.is_past else "Nothing broke in this recording"
        app.notify(f"{what}: there are no faults to leave out.", markup=False)


class WithoutFaultsDialog(Dialog):
    """Runs the recording again, in a thread, and shows what its faults did."""

    ABOUT = (
        "The sessions of the recording once more, without any of its faults, on the pipelines that they struck: "
        "sessions begin when they began, agents wait as long after a reply as they did. So every turn has a twin in "
        "which nothing broke, which a live run has not: this is with and without, as `subsecond drill` has it. "
        "Broken: turns that met the first budget of their kind without the faults and missed it or failed with "
        "them, by whether they began before the first fault, while one lasted, or later; thanks to them in time: "
        "the other way round; lost: failed with them alone; put off: did not begin before the end. As before: from "
        "the first fault until p95 was back."
    )

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def compose(self) -> ComposeResult:
        with Vertical() as box, VerticalScroll():
            box.border_title = "What if nothing had broken? (escape closes)"
            yield Static("Running it again without its faults…", id="outcome", markup=False)

    def on_mount(self) -> None:
        self.run_worker(self._find_out(), exit_on_error=False, exclusive=True)

    async def _find_out(self) -> None:
        try:
            found = await asyncio.to_thread(without_faults, self._path)
        except InputError as error:
            self.query_one("#outcome", Static).update(clean(str(error)))
            return
        self.query_one("#outcome", Static).update("\n".join(map(clean, impact_lines(found))))


def impact_lines(found: WithoutFaults) -> Iterator[str]:
    """A line per measure: without the faults, with them."""
    for lane, faults in found.faults.items():
        counted = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        yield f"{lane}: {counted}"
        yield _line("", "without", "with")
        for one in found.impacts:
            if one.lane == lane:
                yield from _kind_lines(one)
        yield ""
    yield from found.remarks


def _kind_lines(one: LaneImpact) -> Iterator[str]:
    impact, recovery = one.impact, one.recovery
    yield one.kind if one.budget is None else f"{one.kind}, held against {one.budget.name}"
    yield _line("turns", *map("{:,}".format, impact.turns))
    yield _line("in time", *map(share_text, impact.attainment))
    yield _line("failed", *map("{:,}".format, impact.failed))
    yield _line("longest", *map(time_text, impact.longest_ps))
    early, during, late = impact.broken_before, impact.broken_during, impact.broken_after
    yield f"  broken {impact.broken:,}: {early:,} begun before, {during:,} during, {late:,} after"
    yield f"  thanks to them in time {impact.mended:,}; lost {impact.lost:,}; put off {impact.put_off:,}"
    yield _line("p95 before, at worst", _took(recovery.before_ps), _took(recovery.worst_ps))
    yield f"  {_back(recovery.after_ps)}, by windows of {time_text(recovery.width_ps)}"


def _took(ps: int | None) -> str:
    return "lost" if ps is not None and ps >= FOREVER else time_text(ps)


def _back(after_ps: int | None) -> str:
    if after_ps is None:
        return "not as before by the end"
    return "never left" if not after_ps else f"as before after {time_text(after_ps)}"


def _line(name: str, without: str, with_faults: str) -> str:
    return f"  {fit(name, 24)}{without:>12}{with_faults:>12}"
