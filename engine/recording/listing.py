"""Which recordings there are in a folder, and what each of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from subsecond.engine.errors import InputError

from .places import SUFFIX, is_recording, recordings_folder, writer_of
from .reader import Recording

__all__ = ["Listed", "list_recordings"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A recording in a list.

    Attributes:
        scenario, title, driver, lanes: of its run; empty if it cannot be read.
        created_unix_s: when it began, seconds since 1970; of one that cannot be read when the file was changed.
        duration_ps: until the last thing that happened so far.
        num_turns: on all lanes.
        is_finished: whether its run has ended in order.
        is_being_written: whether a running process of this machine writes it.
        is_kept: whether it stays when its run ends.
        problem: why it cannot be read; empty if it can.
    """

    path: Path
    size_bytes: int
    created_unix_s: float
    scenario: str = ""
    title: str = ""
    driver: str = ""
    lanes: tuple[str, ...] = ()
    duration_ps: int = 0
    num_turns: int = 0
    is_finished: bool = False
    is_being_written: bool = False
    is_kept: bool = True
    problem: str = ""


def list_recordings(folder: Path | None = None) -> list[Listed]:
    """The recordings in a folder, the youngest first; other files are left out.

    A file that has the name of a recording is listed whatever it holds, with what is wrong with it.

    Args:
        folder: None: `recordings_folder()`.

    Raises:
        InputError: there is no such folder, or it cannot be read.
    """
    place = recordings_folder() if folder is None else folder
    try:
        files = [path for path in place.iterdir() if not path.name.startswith(".") and _is_one(path)]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError("recordings", "", str(place), f"a folder that can be read ({reason})") from None
    found = [listed for path in files if (listed := _listed(path)) is not None]
    return sorted(found, key=lambda listed: (-listed.created_unix_s, listed.path.name))


def _is_one(path: Path) -> bool:
    try:
        return path.is_file() and (path.suffix == SUFFIX or is_recording(path))
    except OSError:
        return False


def _listed(path: Path) -> Listed | None:
    """None if the file has gone meanwhile, as temporary recordings do."""
    try:
        status = path.stat()
    except OSError:
        return None
    try:
        with Recording.open(path) as recording:
            hello, meta = recording.hello(), recording.metadata()
            return Listed(
                path=path,
                size_bytes=status.st_size,
                created_unix_s=meta.created_unix_s,
                scenario=hello.scenario,
                title=hello.title,
                driver=meta.driver,
                lanes=tuple(lane.name for lane in hello.lanes),
                duration_ps=recording.duration_ps,
                num_turns=recording.num_turns,
                is_finished=meta.is_finished,
                is_being_written=not meta.is_finished and writer_of(path) is not None,
                is_kept=meta.is_kept,
            )
    except InputError as error:
        return Listed(path, status.st_size, status.st_mtime, problem=str(error)) if path.exists() else None
