"""`subsecond rerun`: a recording once more with something changed, compared with what was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from subsecond.agents.rerun import Changes, Rerun, rerun
from subsecond.engine.comparison.sides import budgets_in, read_sides, sides_of
from subsecond.engine.recording.places import check_target
from subsecond.engine.recording.reader import Recording

from .compare import compare_sides, read_window, show_outcome
from .grid import output_console, print_point
from .output import check_writable

__all__ = ["rerun_command"]

#: What the other side of the comparison is called.
AGAIN = "re-run"


def rerun_command(
    *,
    file: Path,
    changes: Changes,
    lanes: Sequence[tuple[str, str]],
    budget: str | None,
    since: str | None,
    until: str | None,
    record: Path | None,
    json_out: Path | None,
) -> None:
    """Run a recording's sessions again and show what differs.

    Raises:
        InputError: the file or an option cannot be used.
    """
    if json_out is not None:
        check_writable(json_out)
    if record is not None:
        check_target(record, "--record")
    window = read_window(since, until)
    with Recording.open(file) as recording:
        digest = recording.metadata().digest
        again = rerun(recording, changes)
        before = read_sides(recording, file.name, since_ps=window[0], until_ps=window[1])
        budgets = budgets_in(recording.hello())
    if record is not None:
        again.write(record, "--record")
    begin = again.plan.from_ps if window[0] is None else window[0]
    after = list(sides_of(again.tables, again.hello, AGAIN, again.end_ps, begin, window[1]))
    told = list(lanes) or _pairs([side.lane for side in before], [side.lane for side in after])
    comparisons, main = compare_sides([before, after], told, [*budgets, *budgets_in(again.hello)], budget)
    console = output_console()
    if str(json_out) != "-":
        for text in _remarks(again, changes, digest):
            print_point(console, text)
    show_outcome(comparisons, main, json_out, console)


def _pairs(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, str]]:
    """Lanes by name; one that the recording lacks is held against its first."""
    return [(name if name in before else before[0], name) for name in after]


def _remarks(again: Rerun, changes: Changes, digest: str | None) -> list[str]:
    found = list(again.remarks)
    if changes.is_none and again.digest is not None and again.digest == digest:
        found.append(f"Nothing is changed, and nothing came out differently: digest {digest}.")
    return [text[:1].upper() + text[1:] for text in found]
