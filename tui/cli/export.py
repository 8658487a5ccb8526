"""`subsecond export`: a recording in a format of other programs."""

from __future__ import annotations

import sys
from pathlib import Path

from subsecond.engine.errors import InputError
from subsecond.engine.export.formats import FORMATS, export, format_of
from subsecond.engine.export.tables import Window
from subsecond.engine.export.target import STDOUT
from subsecond.engine.recording.reader import Recording
from subsecond.tui.instants import instant_ps

__all__ = ["export_command"]


def export_command(
    *,
    recording: Path,
    kind: str | None,
    out: Path | None,
    table: str,
    lane: str | None,
    since: str | None,
    until: str | None,
    force: bool,
) -> None:
    """Export a recording; without a place to write to, beside it under its name.

    Raises:
        InputError: no recording, an option that cannot be used, or a file that cannot be written.
    """
    if out is None:
        if kind is None:
            raise InputError("-o", "", "nothing", f"a file, or --format with one of {', '.join(FORMATS)}")
        suffix = FORMATS[format_of(kind, Path())][0]
        out = Path(recording.with_suffix(suffix).name)
    kind = format_of(kind, out)
    window = Window(lane, _instant("--since", since), _instant("--until", until))
    with Recording.open(recording) as opened:
        count = export(opened, kind, out, table=table, window=window, force=force)
    if out != STDOUT:
        what = f"{count:,} turns as traces" if kind == "otlp-json" else f"{count:,} rows of {table}"
        sys.stderr.write(f"subsecond: {out}: {what}\n")


def _instant(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return instant_ps(text)
    except ValueError:
        raise InputError(option, "", text, "an instant within 1,000,000 s, such as 90s, 1.5m or 1:30") from None
