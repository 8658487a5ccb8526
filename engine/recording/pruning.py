"""Clears recordings away: which ones, and that nothing else goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .file import remove_file
from .listing import Listed
from .places import is_recording, writer_of

__all__ = ["Rule", "prunable", "prune"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Which recordings may go; one has to fulfil all that is given.

    Attributes:
        older_than_s: older than so many seconds; None: whatever their age.
        keep: not among so many youngest; None: none is spared for that.
        temporary: those alone that were to go away with their run, whose service was killed.
    """

    older_than_s: float | None = None
    keep: int | None = None
    temporary: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing, so that everything would go."""
        return self.older_than_s is None and self.keep is None and not self.temporary


def prunable(found: Sequence[Listed], rule: Rule, now_unix_s: float) -> list[Listed]:
    """Those recordings of a list that may go.

    What is being written, or is no recording, never does. Those that are spared as the youngest are counted among
    recordings that `temporary` leaves.
    """
    own = [listed for listed in found if _is_own(listed) and not (rule.temporary and listed.is_kept)]
    own.sort(key=lambda listed: -listed.created_unix_s)
    chosen = own[rule.keep or 0 :]
    if rule.older_than_s is not None:
        chosen = [listed for listed in chosen if listed.created_unix_s < now_unix_s - rule.older_than_s]
    return chosen


def prune(listed: Listed) -> bool:
    """Remove a recording and what lies beside it; False if it may not go any more, or cannot."""
    if not _is_own(listed):
        return False
    remove_file(listed.path)
    return not listed.path.exists()


def _is_own(listed: Listed) -> bool:
    """Whether it is a recording that nobody writes, by the file itself: a list gets old."""
    try:
        if listed.path.is_symlink() or not is_recording(listed.path):
            return False
    except OSError:
        return False
    return writer_of(listed.path.absolute()) is None
