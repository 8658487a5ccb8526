"""`subsecond recordings`: what has been recorded, youngest first; clears it away, saves what is damaged."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import typer

from subsecond.engine.errors import InputError
from subsecond.engine.recording.listing import Listed, list_recordings
from subsecond.engine.recording.places import recordings_folder
from subsecond.engine.recording.pruning import Rule, prunable, prune
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.rescue import rescue
from subsecond.tui.widgets.text import clean, fit, share_text, width_of

from .show import size_words

__all__ = ["prune_recordings", "rescue_recording", "show_recordings"]

PS_PER_S = 10**12


def show_recordings(folder: Path | None) -> None:
    """Print the recordings of a folder.

    Raises:
        InputError: the folder cannot be read.
    """
    place = recordings_folder() if folder is None else folder
    found = list_recordings(place)
    if not found:
        typer.echo(f"no recordings in {place}; `subsecond run --record FILE` makes one")
        return
    typer.echo(f"{place}:")
    for row in _aligned([_row(listed) for listed in found]):
        typer.echo(row)


def rescue_recording(path: Path, out: Path) -> None:
    """Save what can be read of a damaged recording, and say what that is.

    Raises:
        InputError: nothing can be saved, or the new recording cannot be written.
    """
    found = rescue(path, out)
    rows = ", ".join(f"{count:,} {table}" for table, count in found.rows.items() if count) or "no rows"
    typer.echo(f"{out}: {rows}")
    if found.is_whole:
        typer.echo("no damage was met: every row could be read")
    else:
        places = f"{found.gaps:,} place{'s' if found.gaps != 1 else ''}"
        typer.echo(f"rows could not be read in {places}; {found.dropped:,} rows held what no recording holds")


def prune_recordings(
    *, folder: Path | None, older_than: str | None, keep: int | None, temporary: bool, dry_run: bool, yes: bool
) -> None:
    """Clear recordings away, after a look at which, and if the user says so.

    Raises:
        InputError: an option that cannot be used, none that says which, or nobody to ask.
    """
    rule = Rule(None if older_than is None else _age_s(older_than), keep, temporary)
    if rule.is_empty:
        raise InputError("recordings prune", "", "nothing", "--older-than, --keep or --temporary, to say which may go")
    if keep is not None and keep < 0:
        raise InputError("--keep", "", keep, "a whole number from 0")
    place = recordings_folder() if folder is None else folder
    chosen = prunable(list_recordings(place), rule, time.time())
    if not chosen:
        typer.echo(f"nothing to clear away in {place}")
        return
    for row in _aligned([_row(listed) for listed in chosen]):
        typer.echo(row)
    what = f"{len(chosen)} recording{'s' if len(chosen) != 1 else ''}, {size_words(sum(x.size_bytes for x in chosen))}"
    if dry_run:
        typer.echo(f"{what} would go")
        return
    if not yes and not _is_wanted(f"Delete {what}?"):
        return
    gone = [listed for listed in chosen if prune(listed)]
    left = (
        "" if len(gone) == len(chosen) else f"; {len(chosen) - len(gone)} stay: they are in use, or cannot be deleted"
    )
    typer.echo(f"{len(gone)} deleted, {size_words(sum(listed.size_bytes for listed in gone))}{left}")


def _is_wanted(question: str) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("recordings prune", "", "no terminal to ask on", "--yes, or --dry-run")
    return typer.confirm(question)


def _age_s(text: str) -> float:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", text.strip(), re.ASCII)
    if not found:
        raise InputError("--older-than", "", text, "a time such as 7d, 12h, 30m or 90s")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def _row(listed: Listed) -> tuple[str, ...]:
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(listed.created_unix_s))
    name, size = clean(listed.path.name), size_words(listed.size_bytes)
    if listed.problem:
        return name, began, size, "", "", clean(listed.problem)
    lasted = f"{listed.duration_ps / PS_PER_S:,.0f} s {'live' if listed.driver == 'live' else 'virtual'}"
    what = f"{listed.scenario}: {' vs '.join(listed.lanes)}{_verdict(listed)}"
    ended = "" if listed.is_finished else " (being written)" if listed.is_being_written else " (cut off)"
    return name, began, size, lasted, f"{listed.num_turns:,} turns", clean(what + ended)


def _verdict(listed: Listed) -> str:
    """The share of turns within every budget, by pipeline."""
    try:
        with Recording.open(listed.path) as recording:
            shares = recording.within_budgets() if recording.hello().budgets else []
    except InputError:  # gone meanwhile
        return ""
    words = [share_text(good / turns) if turns else "-" for good, turns in shares]
    return f", {' vs '.join(words)} within budgets" if any(turns for _, turns in shares) else ""


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows with their columns below each other."""
    widths = [max(width_of(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return ["  ".join([*map(fit, row, widths), row[-1]]) for row in rows]
