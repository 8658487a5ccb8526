"""`subsecond recordings`: what has been recorded, youngest first."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from subsecond.engine.recording.listing import Listed, list_recordings
from subsecond.engine.recording.places import recordings_folder
from subsecond.engine.recording.rescue import rescue

__all__ = ["rescue_recording", "show_recordings"]

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
    rows = [_row(listed) for listed in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        typer.echo("  ".join([cell.ljust(width) for cell, width in zip(row, widths, strict=False)] + [row[-1]]))


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


def _row(listed: Listed) -> tuple[str, ...]:
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(listed.created_unix_s))
    if listed.problem:
        return listed.path.name, began, "", "", listed.problem
    lasted = f"{listed.duration_ps / PS_PER_S:,.0f} s {'live' if listed.driver == 'live' else 'virtual'}"
    what = f"{listed.scenario}: {' vs '.join(listed.lanes)}"
    ended = "" if listed.is_finished else " (being written)" if listed.is_being_written else " (cut off)"
    return listed.path.name, began, lasted, f"{listed.num_turns:,} turns", what + ended
